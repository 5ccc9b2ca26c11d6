package account

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/mapping"
)

const bucketHost = "my-site.oss-cn-hangzhou.aliyuncs.com"

// domain is www.example.com, online, of a bucket, with settings.
func domain(configs ...aliyun.Config) Domain {
	d := Domain{Product: mapping.DCDN, Configs: configs}
	d.Name, d.Status = "www.example.com", "online"
	d.Sources = []aliyun.Source{{Type: "oss", Content: bucketHost}}
	return d
}

// with returns the domain with other sources, as "TYPE CONTENT".
func (d Domain) with(sources ...string) Domain {
	d.Sources = nil
	for _, s := range sources {
		typ, content, _ := strings.Cut(s, " ")
		d.Sources = append(d.Sources, aliyun.Source{Type: typ, Content: content})
	}
	return d
}

// set is a setting with arguments as NAME, VALUE, and so on.
func set(function string, args ...string) aliyun.Config {
	c := aliyun.Config{Function: function, Status: "success", Args: map[string]string{}}
	for i := 0; i < len(args); i += 2 {
		c.Args[args[i]] = args[i+1]
	}
	return c
}

func rewriting(from, to string, flag ...string) aliyun.Config {
	return set("back_to_origin_url_rewrite", "source_url", from, "target_url", to, "flag", strings.Join(flag, ""))
}

func conditional(c aliyun.Config) aliyun.Config {
	c.Parent = "222728944812032"
	return c
}

func TestBucket(t *testing.T) {
	host := func(name string) aliyun.Config { return set("set_req_host_header", "domain_name", name) }
	tests := map[string]struct {
		domain Domain
		bucket string
		reason string // a part of it; empty: decided
	}{
		"oss":               {domain(), "my-site", ""},
		"in upper case":     {domain().with("oss MY-SITE.oss-cn-hangzhou.aliyuncs.com"), "my-site", ""},
		"internal":          {domain().with("domain my-site.oss-cn-hangzhou-internal.aliyuncs.com"), "my-site", ""},
		"accelerate":        {domain().with("oss my-site.oss-accelerate.aliyuncs.com"), "my-site", ""},
		"dual stack":        {domain().with("oss my-site.cn-hangzhou.oss.aliyuncs.com"), "my-site", ""},
		"two endpoints":     {domain().with("oss "+bucketHost, "oss my-site.oss-cn-hangzhou-internal.aliyuncs.com"), "my-site", ""},
		"host of a bucket":  {domain(host("b." + "oss-cn-beijing.aliyuncs.com")).with("domain cname.example.net"), "b", ""},
		"another bucket's":  {domain(host("b.oss-cn-hangzhou.aliyuncs.com")), "b", ""},
		"its own host":      {domain(host("www.example.com")), "my-site", ""},
		"follows origin":    {domain(set("origin_host", "origin", "all", "host", "ali_follow_origin")), "my-site", ""},
		"oss_auth":          {domain(set("oss_auth", "oss_bucket_id", "b")).with("domain files.example.net"), "b", ""},
		"oss_auth endpoint": {domain(set("oss_auth", "oss_bucket_id", "b.oss-cn-hangzhou.aliyuncs.com")).with("oss files.example.net"), "b", ""},
		"the source wins":   {domain(set("oss_auth", "oss_bucket_id", "old")), "my-site", ""},

		"address":       {domain().with("ipaddr 192.0.2.1"), "", "its origin is not a bucket of OSS: 192.0.2.1"},
		"function":      {domain().with("fc_domain " + bucketHost), "", "not a bucket"},
		"lookalike":     {domain().with("domain my-site.oss-cn-hangzhou.aliyuncs.com.example.net"), "", "not a bucket"},
		"none":          {domain().with(), "", "it has no origin"},
		"two buckets":   {domain().with("oss "+bucketHost, "oss b.oss-cn-hangzhou.aliyuncs.com"), "", "several origins: " + bucketHost + ", b."},
		"with a server": {domain().with("oss "+bucketHost, "ipaddr 192.0.2.1"), "", "several origins"},
		"host":          {domain(host("files.example.net")), "", "asked for the host files.example.net, which decides the bucket"},
		"two hosts":     {domain(host(bucketHost), set("origin_host", "origin", "all", "host", "b.oss-cn-hangzhou.aliyuncs.com")), "", "several hosts"},
		"host, at times": {
			domain(conditional(host("b.oss-cn-hangzhou.aliyuncs.com"))), "my-site",
			"a setting depends on a condition (set_req_host_header)",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { decided(t, Read(tt.domain), tt.bucket, tt.reason) })
	}
}

