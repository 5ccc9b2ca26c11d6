package mapping

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

// Whoever deploys this edits the table. It has to load, and that is all.
func TestDeployedTableLoads(t *testing.T) {
	if _, err := Load("mapping.yaml"); err != nil {
		t.Error(err)
	}
}

// The table as it is shipped.
func TestLoad(t *testing.T) {
	got, err := Load("testdata/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []Rule{
		{
			Bucket: "my-site", Prefix: "www/", Exclude: []string{"**/*.map", "**/.*"}, Line: 8,
			Targets: []Spec{{
				Domain: "www.example.com", Product: DCDN, StripPrefix: "www/", Path: "/",
				Index: []string{"index.html"}, Type: File, Spellings: "common", Line: 12,
			}},
		},
		{
			Bucket: "my-downloads", Prefix: "releases/", Line: 18,
			Targets: []Spec{{Domain: "dl.example.com", Product: CDN, Path: "/", Type: File, Spellings: "common", Line: 21}},
		},
	}
	if d := cmp.Diff(want, got.Rules, cmpopts.IgnoreUnexported(Spec{})); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
	esa := ESALimits{1000, 10, 100, 100, 262144}
	if d := cmp.Diff(Refresh{0, "fail", "warn", Limits{1000, 100, 10, 100, 262144, esa}, CallsPerSecond{30, 50, 10}}, got.Refresh); d != "" {
		t.Errorf("refresh (-want +got):\n%s", d)
	}
}

func TestLoadRefresh(t *testing.T) {
	got := parse(t, oneRule("", "")+`
refresh:
  fold: 100
  on_quota_exceeded: directory
  limits: {urls_per_request: 2, urls_per_domain: 3, domains_per_request: 4, directories_per_request: 5, request_bytes: 2048, esa: {urls_per_request: 7, ignore_params_per_request: 8}}
  calls_per_second: {dcdn: 6, esa: 9}
  unmatched: fail
`).Refresh
	if d := cmp.Diff(Refresh{100, "directory", "fail", Limits{2, 3, 4, 5, 2048, ESALimits{7, 10, 100, 8, 262144}}, CallsPerSecond{6, 50, 9}}, got); d != "" {
		t.Errorf("refresh (-want +got):\n%s", d)
	}
}

