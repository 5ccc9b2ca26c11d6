package account

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/mapping"
)

// found compares a table with domains. A finding is "LINE: MESSAGE; HINT", with
// "differs" in front if it does.
func found(t *testing.T, rules string, readings ...Reading) (all []string) {
	t.Helper()
	table, err := mapping.Parse("table", []byte("rules:\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Compare("table", table, readings) {
		text := strings.TrimPrefix(f.Error(), "table:")
		if f.Differs {
			text = "differs " + text
		}
		all = append(all, text)
	}
	return all
}

// named is a reading of a domain of the bucket my-site with settings.
func named(name string, configs ...aliyun.Config) Reading {
	d := domain(configs...)
	d.Name = name
	return Read(d)
}

func TestCompare(t *testing.T) {
	const w, v = "www.example.com", "v.example.com"
	site := rewriting("^/(.*)$", "/site/$1")
	blog := rewriting("^/blog/(.*)$", "/posts/$1")
	offline := domain()
	offline.Status = "offline"
	wild := domain()
	wild.Name = ".example.com"
	cdn := named(w)
	cdn.Product = mapping.CDN
	tests := map[string]struct {
		rules    string
		readings []Reading
		want     []string
	}{
		"the same": {"- {bucket: my-site, targets: [{domain: www.example.com}]}", []Reading{named(w)}, nil},
		"stranger": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}", nil,
			[]string{"differs 2: rules[0].targets[0]: www.example.com is not a domain of this account's DCDN; write a domain of the account, or ask with credentials of its account"},
		},
		"other product": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{cdn},
			[]string{
				"differs 2: rules[0].targets[0]: www.example.com is a domain of CDN; write product: cdn",
			},
		},
		"not in the table": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{named(w), named(v)},
			[]string{"2: rules[0].targets[0]: v.example.com (dcdn) shows the bucket my-site too, and the table does not have it; add a target for it, if its visitors need a refresh"},
		},
		"offline": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{Read(offline)},
			[]string{"differs 2: rules[0].targets[0]: www.example.com is not in service: its status is offline; run this again when it is online, or take the target out"},
		},
		"wildcard": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{Read(wild)},
			[]string{"2: rules[0].targets[0]: www.example.com is not compared: the account has it as the wildcard .example.com"},
		},
		"beside a wildcard": {
			"- {bucket: my-site, targets: [{domain: a.b.example.com}]}",
			[]Reading{Read(wild)},
			[]string{"differs 2: rules[0].targets[0]: a.b.example.com is not a domain of this account's DCDN; write a domain of the account, or ask with credentials of its account"},
		},
		"not a bucket": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{Read(domain().with("ipaddr 192.0.2.1"))},
			[]string{"differs 2: rules[0].targets[0]: www.example.com does not show the bucket my-site: its origin is not a bucket of OSS: 192.0.2.1; take the target out, or make the bucket its origin"},
		},
		"another bucket": {
			"- {bucket: other, targets: [{domain: www.example.com}]}",
			[]Reading{named(w)},
			[]string{"differs 2: rules[0].targets[0]: www.example.com does not show the bucket other; write bucket: my-site"},
		},
		"one of several": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{named(w, set("edge_function"))},
			[]string{"2: rules[0].targets[0]: www.example.com is not compared: a script runs at the edge (edge_function)"},
		},
		"none of several": {
			"- {bucket: other, targets: [{domain: www.example.com}]}",
			[]Reading{named(w, set("edge_function"))},
			[]string{"differs 2: rules[0].targets[0]: www.example.com does not show the bucket other; write bucket: my-site"},
		},
		"prefix in vain": {
			"- {bucket: my-site, prefix: www/, targets: [{domain: www.example.com, strip_prefix: www/}]}",
			[]Reading{named(w)},
			[]string{`differs 2: rules[0].targets[0]: the key "www/…" is shown at https://www.example.com/www/…, not at https://www.example.com/…; write prefix: www/, strip_prefix: '', path: /`},
		},
		"path in vain": {
			"- {bucket: my-site, targets: [{domain: www.example.com, path: /a/}]}",
			[]Reading{named(w)},
			[]string{`differs 2: rules[0].targets[0]: the key "…" is shown at https://www.example.com/…, not at https://www.example.com/a/…; write strip_prefix: '', path: /`},
		},
		"rewrite": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{named(w, site)},
			[]string{`differs 2: rules[0].targets[0]: the key "site/…" is shown at https://www.example.com/…, not at https://www.example.com/site/…: ^/(.*)$ to /site/$1 (back_to_origin_url_rewrite); write prefix: site/, strip_prefix: site/, path: /`},
		},
		"other keys": {
			"- {bucket: my-site, prefix: a/, targets: [{domain: www.example.com, strip_prefix: ''}]}",
			[]Reading{named(w, site)},
			[]string{`differs 2: rules[0].targets[0]: www.example.com does not show keys that begin with "a/": ^/(.*)$ to /site/$1 (back_to_origin_url_rewrite); write prefix: site/, strip_prefix: site/, path: /`},
		},
		"deeper prefix": {
			"- {bucket: my-site, prefix: site/a/, targets: [{domain: www.example.com, strip_prefix: site/}]}", []Reading{named(w, site)}, nil,
		},
		"keys of another rule": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}\n" +
				"- {bucket: my-site, prefix: site/, targets: [{domain: www.example.com, strip_prefix: site/}]}",
			[]Reading{named(w, site)},
			[]string{`differs 2: rules[0].targets[0]: www.example.com shows keys that begin with "site/", which are not this rule's: ^/(.*)$ to /site/$1 (back_to_origin_url_rewrite); take the target out: the keys that begin so have a rule of their own`},
		},
		"half of it": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{named(w, blog)},
			[]string{`differs 2: rules[0].targets[0]: keys that begin with "posts/" are shown at https://www.example.com/blog/… too, which nothing refreshes: ^/blog/(.*)$ to /posts/$1 (back_to_origin_url_rewrite); add a rule with prefix: posts/, strip_prefix: posts/, path: /blog/`},
		},
		"the other half": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}\n" +
				"- {bucket: my-site, prefix: posts/, targets: [{domain: www.example.com, strip_prefix: posts/, path: /blog/}]}",
			[]Reading{named(w, blog)},
			[]string{`3: rules[1].targets[0]: keys that begin with "posts/" are shown at https://www.example.com/posts/… too; add a target with strip_prefix: '', path: /, if visitors ask for that`},
		},
		"both halves": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}\n" +
				"- {bucket: my-site, prefix: posts/, targets: [{domain: www.example.com, strip_prefix: posts/, path: /blog/}, {domain: www.example.com, strip_prefix: ''}]}",
			[]Reading{named(w, blog)},
			nil,
		},
		"hidden by a longer prefix": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}\n" +
				"- {bucket: my-site, prefix: site/, targets: [{domain: v.example.com, strip_prefix: site/}]}",
			[]Reading{named(w), named(v, site)},
			[]string{`3: rules[1].targets[0]: keys that begin with "site/" are shown by www.example.com too, for which this rule has no target; add a target for it, if visitors ask for these there`},
		},
		"queries": {
			"- {bucket: my-site, targets: [{domain: www.example.com, queries: [v=2]}, {domain: www.example.com, type: ignore_params}]}",
			[]Reading{named(w, set("set_hashkey_args", "disable", "on"))},
			[]string{
				"differs 2: rules[0].targets[0]: www.example.com ignores these queries in its cache key: v=2; take them out of queries: each takes a URL of the day's quota",
				"differs 2: rules[0].targets[1]: www.example.com ignores queries in its cache key (set_hashkey_args); write type: file: the account has 100 URLs of ignore_params a day",
			},
		},
		"path in vain, beside a part": {
			"- {bucket: my-site, targets: [{domain: www.example.com, path: /x/}]}",
			[]Reading{named(w, blog)},
			[]string{`differs 2: rules[0].targets[0]: the key "…" is shown at https://www.example.com/…, not at https://www.example.com/x/…; write strip_prefix: '', path: /`},
		},
		"path of a part in vain": {
			"- {bucket: my-site, prefix: posts/, targets: [{domain: www.example.com, strip_prefix: posts/}]}",
			[]Reading{named(w, blog)},
			[]string{`differs 2: rules[0].targets[0]: the key "posts/…" is shown at https://www.example.com/blog/…, not at https://www.example.com/…: ^/blog/(.*)$ to /posts/$1 (back_to_origin_url_rewrite); write prefix: posts/, strip_prefix: posts/, path: /blog/`},
		},
		"no index": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}\n" +
				"- {bucket: my-site, prefix: a/, targets: [{domain: www.example.com, strip_prefix: '', index: [index.html]}]}",
			[]Reading{named(w, rewriting("^/$", "/index.html"))},
			[]string{"differs 2: rules[0].targets[0]: www.example.com shows index.html without its name too: ^/$ to /index.html (back_to_origin_url_rewrite); add it to the target's index"},
		},
		"some queries": {
			"- {bucket: my-site, targets: [{domain: www.example.com, queries: [v=2, 'a=1&v=2', b]}]}",
			[]Reading{named(w, set("set_hashkey_args", "hashkey_args", "a"))},
			[]string{"differs 2: rules[0].targets[0]: www.example.com ignores these queries in its cache key: v=2, b; take them out of queries: each takes a URL of the day's quota"},
		},
		"brief": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{named(w, set("path_based_ttl_set", "ttl", "9", "path", "/api/"))},
			[]string{"2: rules[0].targets[0]: the cache of www.example.com keeps what is below /api/ for 9 seconds only, which needs no refresh; exclude the keys below it to save quota"},
		},
		"brief, by weight": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}\n- {bucket: my-site, prefix: x/, exclude: ['**/*.a', '**/*.b'], targets: [{domain: www.example.com, strip_prefix: ''}]}",
			[]Reading{named(w,
				set("path_based_ttl_set", "ttl", "9", "path", "/api/", "weight", "1"),
				set("filetype_based_ttl_set", "ttl", "9", "file_type", "a,b", "weight", "1"))},
			[]string{
				"2: rules[0].targets[0]: the cache of www.example.com keeps .a, .b for 9 seconds only, which needs no refresh; write exclude: ['**/*.a', '**/*.b'] to save quota",
				"2: rules[0].targets[0]: the cache of www.example.com keeps what is below /api/ for 9 seconds only, which needs no refresh; exclude the keys below it to save quota",
				"3: rules[1].targets[0]: the cache of www.example.com keeps what is below /api/ for 9 seconds only, which needs no refresh; exclude the keys below it to save quota",
			},
		},
		"brief, all of it": {
			"- {bucket: my-site, targets: [{domain: www.example.com}]}",
			[]Reading{named(w, set("path_based_ttl_set", "ttl", "0", "path", "/", "weight", "1"))},
			[]string{"2: rules[0].targets[0]: the cache of www.example.com does not keep what is below /; take the target out to save quota"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := found(t, tt.rules, tt.readings...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The rules of ESA's sites are not read, so that only the site and the bucket of such a
// domain are compared.
func TestCompareWithESA(t *testing.T) {
	record := func(name string, site int64, bucket string) Reading {
		d := domain().with("oss " + bucket + ".oss-cn-hangzhou.aliyuncs.com")
		d.Name, d.Product, d.Site = name, mapping.ESA, site
		return Read(d)
	}
	const head = "  - bucket: my-site\n    prefix: a/\n    targets: [{domain: v.example.com, product: esa, "
	tests := map[string]struct{ target, want string }{
		"the same":     {"site: 7}]", ""},
		"another path": {"site: 7, strip_prefix: a/, path: /b/, queries: ['v=2']}]", ""},
		"another site": {"site: 8}]", "differs 4: rules[0].targets[0]: v.example.com does not belong to the site 8; write site: 7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(found(t, head+tt.target, record("v.example.com", 7, "my-site")), "\n"); got != tt.want {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
	got := found(t, head+"site: 7}]", record("v.example.com", 7, "b"), record("w.example.com", 7, "my-site"))
	want := []string{
		"differs 4: rules[0].targets[0]: v.example.com does not show the bucket my-site; write bucket: b",
		"4: rules[0].targets[0]: w.example.com (esa) shows the bucket my-site too, and the table does not have it; add a target for it, if its visitors need a refresh",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