// decided checks that there is a reason if, and only if, the domain is not decided.
func decided(t *testing.T, r Reading, bucket, reason string) {
	t.Helper()
	if r.Bucket != bucket || (r.Verdict == Decided) != (reason == "") || !strings.Contains(r.Reason, reason) {
		t.Errorf("bucket %q, verdict %d, reason %q; want %q, %q", r.Bucket, r.Verdict, r.Reason, bucket, reason)
	}
}

// The keys of private buckets, and those that sign URLs, are not even asked for.
func TestFunctionsHoldNoSecret(t *testing.T) {
	for _, function := range Functions {
		if strings.Contains(function, "key") && function != "set_hashkey_args" && function != "self_defined_cachekey" ||
			function == "aliauth" {
			t.Errorf("%s holds a key", function)
		}
	}
}

func TestOut(t *testing.T) {
	named := func(name string) Domain {
		d := domain()
		d.Name = name
		return d
	}
	offline := domain()
	offline.Status = "offline"
	unread := domain()
	unread.Unread = "Forbidden.RAM"
	unfinished := set("back_to_origin_url_rewrite", "source_url", "^/(.*)$", "target_url", "/a/$1")
	unfinished.Status = "configuring"
	tests := map[string]struct {
		domain  Domain
		verdict Verdict
		reason  string
	}{
		"offline":         {offline, NotServing, "its status is offline"},
		"wildcard":        {named(".example.com"), Undecided, "it is a wildcard"},
		"unread":          {unread, Undecided, "its settings could not be read: Forbidden.RAM"},
		"not a bucket":    {unread.with("ipaddr 192.0.2.1"), NoBucket, "its origin is not a bucket"},
		"odd name":        {named("a_b.example.com"), Undecided, "the table does not take its name"},
		"odd bucket":      {domain().with("oss A_B.oss-cn-hangzhou.aliyuncs.com"), Undecided, "the table does not take"},
		"script":          {domain(set("edge_function", "rule", "x")), Undecided, "a script runs at the edge (edge_function)"},
		"script is off":   {domain(set("edge_function", "enable", "off")), Decided, ""},
		"routine":         {domain(set("edgeroutine")), Undecided, "a routine runs"},
		"cache key":       {domain(set("self_defined_cachekey")), Undecided, "it has cache keys of its own"},
		"origins":         {domain(conditional(set("advanced_origin"))), Undecided, "it has origins by condition"},
		"two reasons":     {domain(set("edge_function"), set("source_group")), Undecided, "it has groups of origins (source_group); a script"},
		"unfinished":      {domain(unfinished), Undecided, "a setting is configuring (back_to_origin_url_rewrite)"},
		"rewrites, maybe": {domain(conditional(rewriting("^/(.*)$", "/a/$1"))), Undecided, "a setting depends on a condition"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := Read(tt.domain)
			if r.Verdict != tt.verdict || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("verdict %d, %q; want %d, %q", r.Verdict, r.Reason, tt.verdict, tt.reason)
			}
		})
	}
}

// mounts are shown as "KEY at PATH", index documents as their names.
func mounts(r Reading) (all []string) {
	if r.Verdict != Decided {
		return nil
	}
	for _, m := range r.Mounts {
		all = append(all, m.Key+" at "+m.Path)
	}
	for _, index := range r.Index {
		all = append(all, index.Name)
	}
	return all
}