func TestLoadCannotRead(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "reading the mapping table: ") {
		t.Errorf("got %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	for size, want := range map[int]string{
		maxBytes:     "large.yaml: the file is empty",
		maxBytes + 1: "large.yaml: the file is larger than 1 MiB",
	} {
		file := filepath.Join(t.TempDir(), "large.yaml")
		if err := os.WriteFile(file, []byte("#"+strings.Repeat("x", size-1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file)
		if err == nil || !strings.HasPrefix(filepath.Base(err.Error()), want) {
			t.Errorf("%d bytes: got %v, want %s…", size, err, want)
		}
	}
}

// Of each text that is not a whole table, the faults.
func TestFaultsOfDocuments(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   `t.yaml: the file is empty; write at least one rule under "rules:"`,
		"# only a comment\n":                 `t.yaml: the file is empty; write at least one rule under "rules:"`,
		"---\n":                              `t.yaml:2:1: the table is empty; accepted: a mapping with the key "rules"`,
		"[]":                                 `t.yaml:1:1: the table is a list; accepted: a mapping with the key "rules"`,
		"{}":                                 `t.yaml:1:1: rules: is missing; required: a list of rules`,
		"rules: []":                          `t.yaml:1:8: rules: is an empty list; write at least one`,
		"rules:":                             `t.yaml:1:7: rules: is empty; accepted: a list`,
		"rules: 3":                           `t.yaml:1:8: rules: is "3" (a number); accepted: a list`,
		"rules: [a]":                         `t.yaml:1:9: rules[0]: is "a"; accepted: a mapping`,
		"rules:\n- bucket: [\n":              "t.yaml:3: did not find expected node content; " + hintClose,
		oneRule("", "") + "\n---\nrules: []": `t.yaml:2:1: a second YAML document begins here; a table is one document: join the two`,
		"rules: 'a":                          "t.yaml:1: found unexpected end of stream; " + hintQuotes,
		"a: *b":                              "t.yaml:1: unknown anchor 'b' referenced; " + hintStar,
		// Rules without a bucket do not repeat each other.
		"rules:\n- targets: [{domain: a.example.com}]\n- targets: [{domain: b.example.com}]": "t.yaml:2:3: rules[0].bucket: is missing; required: the exact name of the bucket\n" +
			"t.yaml:3:3: rules[1].bucket: is missing; required: the exact name of the bucket",
	} {
		if _, err := Parse("t.yaml", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
	}
}

// faultCases has, for a line of a rule or of a target, the fault without its
// position. schema_test.go reads it too: inSchema is false where JSON Schema
// cannot say what is wrong.
var faultCases = []struct {
	rule, target string
	want         string
	inSchema     bool
}{
	{"bucket: My_Site", "", `rules[0].bucket: "My_Site" is not a valid bucket name; accepted: up to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends`, true},
	{"bucket: 2024", "", `rules[0].bucket: is "2024" (a number); write it in quotes: "2024"`, true},
	{"bucket: ~", "", `rules[0].bucket: is empty; accepted: a string`, true},
	{"prefix:", "", `rules[0].prefix: is empty; accepted: a string`, true},
	{"prefix: " + strings.Repeat("x", 1024), "", `rules[0].prefix: "` + strings.Repeat("x", 200) + `"… is longer than 1,023 bytes; no key of OSS is longer`, true},
	{"include: ['[a']", "", `rules[0].include[0]: "[a" is not a valid glob; accepted: "*", "?", "[a-z]", "{a,b}" and "**", with "\" before a character that stands for itself`, false},
	{"exclude: [a, '**.map']", "", `rules[0].exclude[1]: "**.map" has a "**" that is not a whole segment, and so would not cross "/"; write "**/*.map"`, false},
	{"exclude: []", "", `rules[0].exclude: is an empty list; write at least one, or leave the key out`, true},
	{"exclude: [a, a]", "", `rules[0].exclude[1]: "a" is given twice; leave it out`, true},
	{"exclude: '*.map'", "", `rules[0].exclude: is "*.map"; write a list: ["*.map"]`, true},
	{"events: [deleted]", "", `rules[0].events[0]: "deleted" is not one of the values; did you mean removed? accepted: created, removed, modified`, true},
	{"skip_new: yes", "", `rules[0].skip_new: is "yes"; accepted: true or false`, true},
	{"skip_new: !!bool yes", "", `rules[0].skip_new: is "yes" (tagged !!bool); accepted: true or false`, false},
	{"buckets: b", "", `rules[0]: unknown key "buckets"; did you mean bucket? accepted: bucket, prefix, include, exclude, events, skip_new, targets`, true},
	{"domain: b", "", `rules[0]: unknown key "domain"; accepted: bucket, prefix, include, exclude, events, skip_new, targets`, true},
	{"<<: {prefix: a}", "", `rules[0]: unknown key "<<"; accepted: bucket, prefix, include, exclude, events, skip_new, targets`, false},
	{"? [a]\n  : b", "", `rules[0]: a key is a list; accepted: bucket, prefix, include, exclude, events, skip_new, targets`, false},
	{"prefix: a\n  prefix: b", "", `rules[0]: the key "prefix" is given twice`, false},
	{"skip_new: true\n  bucket: b", "", `rules[0]: the key "bucket" is given twice; begin a new rule with "- "`, false},
	{"exclude: ['" + strings.Repeat("{,a}", 9) + "']", "", `rules[0].exclude[0]: "` + strings.Repeat("{,a}", 9) + `" has more than 256 combinations of the alternatives in its "{"; write several globs instead`, false},
	{"exclude: ['{" + strings.Repeat("a,", 16) + "}{" + strings.Repeat("a,", 16) + "}']", "", `rules[0].exclude[0]: "{` + strings.Repeat("a,", 16) + "}{" + strings.Repeat("a,", 16) + `}" has more than 256 combinations of the alternatives in its "{"; write several globs instead`, false},
	{"exclude: ['']", "", `rules[0].exclude[0]: "" is not a valid glob; accepted: "*", "?", "[a-z]", "{a,b}" and "**", with "\" before a character that stands for itself`, true},
	{"prefix:\n    a:", "", `rules[0].prefix: is a mapping; accepted: a string`, true},
	{"exclude: [?.js]", "", `rules[0].exclude[0]: is a mapping; write it in quotes: "?.js"`, true},
	{"include: &a [x]\n  exclude: *a", "", `rules[0].exclude: is an alias (aliases are not supported); accepted: a list`, false},
	{"prefix: !secret a", "", `rules[0].prefix: is "a" (tagged !secret); write it in quotes: "a"`, false},

	{"", "domain: '*.example.com'", `rules[0].targets[0].domain: "*.example.com" is a wildcard, which the refresh API refuses; accepted: ` + acceptedDomain, true},
	{"", "domain: https://example.com", `rules[0].targets[0].domain: "https://example.com" is a URL or has a path; write "example.com"`, true},
	{"", "domain: example.com/a", `rules[0].targets[0].domain: "example.com/a" is a URL or has a path; write "example.com"`, true},
	{"", "domain: example.com:443", `rules[0].targets[0].domain: "example.com:443" has a port; write "example.com"`, true},
	{"", "domain: me@example.com", `rules[0].targets[0].domain: "me@example.com" has user information; write "example.com"`, true},
	{"", "domain: 192.0.2.1", `rules[0].targets[0].domain: "192.0.2.1" is an IP address; accepted: ` + acceptedDomain, true},
	{"", "domain: 192.0.2.1:80", `rules[0].targets[0].domain: "192.0.2.1:80" is an IP address; accepted: ` + acceptedDomain, true},
	{"", "domain: '[2001:db8::1]'", `rules[0].targets[0].domain: "[2001:db8::1]" is an IP address; accepted: ` + acceptedDomain, true},
	{"", "domain: '[192.0.2.1]'", `rules[0].targets[0].domain: "[192.0.2.1]" is an IP address; accepted: ` + acceptedDomain, true},
	{"", "domain: a.0x7f", `rules[0].targets[0].domain: "a.0x7f" ends in a number, which browsers read as an IP address; accepted: ` + acceptedDomain, true},
	{"", "domain: www.example.123", `rules[0].targets[0].domain: "www.example.123" ends in a number, which browsers read as an IP address; accepted: ` + acceptedDomain, true},
	{"", "domain: Example.com", `rules[0].targets[0].domain: "Example.com" has letters in upper case; write "example.com"`, true},
	{"", "domain: example.com.", `rules[0].targets[0].domain: "example.com." ends in a dot; write "example.com"`, true},
	{"", "domain: a_b.example.com", `rules[0].targets[0].domain: "a_b.example.com" has an underscore, which no host name has; accepted: ` + acceptedDomain, true},
	{"", "domain: a..com", `rules[0].targets[0].domain: "a..com" has an empty label; accepted: ` + acceptedDomain, true},
	{"", "domain: ''", `rules[0].targets[0].domain: "" has an empty label; accepted: ` + acceptedDomain, true},
	{"", "domain: localhost", `rules[0].targets[0].domain: "localhost" has no dot; accepted: ` + acceptedDomain, true},
	{"", "domain: -a.com", `rules[0].targets[0].domain: "-a.com" has a label that begins or ends with a hyphen; accepted: ` + acceptedDomain, true},
	{"", "domain: a b.com", `rules[0].targets[0].domain: "a b.com" has U+0020, which no host name has; accepted: an exact host name in lower case, such as "www.example.com"`, true},
	{"", "domain: " + strings.Repeat("a", 64) + ".com", `rules[0].targets[0].domain: "` + strings.Repeat("a", 64) + `.com" has a label longer than 63 characters; accepted: ` + acceptedDomain, true},
	{"", "domain: " + strings.Repeat("a.", 126) + "com", `rules[0].targets[0].domain: "` + strings.Repeat("a.", 100) + `"… is longer than 253 characters; accepted: ` + acceptedDomain, true},
	{"", "domain: 例子.com", `rules[0].targets[0].domain: "例子.com" has letters beyond ASCII; write "例子.com" in Punycode (xn--…): ossrefresh check shows it`, true},
	{"", "product: DCDN", `rules[0].targets[0].product: "DCDN" is not one of the values; did you mean dcdn? accepted: dcdn, cdn, esa`, true},
	{"", "strip_prefix: web/", `rules[0].targets[0].strip_prefix: "web/" does not begin the prefix "www/"; write "www/", or less of it from its beginning`, false},
	{"", "product: esa", `rules[0].targets[0].site: is missing; required with product esa: ` + acceptedSite, true},
	{"", "product: esa\n      site: '7'", `rules[0].targets[0].site: is "7", which is text; write 7 without quotes`, true},
	{"", "product: esa\n      site: \" 07 \"", `rules[0].targets[0].site: is " 07 ", which is text; write 7 without quotes`, true},
	{"", "product: esa\n      site: 'seven'", `rules[0].targets[0].site: is "seven"; accepted: ` + acceptedSite, true},
	{"", "product: esa\n      site: 0123", `rules[0].targets[0].site: is "0123", which is octal to some readers of YAML; write 123`, false},
	{"", "product: esa\n      site: 089", `rules[0].targets[0].site: is "089", which is octal to some readers of YAML; write 89`, false},
	{"", "product: esa\n      site: 00", `rules[0].targets[0].site: is "00" (a number); accepted: ` + acceptedSite, true},
	{"", "product: esa\n      site: 0", `rules[0].targets[0].site: is "0" (a number); accepted: ` + acceptedSite, true},
	{"", "product: esa\n      site: 1.5", `rules[0].targets[0].site: is "1.5" (a number); accepted: ` + acceptedSite, true},
	{"", "site: 7", `rules[0].targets[0].site: has no meaning for product dcdn; it belongs to product esa`, true},
	{"", "product: cdn\n      site: 7", `rules[0].targets[0].site: has no meaning for product cdn; it belongs to product esa`, true},
	{"", "path: static/", `rules[0].targets[0].path: "static/" does not begin and end with a slash; accepted: a path such as "/" or "/static/", not percent-encoded`, true},
	{"", "path: /a//b/", `rules[0].targets[0].path: "/a//b/" has an empty segment; accepted: a path such as "/" or "/static/", not percent-encoded`, true},
	{"", "path: /../", `rules[0].targets[0].path: "/../" has a "." or ".." segment; accepted: a path such as "/" or "/static/", not percent-encoded`, true},
	{"", "path: '/a?b/'", `rules[0].targets[0].path: "/a?b/" has a query or a fragment; accepted: a path such as "/" or "/static/", not percent-encoded`, true},
	{"", "index: [docs/index.html]", `rules[0].targets[0].index[0]: "docs/index.html" is not a valid name of an index document; write "index.html", which stands for that name in every directory`, true},
	{"", "index: [..]", `rules[0].targets[0].index[0]: ".." is not a valid name of an index document; accepted: a name without a slash, such as "index.html"`, true},
	{"", "index: index.html", `rules[0].targets[0].index: is "index.html"; write a list: ["index.html"]`, true},
	{"", "domain: a.com\n      domain: b.com", `rules[0].targets[0]: the key "domain" is given twice; begin a new target with "- "`, false},
	{"", "queries: ['?v=2']", `rules[0].targets[0].queries[0]: "?v=2" begins with "?"; write "v=2"`, true},
	{"", "queries: ['v=图']", `rules[0].targets[0].queries[0]: "v=图" has a character that must be percent-encoded; write "v=%E5%9B%BE"`, true},
	{"", "queries: [\"a\\nb\"]", `rules[0].targets[0].queries[0]: "a\nb" has a character that must be percent-encoded; write "a%0Ab"`, true},
	{"", "queries: [100%]", `rules[0].targets[0].queries[0]: "100%" has a "%" without two hexadecimal digits; write "%25" for a percent sign`, true},
	{"", "queries: ['']", `rules[0].targets[0].queries[0]: "" is empty; accepted: a query string such as "v=2", percent-encoded where needed`, true},
	{"", "type: File", `rules[0].targets[0].type: "File" is not one of the values; did you mean file? accepted: file, directory, ignore_params`, true},
	{"", "spellings: any", `rules[0].targets[0].spellings: "any" is not one of the values; did you mean all? accepted: common, canonical, all`, true},
	{"", "type: directory\n      index: [i]", `rules[0].targets[0].index: has no meaning for this target's type; it belongs to type file`, true},
	{"", "type: directory\n      suffixes: ['!s']", `rules[0].targets[0].suffixes: has no meaning for this target's type; it belongs to types file and ignore_params`, true},
	{"", "type: directory\n      clean_urls: true", `rules[0].targets[0].clean_urls: has no meaning for this target's type; it belongs to type file`, true},
	{"", "type: ignore_params\n      index_without_slash: true", `rules[0].targets[0].index_without_slash: has no meaning for this target's type; it belongs to type file`, true},
	{"", "type: file\n      force: true", `rules[0].targets[0].force: has no meaning for this target's type; it belongs to types directory and ignore_params`, true},
	{"", "force: true", `rules[0].targets[0].force: has no meaning for this target's type; it belongs to types directory and ignore_params`, true},
	{"", "index_without_slash: true", `rules[0].targets[0].index_without_slash: the target has no index; set index too`, true},
	{"", "index_without_slash: 1", `rules[0].targets[0].index_without_slash: is "1" (a number); accepted: true or false`, true},
	{"", "suffixes: ['']", `rules[0].targets[0].suffixes[0]: "" is empty; ` + acceptedSuffix, true},
	{"", "suffixes: [s, s]", `rules[0].targets[0].suffixes[1]: "s" is given twice; leave it out`, true},
	{"", "suffixes: ['?x']", `rules[0].targets[0].suffixes[0]: "?x" has a query or a fragment; for a query, use queries`, true},
	{"", "suffixes: ['!%4']", `rules[0].targets[0].suffixes[0]: "!%4" has a "%" without two hexadecimal digits; write "%25" for a percent sign`, true},
	{"", "suffixes: ['! s']", `rules[0].targets[0].suffixes[0]: "! s" has a character that must be percent-encoded; write "!%20s"`, true},
	{"", "suffixes: [!!str +s]", `rules[0].targets[0].suffixes[0]: "+s" has a character that must be percent-encoded; ` + acceptedSuffix, true},
	{"", "suffixes: [/../x]", `rules[0].targets[0].suffixes[0]: "/../x" has a "." or ".." segment; ` + acceptedSuffix, true},
	{"", "suffixes: [-/%2e.]", `rules[0].targets[0].suffixes[0]: "-/%2e." has a "." or ".." segment; ` + acceptedSuffix, true},
	{"", "spellings: all\n      queries: [" + numbered(14) + "]", `rules[0].targets[0]: one key can have 225 URLs, of which 200 are the most; divide the queries or suffixes among several targets of the domain, or set spellings: canonical or common`, false},
	{"", "index: [i]\n      index_without_slash: true\n      queries: [" + numbered(11) + "]", `rules[0].targets[0]: one key can have 216 URLs, of which 200 are the most; divide the queries or suffixes among several targets of the domain, or set spellings: canonical`, false},
	{"", "type: ignore_params\n      suffixes: [" + numbered(200) + "]\n      spellings: canonical", `rules[0].targets[0]: one key can have 201 URLs, of which 200 are the most; divide the queries or suffixes among several targets of the domain`, false},
	// What people type into one value.
	{"bucket: ‘my-site’", "", `rules[0].bucket: "‘my-site’" has ‘ (U+2018), which no bucket name has; write "my-site"`, true},
	{"bucket: ｍｙ－site", "", `rules[0].bucket: "ｍｙ－site" has ｍ (U+FF4D), which no bucket name has; write "my-site"`, true},
	{"bucket: oss://my-site", "", `rules[0].bucket: "oss://my-site" is not a valid bucket name; write "my-site"`, true},
	{"bucket: my-site/www", "", `rules[0].bucket: "my-site/www" has a path; write "my-site", and the path into prefix`, true},
	{"bucket: My-Site", "", `rules[0].bucket: "My-Site" is not a valid bucket name; write "my-site"`, true},
	{"bucket: one, two", "", `rules[0].bucket: "one, two" names several buckets; write a rule for each bucket`, true},
	{"bucket: [one, two]", "", `rules[0].bucket: is a list; write a rule for each bucket`, true},
	{"bucket: ${BUCKET}", "", `rules[0].bucket: "${BUCKET}" has a variable, and the table knows no variables; write the value itself`, true},
	{"bucket: '{{ .Values.bucket }}'", "", `rules[0].bucket: "{{ .Values.bucket }}" has a variable, and the table knows no variables; write the value itself`, true},
	{"bucket: $BUCKET", "", `rules[0].bucket: "$BUCKET" has a variable, and the table knows no variables; write the value itself`, true},
	{"prefix: $(env)/", "", `rules[0].prefix: "$(env)/" has a variable, and the table knows no variables; write the value itself`, false},
	{"prefix: www/，docs/", "", `rules[0].prefix: "www/，docs/" names several prefixes; write a rule for each prefix`, false},
	{"prefix: [www/, docs/]", "", `rules[0].prefix: is a list; write a rule for each prefix`, true},
	{"exclude: ['*.map, *.txt']", "", `rules[0].exclude[0]: "*.map, *.txt" names several globs; write ["*.map", "*.txt"]; for a comma in a name write [,]`, false},
	{"exclude: ['**/*.map，a.txt']", "", `rules[0].exclude[0]: "**/*.map，a.txt" names several globs; write ["**/*.map", "a.txt"]; for a comma in a name write [,]`, false},
	{"exclude: ['*.map;*.txt']", "", `rules[0].exclude[0]: "*.map;*.txt" names several globs; write ["*.map", "*.txt"]; for a comma in a name write [,]`, false},
	{"exclude: '*.map, *.txt'", "", `rules[0].exclude: is "*.map, *.txt"; write a list: ["*.map", "*.txt"]`, true},
	{"include: ['docs**']", "", `rules[0].include[0]: "docs**" has a "**" that is not a whole segment, and so would not cross "/"; write "docs/**"`, false},
	{"include: ['img-**']", "", `rules[0].include[0]: "img-**" has a "**" that is not a whole segment, and so would not cross "/"; accepted: "**" between slashes, as in "docs/**/*.map"`, false},
	{"include: ['“tmp/**”']", "", `rules[0].include[0]: "“tmp/**”" has a "**" that is not a whole segment, and so would not cross "/"; write "tmp/**"`, false},
	{"include: ['***']", "", `rules[0].include[0]: "***" has a "**" that is not a whole segment, and so would not cross "/"; write "**/**"`, false},
	{"include: ['a**b']", "", `rules[0].include[0]: "a**b" has a "**" that is not a whole segment, and so would not cross "/"; write "a/**/*b"`, false},
	{"events: [created，removed]", "", `rules[0].events[0]: "created，removed" is not one of the values; write ["created", "removed"]`, true},
	{"events: created, removed", "", `rules[0].events: is "created, removed"; write a list: ["created", "removed"]`, true},
	{"", "domain: ‘www.example.com’", `rules[0].targets[0].domain: "‘www.example.com’" has ‘ (U+2018), which no host name has; write "www.example.com"`, true},
	{"", "domain: '\"www.example.com\"'", `rules[0].targets[0].domain: "\"www.example.com\"" has " (U+0022), which no host name has; write "www.example.com"`, true},
	{"", "domain: \"www.exam\\u200bple.com\"", `rules[0].targets[0].domain: "www.exam\u200bple.com" has U+200B, which no host name has; write "www.example.com"`, true},
	{"", "domain: \"www.example.com\\u00a0\"", `rules[0].targets[0].domain: "www.example.com\u00a0" has U+00A0, which no host name has; write "www.example.com"`, true},
	{"", "domain: www。example．com", `rules[0].targets[0].domain: "www。example．com" has 。 (U+3002), which no host name has; write "www.example.com"`, true},
	{"", "domain: ｗｗｗ.example.com", `rules[0].targets[0].domain: "ｗｗｗ.example.com" has ｗ (U+FF57), which no host name has; write "www.example.com"`, true},
	{"", "domain: www–1.example.com", `rules[0].targets[0].domain: "www–1.example.com" has – (U+2013), which no host name has; write "www-1.example.com"`, true},
	{"", "domain: ☕.example.com", `rules[0].targets[0].domain: "☕.example.com" has ☕ (U+2615), which no host name has; accepted: ` + acceptedDomain, true},
	{"", "domain: 例子。测试", `rules[0].targets[0].domain: "例子。测试" has 。 (U+3002), which no host name has; write "例子.测试" in Punycode (xn--…): ossrefresh check shows it`, true},
	{"", "domain: 例子", `rules[0].targets[0].domain: "例子" has no dot; accepted: ` + acceptedDomain, true},
	{"", "domain: 例子..测试", `rules[0].targets[0].domain: "例子..测试" has an empty label; accepted: ` + acceptedDomain, true},
	{"", "domain: a_b.例子.测试", `rules[0].targets[0].domain: "a_b.例子.测试" has an underscore, which no host name has; accepted: ` + acceptedDomain, true},
	{"", "domain: a.example.com，b.example.com", `rules[0].targets[0].domain: "a.example.com，b.example.com" names several domains; write a target for each domain`, true},
	{"", "domain: a.example.com b.example.com", `rules[0].targets[0].domain: "a.example.com b.example.com" names several domains; write a target for each domain`, true},
	{"", "domain: [a.example.com, b.example.com]", `rules[0].targets[0].domain: is a list; write a target for each domain`, true},
	{"", "domain: ${DOMAIN}", `rules[0].targets[0].domain: "${DOMAIN}" has a variable, and the table knows no variables; write the value itself`, true},
	{"", "path: /${VERSION}/", `rules[0].targets[0].path: "/${VERSION}/" has a variable, and the table knows no variables; write the value itself`, false},
	{"", "index: [index.html，index.htm]", `rules[0].targets[0].index[0]: "index.html，index.htm" names several index documents; write ["index.html", "index.htm"]`, false},
	{"", "index: [首页，目录]", `rules[0].targets[0].index[0]: "首页，目录" names several index documents; write ["首页", "目录"]`, false},
	{"", "index: ['index.html,index.htm']", `rules[0].targets[0].index[0]: "index.html,index.htm" names several index documents; write ["index.html", "index.htm"]`, false},
	{"", "index: index.html、index.htm", `rules[0].targets[0].index: is "index.html、index.htm"; write a list: ["index.html", "index.htm"]`, true},
	{"", "queries: ['v=图,w=1']", `rules[0].targets[0].queries[0]: "v=图,w=1" has a character that must be percent-encoded; write "v=%E5%9B%BE,w=1"`, true},
	{"", "queries: ['图, 1']", `rules[0].targets[0].queries[0]: "图, 1" has a character that must be percent-encoded; write "%E5%9B%BE,%201"`, true},
	{"", "queries: ['v=1, v=2']", `rules[0].targets[0].queries[0]: "v=1, v=2" names several queries; write ["v=1", "v=2"]`, true},
	{"", "suffixes: ['!small,!large']", `rules[0].targets[0].suffixes[0]: "!small,!large" names several suffixes; write ["!small", "!large"]`, false},
	{"", "strip_prefix: www", `rules[0].targets[0].strip_prefix: "www" leaves "//" in every URL; write "www/"`, false},
	{"", "type: folder", `rules[0].targets[0].type: "folder" is not one of the values; did you mean directory? accepted: file, directory, ignore_params`, true},
	{"", "type: directory\n      queries: [v]", `rules[0].targets[0].queries: has no meaning for this target's type; it belongs to types file and ignore_params`, true},
}

const acceptedSuffix = `accepted: a delimiter and an image style such as "!small", percent-encoded where needed`

// numbered is a YAML list's content: 'v1', 'v2' and so on.
func numbered(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("'v%d'", i+1))
	}
	return strings.Join(all, ", ")
}

// faultyTable is a table that is right but for a line of its rule or target.
func faultyTable(rule, target string) string {
	lines := []string{"rules:", "- bucket: my-site", "  prefix: www/", "  targets:", "    - domain: example.com"}
	for at, line := range map[int]string{1: rule, 4: target} {
		key, _, _ := strings.Cut(line, ":")
		lead := "- "
		if at == 4 {
			lead = "    - "
		}
		switch {
		case line == "":
		case key == "bucket" || at == 4 && key == "domain":
			lines[at] = lead + line
		case key == "prefix":
			lines[2] = "  " + line
		default:
			lines[at] += "\n" + strings.Repeat(" ", len(lead)) + line
		}
	}
	return strings.Join(lines, "\n")
}

func TestFaults(t *testing.T) {
	for _, tt := range faultCases {
		_, err := Parse("t.yaml", []byte(faultyTable(tt.rule, tt.target)))
		var faults Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s%s: got %v, want Faults", tt.rule, tt.target, err)
			continue
		}
		f := faults[0]
		if f.File != "t.yaml" || f.Line < 2 || f.Column < 3 || len(faults) != 1 {
			t.Errorf("%s%s: %d faults, the first at %s:%d:%d", tt.rule, tt.target, len(faults), f.File, f.Line, f.Column)
		}
		f.File, f.Line, f.Column = "", 0, 0
		if got := strings.TrimPrefix(f.Error(), ": "); got != tt.want {
			t.Errorf("%s%s\n got %s\nwant %s", tt.rule, tt.target, got, tt.want)
		}
	}
}