func TestRewrites(t *testing.T) {
	const root = "^/$"
	whole := func(to string, flag ...string) aliyun.Config { return rewriting("^/(.*)$", to+"$1", flag...) }
	tests := map[string]struct {
		rules []aliyun.Config
		want  []string // none: undecided
	}{
		"none":             {nil, []string{" at /"}},
		"prefix":           {[]aliyun.Config{whole("/site/")}, []string{"site/ at /"}},
		"group with slash": {[]aliyun.Config{rewriting("^(.*)$", "/site$1", "break")}, []string{"site/ at /"}},
		"not anchored":     {[]aliyun.Config{rewriting("(.*)", "/site$1")}, []string{"site/ at /"}},
		"slash in group":   {[]aliyun.Config{rewriting("^(/.*)", "/site$1")}, []string{"site/ at /"}},
		"escaped slash":    {[]aliyun.Config{rewriting(`^\/(.*)$`, "/site/$1")}, []string{"site/ at /"}},
		"deeper":           {[]aliyun.Config{whole("/a/b-1.0/")}, []string{"a/b-1.0/ at /"}},
		"no folder":        {[]aliyun.Config{whole("/site-")}, []string{"site- at /"}},
		"the same":         {[]aliyun.Config{whole("/")}, []string{" at /"}},
		"a part": {
			[]aliyun.Config{rewriting("^/blog/(.*)$", "/posts/$1")},
			[]string{" at /", "posts/ at /blog/"},
		},
		"a part, slash in group": {
			[]aliyun.Config{rewriting(`^/v1\.0(/.*)$`, "/old$1")},
			[]string{" at /", "old/ at /v1.0/"},
		},
		"parts that end": {
			[]aliyun.Config{rewriting("^/a/(.*)$", "/b/$1", "break"), whole("/site/", "enhance_break")},
			[]string{"site/ at /", "b/ at /a/"},
		},
		"index":            {[]aliyun.Config{rewriting(root, "/index.html")}, []string{" at /", "index.html"}},
		"index, then all":  {[]aliyun.Config{rewriting(root, "/index.html"), whole("/site/")}, []string{"site/ at /", "index.html"}},
		"index of the all": {[]aliyun.Config{rewriting(root, "/site/i.htm", "break"), whole("/site/")}, []string{"site/ at /", "i.htm"}},
		"folders":          {[]aliyun.Config{rewriting("^(.*)/$", "$1/index.html")}, []string{" at /", "index.html"}},
		"folders, slashes": {[]aliyun.Config{rewriting("^/(.*/)$", "/$1index.html")}, []string{" at /", "index.html"}},

		"bare dot":             {[]aliyun.Config{rewriting("^/v1.0/(.*)$", "/old/$1")}, nil},
		"alternatives":         {[]aliyun.Config{rewriting("^/(a|b)/(.*)$", "/$1-$2")}, nil},
		"fallback":             {[]aliyun.Config{rewriting("^/.*$", "/index.html")}, nil},
		"query":                {[]aliyun.Config{whole("/site/?a=")}, nil},
		"another host":         {[]aliyun.Config{rewriting("^/(.*)$", "https://b.example.com/$1")}, nil},
		"double slash":         {[]aliyun.Config{rewriting("^(.*)$", "/site/$1")}, nil},
		"dots":                 {[]aliyun.Config{whole("/../")}, nil},
		"part, not anchored":   {[]aliyun.Config{rewriting("/blog/(.*)", "/posts/$1")}, nil},
		"half a name":          {[]aliyun.Config{rewriting("^/blog(.*)$", "/posts$1")}, nil},
		"one after another":    {[]aliyun.Config{rewriting("^/a/(.*)$", "/b/$1"), whole("/site/")}, nil},
		"index elsewhere":      {[]aliyun.Config{rewriting(root, "/start/index.html")}, nil},
		"index ends":           {[]aliyun.Config{rewriting(root, "/index.html", "break"), whole("/site/")}, nil},
		"index twice in":       {[]aliyun.Config{rewriting(root, "/site/index.html"), whole("/site/")}, nil},
		"folders, no slash":    {[]aliyun.Config{rewriting("^(.*)/$", "$1index.html")}, nil},
		"folders, two slashes": {[]aliyun.Config{rewriting("^(.*/)$", "$1/index.html")}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := Read(domain(tt.rules...))
			if diff := cmp.Diff(tt.want, mounts(r)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", r.Reason, diff)
			}
		})
	}
}

func TestCacheKey(t *testing.T) {
	ignoring := set("set_hashkey_args", "disable", "on", "hashkey_args", "")
	tests := map[string]struct {
		config  aliyun.Config
		ignores bool
		note    string
	}{
		"ignored":        {ignoring, true, "The cache key ignores queries"},
		"it is kept":     {set("set_hashkey_args", "disable", "on", "hashkey_args", "a,v"), false, "count (set_hashkey_args): a,v"},
		"some are kept":  {set("set_hashkey_args", "disable", "on", "hashkey_args", "a,b"), true, "only these queries count (set_hashkey_args): a,b"},
		"kept":           {set("set_hashkey_args", "disable", "off"), false, ""},
		"ignored, maybe": {conditional(ignoring), false, ""},
		"is removed":     {set("ali_remove_args", "ali_remove_args", "x v"), true, "(ali_remove_args): x v"},
		"removed":        {set("ali_remove_args", "ali_remove_args", "x y"), false, "leaves these queries out (ali_remove_args): x y"},
		"shared":         {set("rewrite_host", "share_host", "b.example.com"), false, "another domain (rewrite_host): b.example.com"},
		"rewritten":      {set("host_redirect", "regex", "^/a$", "replacement", "/b", "flag", "break"), false, "^/a$ becomes /b"},
		"redirected":     {set("host_redirect", "regex", "^/a$", "replacement", "/b", "flag", "redirect"), false, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := Read(domain(tt.config))
			notes := strings.Join(r.Notes, "\n")
			if r.Verdict != Decided || r.Queries.Ignores("v=2") != tt.ignores || (notes == "") != (tt.note == "") || !strings.Contains(notes, tt.note) {
				t.Errorf("verdict %d, queries %v, notes %q", r.Verdict, r.Queries, notes)
			}
		})
	}
}