// Of one value, or of two that do not fit, one thing is said.
func TestFaultsOfValues(t *testing.T) {
	for text, want := range map[string]string{
		oneRule("prefix: w/", "queries: [?v=1]"):   `t:1:60: rules[0].targets[0].queries[0]: "?v=1" begins with "?"; write "v=1"`,
		oneRule("", "queries: ['?']"):              `t:1:48: rules[0].targets[0].queries[0]: "?" is empty; accepted: a query string such as "v=2", percent-encoded where needed`,
		oneRule("", "strip_prefix: w/"):            `t:1:52: rules[0].targets[0].strip_prefix: the rule has no prefix; set prefix: "w/" too`,
		oneRule("", "strip_prefix: /w"):            `t:1:52: rules[0].targets[0].strip_prefix: the rule has no prefix; set prefix: "/w" too`,
		oneRule("prefix: w/", "strip_prefix: /w/"): `t:1:64: rules[0].targets[0].strip_prefix: "/w/" does not begin the prefix "w/"; write "w/"`,
		oneRule("prefix: w", "strip_prefix: w/"):   `t:1:63: rules[0].targets[0].strip_prefix: "w/" is longer than the prefix "w"; set prefix: "w/" too`,
	} {
		if _, err := Parse("t", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

// A table full of faults costs no more than the first thousand.
func TestManyFaults(t *testing.T) {
	for n, want := range map[int]int{5: 5, 999: 999, 1000: 1000, 50_000: 1000} {
		_, err := Parse("t", []byte("rules: ["+strings.Repeat("a,", n)+"]"))
		var faults Faults
		if !errors.As(err, &faults) || len(faults) != want {
			t.Fatalf("%d faults: got %d, want %d", n, len(faults), want)
		}
		if last := faults[want-1].Error(); (last == "t: there are more faults; mend these first") != (want == 1000) {
			t.Errorf("%d faults: the last is %q", n, last)
		}
		lines := strings.Split(err.Error(), "\n")
		more := fmt.Sprintf("… and %d more: run ossrefresh check", want-20)
		if len(lines) != min(want, 21) || want > 20 && lines[20] != more {
			t.Errorf("%d faults: %d lines, the last is %q", n, len(lines), lines[len(lines)-1])
		}
	}
}

func TestFaultsOfNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"fold: -1":                             `t:3:9: refresh.fold: is "-1" (a number); accepted: a whole number from 0 to 10000`,
		"limits: {urls_per_request: 1001}":     `t:3:30: refresh.limits.urls_per_request: is "1001" (a number); accepted: a whole number from 1 to 1000`,
		"limits: {urls_per_domain: 0}":         `t:3:29: refresh.limits.urls_per_domain: is "0" (a number); accepted: a whole number from 1 to 1000`,
		"limits: {domains_per_request: -1}":    `t:3:33: refresh.limits.domains_per_request: is "-1" (a number); accepted: a whole number from 1 to 10`,
		"limits: {directories_per_request: x}": `t:3:37: refresh.limits.directories_per_request: is "x"; accepted: a whole number from 1 to 100`,
		"limits: {request_bytes: 1.5e4}":       `t:3:27: refresh.limits.request_bytes: is "1.5e4" (a number); accepted: a whole number from 1024 to 1048576`,
		"calls_per_second: {dcdn: 31}":         `t:3:28: refresh.calls_per_second.dcdn: is "31" (a number); accepted: a whole number from 1 to 30`,
		"calls_per_second: {esa: 101}":         `t:3:27: refresh.calls_per_second.esa: is "101" (a number); accepted: a whole number from 1 to 100`,
		"limits: {esa: {urls_per_domain: 9}}":  `t:3:18: refresh.limits.esa: unknown key "urls_per_domain"; accepted: urls_per_request, domains_per_request, directories_per_request, ignore_params_per_request, request_bytes`,
		"limits: {esa: {urls_per_request: 0}}": `t:3:36: refresh.limits.esa.urls_per_request: is "0" (a number); accepted: a whole number from 1 to 1000`,
		"calls_per_second: {cdn: '9'}":         `t:3:27: refresh.calls_per_second.cdn: is "9"; accepted: a whole number from 1 to 50`,
		"on_quota_exceeded: stop":              `t:3:22: refresh.on_quota_exceeded: "stop" is not one of the values; accepted: fail, directory`,
	} {
		if _, err := Parse("t", []byte(oneRule("", "")+"\nrefresh:\n  "+text)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

// Every fault is reported at once, in the order of the file.
func TestFaultsAtOnce(t *testing.T) {
	_, err := Parse("t.yaml", []byte(`rules:
- buket: my-site
  prefix: 7
  events: [created, deleted]
  targets:
    - domain: '*.example.com'
      path: static
      strip_prefix: web/
      type: directory
      index: [index.html]
- bucket: my-site
  exclude: ['[']
  targets:
    - product: cdn
- bucket: my-site
  targets: [{domain: example.com}]
refresh: {limits: {urls_per_domain: 5000}}
rules: []
`))
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want Faults", err)
	}
	var got []string
	for line := range strings.Lines(faults.Error()) {
		got = append(got, strings.Join(strings.Fields(line)[:2], " "))
	}
	want := []string{
		"t.yaml:2:3: rules[0]:",
		"t.yaml:3:11: rules[0].prefix:",
		"t.yaml:4:21: rules[0].events[1]:",
		"t.yaml:6:15: rules[0].targets[0].domain:",
		"t.yaml:7:13: rules[0].targets[0].path:",
		"t.yaml:10:14: rules[0].targets[0].index:",
		"t.yaml:12:13: rules[1].exclude[0]:",
		"t.yaml:14:7: rules[1].targets[0].domain:",
		"t.yaml:15:3: rules[2]:",
		"t.yaml:17:37: refresh.limits.urls_per_domain:",
		`t.yaml:18:1: the`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("faults (-want +got):\n%s", d)
	}
	if want := `bucket "my-site" and prefix "" are those of the rule on line 11`; faults[8].Message != want {
		t.Errorf("got %s, want %s", faults[8].Message, want)
	}
}

// A rule that is there three times is faulted twice, in the order of the file.
func TestRulesThatRepeat(t *testing.T) {
	rule := func(bucket, prefix string) string {
		return fmt.Sprintf("- {bucket: %s, prefix: %s, targets: [{domain: example.com}]}\n", bucket, prefix)
	}
	_, err := Parse("t", []byte("rules:\n"+rule("two", "b/")+rule("one", "a/")+rule("one", "a")+rule("one", "a/")+rule("two", "b/")+rule("one", "a/")))
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("got %v, want Faults", err)
	}
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%d: %s: %s; %s", f.Line, f.Path, f.Message, f.Hint))
	}
	want := []string{
		`5: rules[3]: bucket "one" and prefix "a/" are those of the rule on line 3; join the two`,
		`6: rules[4]: bucket "two" and prefix "b/" are those of the rule on line 2; join the two`,
		`7: rules[5]: bucket "one" and prefix "a/" are those of the rule on line 5; join the two`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("faults (-want +got):\n%s", d)
	}
}

func FuzzParse(f *testing.F) {
	shipped, err := os.ReadFile("mapping.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shipped)
	for _, tt := range faultCases {
		f.Add([]byte(faultyTable(tt.rule, tt.target)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := Parse("t", data)
		if err == nil {
			if len(table.Rules) == 0 || slices.ContainsFunc(table.Rules, func(r Rule) bool { return len(r.Targets) == 0 || r.Line < 1 }) {
				t.Errorf("a table without rules, or a rule without targets or line: %+v", table.Rules)
			}
			return
		}
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("got %#v, want Faults", err)
		}
		for _, f := range faults {
			if f.Message == "" || f.Path != "" && (f.Line < 1 || f.Column < 1) || strings.Contains(f.Error(), "\n") {
				t.Errorf("fault without a message or a position, or of two lines: %#v", f)
			}
		}
	})
}

// BenchmarkParse has the YAML library's parse alone beside it.
func BenchmarkParse(b *testing.B) {
	shipped, err := os.ReadFile("mapping.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []struct {
		name string
		data []byte
	}{{"shipped", shipped}, {"rules=1000", manyRules(1000, 4, false)}, {"rules=10000", manyRules(10_000, 4, false)}} {
		b.Run(size.name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse("t", size.data); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(size.name+"/library", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var n yaml.Node
				if err := yaml.Unmarshal(size.data, &n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A name that is two letters away is near, and no further one.
func TestNearest(t *testing.T) {
	all := []string{"bucket", "prefix", "ab"}
	for s, want := range map[string]string{
		"bucket": "bucket", "buckt": "bucket", "bukcet": "bucket", "bucketss": "bucket", "ket": "",
		"bucketsss": "", "cket": "bucket", "perfix": "prefix", "prefixed": "prefix", "xy": "", "b": "ab", "": "",
	} {
		if got := Nearest(s, all); got != want {
			t.Errorf("Nearest(%q) is %q, want %q", s, got, want)
		}
	}
}

func TestFaultsShowTwenty(t *testing.T) {
	for n, want := range map[int]string{20: "t:20: m", 21: "… and 1 more: run ossrefresh check"} {
		var faults Faults
		for i := range n {
			faults = append(faults, Fault{File: "t", Line: i + 1, Message: "m"})
		}
		lines := strings.Split(faults.Error(), "\n")
		if last := lines[len(lines)-1]; last != want {
			t.Errorf("of %d faults the last line is %q, want %q", n, last, want)
		}
	}
}