func TestBrief(t *testing.T) {
	files := func(ttl, weight string, more ...string) aliyun.Config {
		return set("filetype_based_ttl_set", append([]string{"ttl", ttl, "file_type", "html,htm", "weight", weight}, more...)...)
	}
	path := func(ttl, weight string) aliyun.Config {
		return set("path_based_ttl_set", "ttl", ttl, "path", "/api/", "weight", weight)
	}
	html, api := TTL{60, "", []string{"html", "htm"}}, TTL{0, "/api/", nil}
	tests := map[string]struct {
		configs []aliyun.Config
		want    []TTL
	}{
		"brief":              {[]aliyun.Config{files("60", "50"), path("0", "1")}, []TTL{html, api}},
		"long":               {[]aliyun.Config{files("300", "50")}, nil},
		"outweighed":         {[]aliyun.Config{files("60", "50"), path("3600", "50")}, nil},
		"outweighs":          {[]aliyun.Config{files("60", "50"), path("3600", "49")}, []TTL{html}},
		"the origin decides": {[]aliyun.Config{files("60", "50", "swift_origin_cache_high", "on")}, nil},
		"by a condition":     {[]aliyun.Config{conditional(files("60", "50"))}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Read(domain(tt.configs...)).Brief); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The table refreshes an object at each URL that shows it, also where the rule of
// a longer prefix stands before that of a shorter one.
func TestTableHasEveryMount(t *testing.T) {
	named := func(name string, configs ...aliyun.Config) Reading {
		d := domain(configs...)
		d.Name = name
		return Read(d)
	}
	all := []Reading{
		named("all.example.com"),
		named("site.example.com", rewriting("^/(.*)$", "/site/$1")),
		named("deep.example.com", rewriting("^/a/(.*)$", "/site/deep/$1")),
	}
	table, err := mapping.Parse("table", []byte(Table(all)))
	if err != nil {
		t.Fatalf("%v\n%s", err, Table(all))
	}
	for key, want := range map[string][]string{
		"x":           {"https://all.example.com/x", "https://deep.example.com/x"},
		"site/x":      {"https://all.example.com/site/x", "https://site.example.com/x", "https://deep.example.com/site/x"},
		"site/deep/x": {"https://all.example.com/site/deep/x", "https://site.example.com/deep/x", "https://deep.example.com/site/deep/x", "https://deep.example.com/a/x"},
	} {
		var got []string
		for _, target := range table.Map(mapping.Object{Bucket: "my-site", Key: key, Event: mapping.Created}).Targets {
			got = append(got, target.URL)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", key, diff)
		}
	}
	file := filepath.Join(t.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte(Table(all)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, warnings, err := mapping.Check(file); err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v\n%s", warnings, err, Table(all))
	}
	if findings := Compare("table", table, all); len(findings) > 0 {
		t.Errorf("%v\n%s", findings, Table(all))
	}
}

// Whatever an account holds, the table is one, has no surprises and is true.
func FuzzTable(f *testing.F) {
	f.Add("my-site", "www.example.com", "^/(.*)$", "/site/$1", "break", "a\nrules: []")
	f.Add("true", "no.yes", "^/$", "/null", "", "\u2028x: y")
	f.Add("1e3", "0x1.example.com", "^/#/(.*)$", "/'\"/$1", "", "")
	f.Add("123", "a.b", "(.*)", "/- $1", "", "\x1b[31m")
	f.Fuzz(func(t *testing.T, bucket, name, from, to, flag, text string) {
		d := domain(rewriting(from, to, flag), set("ali_remove_args", "ali_remove_args", text))
		d.Name = name
		in := Read(d.with("oss " + bucket + ".oss-cn-hangzhou.aliyuncs.com"))
		other := domain()
		other.Name, other.Status = text, "offline"
		all := []Reading{in, Read(other)}
		if in.Verdict != Decided {
			return
		}
		file := filepath.Join(t.TempDir(), "table.yaml")
		if err := os.WriteFile(file, []byte(Table(all, text)), 0o600); err != nil {
			t.Fatal(err)
		}
		table, warnings, err := mapping.Check(file)
		// A rewrite to "/0$1" has a prefix that is no folder. The table is right, and so
		// is a warning of it.
		noFolder := func(m Mount) bool { return m.Key != "" && !strings.HasSuffix(m.Key, "/") }
		if err != nil || len(warnings) > 0 && !slices.ContainsFunc(in.Mounts, noFolder) {
			t.Fatalf("%v, %v\n%s", err, warnings, Table(all, text))
		}
		for _, finding := range Compare("table", table, all) {
			if finding.Differs {
				t.Errorf("%v\n%s", finding, Table(all, text))
			}
		}
	})
}

func ExampleTable() {
	d := Domain{Product: mapping.CDN}
	d.Name, d.Status = "www.example.com", "online"
	d.Sources = []aliyun.Source{{Type: "oss", Content: "my-site.oss-cn-hangzhou.aliyuncs.com"}}
	fmt.Print(Table([]Reading{Read(d)}, "From the account."))
	// Output:
	// # From the account.
	//
	// rules:
	//   - bucket: my-site
	//     targets:
	//       - domain: www.example.com
	//         # of CDN, origin my-site.oss-cn-hangzhou.aliyuncs.com
	//         product: cdn
}
