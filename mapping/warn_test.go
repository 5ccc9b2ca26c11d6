package mapping

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// warningsOf returns the warnings of a table without its file and their positions.
func warningsOf(t *testing.T, text string) []string {
	t.Helper()
	_, warnings, err := checkText("t.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	all := []string{}
	for _, w := range warnings {
		if w.Line < 1 || w.Column < 1 {
			t.Errorf("%v has no position", w)
		}
		all = append(all, fmt.Sprintf("%s: %s; %s", strings.TrimPrefix(w.Path, "rules[0]."), w.Message, w.Hint))
	}
	return all
}

// Of one line of a rule or of its target, the warning; and for each that is fine,
// none.
func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ rule, target, want string }{
		{"include: ['/docs/**']", "", `include[0]: "/docs/**" begins with a slash, as keys do not; write "docs/**"`},
		{"prefix: www/\n  exclude: ['/www/a/*']", "strip_prefix: www/", `exclude[0]: "/www/a/*" begins with a slash, as keys do not; write "a/*"`},
		{"exclude: ['./tmp/**']", "", `exclude[0]: "./tmp/**" begins with "./", as keys do not; write "tmp/**"`},
		{"exclude: ['https://example.com/tmp/**']", "", `exclude[0]: "https://example.com/tmp/**" is a URL, and globs are of keys; write "tmp/**"`},
		{"exclude: ['tmp//*.txt']", "", `exclude[0]: "tmp//*.txt" has "//", as keys seldom have; write "tmp/*.txt"`},
		{`exclude: ['tmp\a\*.txt']`, "", `exclude[0]: "tmp\\a\\*.txt" has a backslash, which only makes the character after it stand for itself; write "tmp/a/*.txt"`},
		{"exclude: ['private/']", "", `exclude[0]: "private/" ends in a slash, and so matches no file; write "private/**"`},
		{"include: ['**/public/']", "", `include[0]: "**/public/" ends in a slash, and so matches no file; write "**/public/**"`},
		{"exclude: ['a/{b,c}/']", "", `exclude[0]: "a/{b,c}/" ends in a slash, and so matches no file; write "a/{b,c}/**"`},
		{"prefix: www/\n  exclude: [www/private/**]", "strip_prefix: www/", `exclude[0]: "www/private/**" repeats the rule's prefix, and globs are of the key after it; write "private/**"`},
		{"prefix: www/\n  include: [www/]", "strip_prefix: www/", `include[0]: "www/" repeats the rule's prefix, and globs are of the key after it; write "**"`},
		{"prefix: www/\n  exclude: [www/**]", "strip_prefix: www/", `exclude[0]: "www/**" repeats the rule's prefix, and globs are of the key after it; leave it out: a rule that excludes every key is for none`},
		{"exclude: ['/']", "", `exclude[0]: "/" begins with a slash, as keys do not; leave it out: a rule that excludes every key is for none`},
		{"prefix: a/b/\n  exclude: ['a/b/*/c']", "strip_prefix: a/b/", `exclude[0]: "a/b/*/c" repeats the rule's prefix, and globs are of the key after it; write "*/c"`},
		{"exclude: ['*.map']", "", `exclude[0]: "*.map" matches only directly below the prefix, not in folders; write "**/*.map", or "{*.map}" if it is meant`},
		{"exclude: ['{*.map,*.txt}']", "", `exclude[0]: "{*.map,*.txt}" matches only directly below the prefix, not in folders; write "**/{*.map,*.txt}"`},
		{"exclude: ['[ab]*']", "", `exclude[0]: "[ab]*" matches only directly below the prefix, not in folders; write "**/[ab]*", or "{[ab]*}" if it is meant`},
		{"exclude: ['\\[*']", "", `exclude[0]: "\\[*" matches only directly below the prefix, not in folders; write "**/\\[*", or "{\\[*}" if it is meant`},
		{"exclude: ['.*']", "", `exclude[0]: ".*" matches only directly below the prefix, not in folders; write "**/.*", or "{.*}" if it is meant`},
		{"include: ['*']", "", `include[0]: "*" matches only directly below the prefix, not in folders; write "**", or "{*}" if it is meant`},
		{"exclude: ['%E5%9B%BE/**']", "", `exclude[0]: "%E5%9B%BE/**" is percent-encoded, and the table has keys and paths raw; write "图/**"`},
		{"exclude: ['“tmp/*”']", "", `exclude[0]: "“tmp/*”" has “ (U+201C) before, behind or in it; write "tmp/*"`},
		{"exclude: ['**']", "", `targets[0]: no key was found that this target refreshes; look at include and exclude`},

		{"prefix: /www/", "strip_prefix: /www/", `prefix: "/www/" begins with a slash, as no key of OSS does; write "www/", unless S3 has such keys here`},
		{"prefix: www/*", "", `prefix: "www/*" has a *, which stands for itself in a prefix; write "www/"`},
		{"prefix: www/img-*.png", "strip_prefix: www/", `prefix: "www/img-*.png" has a *, which stands for itself in a prefix; write prefix: "www/" and include: ["img-*.png"]`},
		{"prefix: '**/img/'", "", `prefix: "**/img/" has a *, which stands for itself in a prefix; write prefix: "" and include: ["**/img/**"]`},
		{"prefix: a/*.png\n  include: ['**']", "", `prefix: "a/*.png" has a *, which stands for itself in a prefix; write "a/"`},
		{"prefix: oss://my-site/www/", "", `prefix: "oss://my-site/www/" is a URL, and keys are not; write "www/"`},
		{"prefix: my-site/www/", "", `prefix: "my-site/www/" begins with the bucket's name, as keys seldom do; write "www/"`},
		{"prefix: ./www/", "", `prefix: "./www/" has a "." or ".." segment; write "www/"`},
		{"prefix: www//a/", "", `prefix: "www//a/" has "//", as keys seldom have; write "www/a/"`},
		{`prefix: www\a\`, "", `prefix: "www\\a\\" has a backslash, and folders in keys end in a slash; write "www/a/"`},
		{"prefix: '%E5%9B%BE/'", "strip_prefix: ''", `prefix: "%E5%9B%BE/" is percent-encoded, and the table has keys and paths raw; write "图/"`},
		{"prefix: a%20b/", "strip_prefix: ''", `prefix: "a%20b/" is percent-encoded, and the table has keys and paths raw; write "a b/"`},
		{"prefix: \"www/\\u200b\"", "strip_prefix: ''", `prefix: "www/\u200b" has U+200B before, behind or in it; write "www/"`},
		{"prefix: ' www/'", "strip_prefix: ''", `prefix: " www/" has U+0020 before, behind or in it; write "www/"`},

		{"bucket: my-site.oss-cn-hangzhou.aliyuncs.com", "", `bucket: "my-site.oss-cn-hangzhou.aliyuncs.com" is a bucket's endpoint, not its name; write "my-site"`},
		{"bucket: my-site.oss-cn-hangzhou-internal.aliyuncs.com", "", `bucket: "my-site.oss-cn-hangzhou-internal.aliyuncs.com" is a bucket's endpoint, not its name; write "my-site"`},
		{"bucket: my-site.oss-accelerate.aliyuncs.com", "", `bucket: "my-site.oss-accelerate.aliyuncs.com" is a bucket's endpoint, not its name; write "my-site"`},
		{"bucket: my.site.s3.eu-west-1.amazonaws.com", "", `bucket: "my.site.s3.eu-west-1.amazonaws.com" is a bucket's endpoint, not its name; write "my.site"`},
		{"bucket: oss-cn-hangzhou.aliyuncs.com", "", `bucket: "oss-cn-hangzhou.aliyuncs.com" is an endpoint, not the name of a bucket; write the bucket's name`},
		{"", "domain: my-site.oss-cn-hangzhou.aliyuncs.com", `targets[0].domain: "my-site.oss-cn-hangzhou.aliyuncs.com" is a bucket's endpoint, which no CDN serves; write the domain that visitors ask for`},
		{"", "domain: my-site.s3.amazonaws.com", `targets[0].domain: "my-site.s3.amazonaws.com" is a bucket's endpoint, which no CDN serves; write the domain that visitors ask for`},
		{"", "domain: oss-cn-beijing.aliyuncs.com", `targets[0].domain: "oss-cn-beijing.aliyuncs.com" is a bucket's endpoint, which no CDN serves; write the domain that visitors ask for`},
		{"", "domain: www.example.com.w.kunlunsl.com", `targets[0].domain: "www.example.com.w.kunlunsl.com" is the CNAME of a domain; write "www.example.com"`},
		{"", "domain: www.example.com.w.cdngslb.com", `targets[0].domain: "www.example.com.w.cdngslb.com" is the CNAME of a domain; write "www.example.com"`},
		{"", "domain: www.example.com.w.alikunlun.com", `targets[0].domain: "www.example.com.w.alikunlun.com" is the CNAME of a domain; write "www.example.com"`},
		{"", "domain: all.kunlunca.com", `targets[0].domain: "all.kunlunca.com" is the CNAME of a domain; write the domain that visitors ask for`},
		{"", "path: /%E5%9B%BE/", `targets[0].path: "/%E5%9B%BE/" is percent-encoded, and the table has keys and paths raw; write "/图/"`},
		{"", "path: /a%20b/", `targets[0].path: "/a%20b/" is percent-encoded, and the table has keys and paths raw; write "/a b/"`},
		{"", "path: /100%25/", `targets[0].path: "/100%25/" is percent-encoded, and the table has keys and paths raw; write "/100%/"`},
		{"", "index: ['%E9%A6%96%E9%A1%B5.html']", `targets[0].index[0]: "%E9%A6%96%E9%A1%B5.html" is percent-encoded, and the table has keys and paths raw; write "首页.html"`},
		{"", "index: ['“index.html”']", `targets[0].index[0]: "“index.html”" has “ (U+201C) before, behind or in it; write "index.html"`},
		{"", "index: ['*.html']", `targets[0].index[0]: "*.html" is a glob, and index has exact names; write "index.html"`},
		{"", "suffixes: ['!small', thumb]", `targets[0].suffixes[1]: "thumb" has no delimiter: photo.jpg would become photo.jpgthumb; write "!thumb"`},
		{"", "type: directory\n      spellings: common", `targets[0].type: a change of a file at the root refreshes the whole domain: https://example.com/; write type: file, or include: ["*/**/*"] to leave out the files at the root`},
		{"prefix: www/", "strip_prefix: www/\n      type: directory\n      spellings: common", `targets[0].type: a change of a file at the root refreshes the whole domain: https://example.com/; write type: file, or include: ["*/**/*"] to leave out the files at the root`},
		{"prefix: www/", "", `targets[0]: the prefix "www/" stays in the URL: https://example.com/www/…; set strip_prefix, or strip_prefix: "" if it is meant`},
		{"prefix: www", "strip_prefix: www", `targets[0].strip_prefix: "www" is not a whole folder: "www/index.html" gives a URL with "//"; write prefix: "www/" and strip_prefix: "www/"`},
		{"prefix: www/blog/", "strip_prefix: www/bl", `targets[0].strip_prefix: "www/bl" cuts a name of the prefix "www/blog/" in two; write "www/"`},
		{"", "type: ignore_params", `targets[0]: with spellings: common, a name such as "photos (1)@图.jpg" takes 4 of the 100 URLs of type IgnoreParams a day; set spellings: canonical, or spellings: common if it is meant`},
		{"", "type: ignore_params\n      suffixes: ['!s']\n      spellings: all", `targets[0]: with spellings: all, a name such as "photos (1)@图.jpg" takes 20 of the 100 URLs of type IgnoreParams a day; set spellings: canonical or common`},
		{"include: ['*/**/*']", "type: directory", `targets[0]: with spellings: common, a name such as "photos (1)@图/" takes 4 of the 100 URLs of type Directory a day; set spellings: canonical, or spellings: common if it is meant`},
		{"include: ['*/**/*']", "type: directory\n      spellings: canonical\n      force: true", `targets[0].force: force makes the origin send everything below the object's directory again, even where nothing has changed; leave force out where files are large or many`},
		{"", "type: ignore_params\n      spellings: canonical\n      force: true", `targets[0].force: force makes the origin send every variant of the object that is asked for again, even where nothing has changed; leave force out where files are large or many`},

		{"", "", ""},
		{"exclude: ['*']", "", ""},
		{"prefix: img-", "strip_prefix: img-", ""},
		{"prefix: www/", "strip_prefix: ''", ""},
		{"prefix: a/~b/", "strip_prefix: ''", ""},
		{"exclude: ['a~，b~', '$']", "", ""},
		{"exclude: [$RECYCLE.BIN, '**/a${1,2}', '{{a,b},c}', '$(a b)', '**/${}']", "", ""},
		{"prefix: www/blog/", "strip_prefix: www/", ""},
		{"exclude: ['{*.map}', '**/.*', 'docs/*', robots.txt, '[*]', 'a\\[b', '100%', 'a%b']", "", ""},
		{"prefix: www\n  exclude: [/docs/**]", "strip_prefix: ''", ""},
		{"bucket: my.site.example.com", "", ""},
		{"", "domain: kunlun.example.com\n      path: /100%/", ""},
		{"", "domain: www.kunlun.org\n      spellings: all", ""},
		{"", "suffixes: [-a, _b, /c, '!D', '@!e', .webp]", ""},
		{"", "queries: ['~']\n      suffixes: ['~a,~b']", ""},
		{"", "path: /app/\n      type: directory\n      spellings: common", ""},
		{"include: ['*/**/*']", "type: directory\n      spellings: common", ""},
		{"prefix: www/", "strip_prefix: ''\n      type: directory\n      spellings: common", ""},
		{"", "type: ignore_params\n      spellings: common", ""},
		{"", "type: ignore_params\n      spellings: canonical\n      force: false", ""},
	} {
		want := []string{tt.want}
		if tt.want == "" {
			want = []string{}
		}
		if got := warningsOf(t, rightTable(tt.rule, tt.target)); !slices.Equal(got, want) {
			t.Errorf("%s | %s\n got %s\nwant %s", tt.rule, tt.target, strings.Join(got, "\n     "), tt.want)
		}
	}
	data, err := os.ReadFile("testdata/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if w := warningsOf(t, string(data)); len(w) > 0 {
		t.Errorf("the shipped table: %q", w)
	}
}

// rightTable is a table without prefix, with lines of its rule or target.
func rightTable(rule, target string) string {
	text := faultyTable(rule, target)
	if !strings.Contains(rule, "prefix:") {
		text = strings.Replace(text, "\n  prefix: www/", "", 1)
	}
	return text
}

// Of two rules of a bucket, the one with the longer prefix takes its keys from the
// targets of the other.
func TestTakenKeys(t *testing.T) {
	const warning = `rules[1].prefix: keys that begin with "www/" are no longer refreshed at %s, which the rule on line 2 has; %s`
	const one, several = "add a target for it, if it shows them", "add targets for those that show them"
	const meant = `; if not, write exclude: ["www/**"] in the rule on line 2`
	for _, tt := range []struct{ shorter, longer, want string }{
		{"targets: [{domain: dl.example.com}]", "", fmt.Sprintf(warning, "dl.example.com", one+meant)},
		{"targets: [{domain: www.example.com}, {domain: dl.example.com, path: /a/}, {domain: dl.example.com}, {domain: b.example.com}]", "", fmt.Sprintf(warning, "dl.example.com, b.example.com", several+meant)},
		{"targets: [{domain: www.example.com, product: cdn}]", "", fmt.Sprintf(warning, "www.example.com", one+meant)},
		{"targets: [{domain: dl.example.com}]", "include: ['**/*.html'], ", fmt.Sprintf(warning, "dl.example.com", one+meant)},
		{"exclude: ['www/private/**'], targets: [{domain: dl.example.com}]", "", fmt.Sprintf(warning, "dl.example.com", one+meant)},
		{"prefix: w, targets: [{domain: dl.example.com}]", "", fmt.Sprintf(warning, "dl.example.com", one+`; if not, write exclude: ["ww/**"] in the rule on line 2`)},
		{"targets: [{domain: a.org}, {domain: b.org}, {domain: c.org}, {domain: d.org}, {domain: e.org}]", "", fmt.Sprintf(warning, "a.org, b.org, c.org and 2 more", several+meant)},
		{"exclude: ['www/**'], targets: [{domain: dl.example.com}]", "", ""},
		{"include: ['docs/**'], targets: [{domain: dl.example.com}]", "", ""},
		{"include: ['**/*.html'], targets: [{domain: dl.example.com}]", "include: ['**/*.css'], ", ""},
		{"prefix: img/, targets: [{domain: dl.example.com, strip_prefix: img/}]", "", ""},
		{"targets: [{domain: www.example.com}]", "", ""},
	} {
		text := "rules:\n  - {bucket: b, " + strings.Replace(tt.shorter, "domain: dl.example.com}]", "domain: dl.example.com, strip_prefix: ''}]", 1) + "}\n" +
			"  - {bucket: b, prefix: www/, " + tt.longer + "targets: [{domain: www.example.com, strip_prefix: www/}]}\n"
		want := []string{}
		if tt.want != "" {
			want = append(want, tt.want)
		}
		if got := warningsOf(t, text); !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", text, got, want)
		}
	}
}

// Each warning stands at its own line.
func TestWarningsAtTheirLines(t *testing.T) {
	_, warnings, err := checkText("t.yaml", []byte(`rules:
  - bucket: b
    prefix: www/
    exclude:
      - '**/.*'
      - 'www/a/**'
    targets:
      - domain: a.example.com
        strip_prefix: www/
        index:
          - 'a%20b'
      - {domain: b.example.com,
         path: /%41/}
`))
	want := []string{"t.yaml:6:9", "t.yaml:11:13", "t.yaml:12:9", "t.yaml:13:16"}
	var got []string
	for _, w := range warnings {
		got = append(got, fmt.Sprintf("%s:%d:%d", w.File, w.Line, w.Column))
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// The sample of a rule is the key that a mistake hits.
func TestSampleShowsTheMistake(t *testing.T) {
	for _, tt := range []struct{ rule, target, want string }{
		{"", "", "docs/photo (1).jpg"},
		{"exclude: ['*.map']", "", "docs/name.map"},
		{"exclude: ['{*.map,*.txt}']", "", "docs/name.map"},
		{"exclude: ['{*.map}']", "", "docs/photo (1).jpg"},
		{"exclude: ['private/']", "", "private/docs/photo.jpg"},
		{"exclude: ['/private/**']", "", "private/docs/photo.jpg"},
		{"prefix: www/\n  exclude: ['www/private/*']", "strip_prefix: www/", "www/private/name"},
		{"prefix: www/\n  exclude: [www/]", "strip_prefix: www/", "www/docs/photo (1).jpg"},
		{"prefix: www", "strip_prefix: www", "www/docs/index.html"},
		{"prefix: img-", "strip_prefix: img-", "img-/docs/index.html"},
		{"prefix: '~'", "strip_prefix: ''", "~/docs/index.html"},
		{"include: ['/docs/**']", "", ""},
		{"prefix: /www/", "strip_prefix: /www/", "/www/docs/photo (1).jpg"},
	} {
		table := parse(t, rightTable(tt.rule, tt.target))
		key, urls := table.Sample(&table.Rules[0], &table.Rules[0].Targets[0])
		if key != tt.want || (len(urls) == 0) != (key == "") {
			t.Errorf("%s | %s: got %q and %q, want %q", tt.rule, tt.target, key, urls, tt.want)
		}
	}
}

// Of lines that YAML reads as something else than they look: the faults, and none
// beside them.
func TestMistypedLines(t *testing.T) {
	table := "rules:\n  - bucket: my-site\n    prefix: www/\n    targets:\n      - domain: www.example.com\n        strip_prefix: www/\n"
	for _, tt := range []struct{ old, new, want string }{
		{"bucket: ", "bucket:", "t:2:5: there is no blank after the colon of bucket; write \"bucket: my-site\""},
		{"prefix: w", "prefix:w", "t:3:5: there is no blank after the colon of prefix; write \"prefix: www/\""},
		{"domain: ", "domain:", "t:5:9: there is no blank after the colon of domain; write \"domain: www.example.com\""},
		{": ", ":", "t:2:5: there is no blank after the colon of bucket; write \"bucket: my-site\"\nt:3:5: there is no blank after the colon of prefix; write \"prefix: www/\"\nt:5:9: there is no blank after the colon of domain; write \"domain: www.example.com\"\nt:6:9: there is no blank after the colon of strip_prefix; write \"strip_prefix: www/\""},
		{"rules:", "rules：", "t:1:1: the colon after rules is ： (U+FF1A); write \"rules:\""},
		{"bucket: ", "bucket：", "t:2:5: the colon after bucket is ： (U+FF1A); write \"bucket: my-site\""},
		{"targets:", "targets：", "t:4:5: the colon after targets is ： (U+FF1A); write \"targets:\""},
		{"domain: ", "domain﹕ ", "t:5:9: the colon after domain is ﹕ (U+FE55); write \"domain: www.example.com\""},
		{"bucket: ", "bucket:\u3000", "t:2:5: the blank after bucket: is U+3000; write \"bucket: my-site\""},
		{"    prefix", "\u3000\u3000prefix", "t:3:1: prefix is indented with U+3000; write \"prefix: www/\""},
		{"    prefix", "    \u00a0prefix", "t:3:5: prefix is indented with U+00A0; write \"prefix: www/\""},
		{"    targets", "\u2003\u2003targets", "t:4:1: targets is indented with U+2003; write \"targets:\""},
		{"- bucket", "－ bucket", "t:2:3: an item of a list begins with － (U+FF0D); write \"- \""},
		{"- domain", "– domain", "t:5:7: an item of a list begins with – (U+2013); write \"- \""},
	} {
		n := 1
		if tt.old == ": " {
			n = -1
		}
		_, err := Parse("t", []byte(strings.Replace(table, tt.old, tt.new, n)))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q for %q\n got %v\nwant %s", tt.new, tt.old, err, tt.want)
		}
	}
	for text, want := range map[string]string{
		"{bucket:b, prefix:www/, targets: [{domain: www.example.com, strip_prefix: www/}]}": "t:1:10: rules[0]: there is no blank after the colon of bucket; write \"bucket: b\"\nt:1:20: rules[0]: there is no blank after the colon of prefix; write \"prefix: www/\"",
		"{bucket：b, targets: [{domain: www.example.com}]}":                                  "t:1:10: rules[0]: the colon after bucket is ： (U+FF1A); write \"bucket: b\"",
		"{bucket: b, skip_new:true, targets: [{domain: www.example.com}]}":                  "t:1:21: rules[0]: there is no blank after the colon of skip_new; write \"skip_new: true\"",
		"{bucket: b, \u00a0targets: [{domain: www.example.com}]}":                           "t:1:21: rules[0]: targets is indented with U+00A0; write \"targets:\"",
		"{bukcet: b, prefx: w/, targets: [{domain: www.example.com, strip_prefix: w/}]}": "t:1:10: rules[0]: unknown key \"bukcet\"; did you mean bucket? accepted: " + strings.Join(names(ruleFields), ", ") +
			"\nt:1:21: rules[0]: unknown key \"prefx\"; did you mean prefix? accepted: " + strings.Join(names(ruleFields), ", "),
	} {
		if _, err := Parse("t", []byte("rules: ["+text+"]")); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

// One mistake is one fault.
func TestOneMistakeOneFault(t *testing.T) {
	for text, want := range map[string]int{
		oneRule("events: [create, delete]", ""):                             2,
		oneRule("events: [x, y, y]", ""):                                    3,
		oneRule("prefix: [www/]", "strip_prefix: www/"):                     1,
		oneRule("prefix: 'www/，a/'", "strip_prefix: www/"):                  1,
		oneRule("prefix: www/", "strip_prefix: 7"):                          1,
		oneRule("buckt: a", ""):                                             1,
		"rules: [{bucket: b, target: [{domain: a.com, strip_prefix: x/}]}]": 2,
		"rules: [{bucket: b, prefix: y/, targts: [{domian: a.com, strip_prefx: x/, type: directory, indx: [a]}]}]":                  6,
		oneRule("prefx: www/", "strip_prefix: www/"):                                                                                1,
		"rules: [{bucket: 1, targets: [{domain: a.com}]}, {bucket: 1, targets: [{domain: a.com}]}]":                                 2,
		"rules: [{bucket: b, prefix: 1, targets: [{domain: a.com}]}, {bucket: b, prefix: 1, targets: [{domain: a.com}]}]":           2,
		"rules: [{bucket: b, prefix: 1, targets: [{domain: a.com}]}, {bucket: b, prefix: '1', targets: [{domain: a.com}]}]":         1,
		"rules: [{bucket: b, prefix: '1', targets: [{domain: a.com}]}, {bucket: b, prefix: 1, targets: [{domain: a.com}]}]":         1,
		"rules: [{bucket: 1, targets: [{domain: a.com}]}, {bucket: '1', targets: [{domain: a.com}]}]":                               1,
		"rules: [{bucket: '1', targets: [{domain: a.com}]}, {bucket: 1, targets: [{domain: a.com}]}]":                               1,
		"rules: [{bucket: b, targets: [{domian: a.com}]}, {bucket: c, targets: [{domain: a.com, product: dcnd, type: Directory}]}]": 3,
	} {
		_, err := Parse("t", []byte(text))
		if faults, _ := err.(Faults); len(faults) != want {
			t.Errorf("%s\n%d faults, want %d: %v", text, len(faults), want, err)
		}
	}
}

// followHint does what a hint says, to the value at the path of a table; false where
// it says nothing that a program can do.
func followHint(root *yaml.Node, f Fault) bool {
	path := pathOf(f.Path)
	if strings.HasPrefix(f.Hint, "leave it out") {
		owner, last := nodeAt(root, path[:len(path)-1]), path[len(path)-1]
		owner.Content = slices.Delete(owner.Content, last.index, last.index+1)
		if rule := nodeAt(root, path[:2]); len(owner.Content) == 0 {
			i := slices.Index(rule.Content, owner)
			rule.Content = slices.Delete(rule.Content, i-1, i+1)
		}
		return true
	}
	for _, set := range []string{"set ", "write ", "did you mean "} {
		rest, ok := strings.CutPrefix(f.Hint, set)
		if !ok {
			continue
		}
		if set == "did you mean " {
			rest, _, _ = strings.Cut(rest, "?")
		}
		rest = strings.TrimPrefix(rest, "a list: ")
		rest = strings.TrimPrefix(rest, "it in quotes: ")
		if key, text, ok := strings.Cut(rest, ": "); ok && isKey(key) {
			values := strings.Split(key+": "+text, " and ")
			for _, v := range values {
				key, text, _ := strings.Cut(v, ": ")
				setKey(root, path, key, text)
			}
			return true
		}
		return setValue(root, path, rest)
	}
	return false
}

func isKey(key string) bool {
	return slices.Contains(names(ruleFields), key) || slices.Contains(names(specFields), key)
}

// pathOf reads "rules[0].targets[1].index[0]".
func pathOf(text string) (path []step) {
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(".[]", r) }) {
		if n, err := strconv.Atoi(part); err == nil {
			path = append(path, step{index: n})
		} else {
			path = append(path, step{key: part})
		}
	}
	return path
}

// valueOf reads what a hint has behind "write": one quoted text, a list, or a word.
func valueOf(text string) *yaml.Node {
	if strings.HasPrefix(text, "[") {
		if end := strings.LastIndex(text, `"]`); end >= 0 {
			text = text[:end+2]
		}
	} else if quoted, err := strconv.QuotedPrefix(text); err == nil {
		text = quoted
	} else {
		text, _, _ = strings.Cut(text, " ")
		text = strings.Trim(text, ",;")
	}
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

func setValue(root *yaml.Node, path []step, text string) bool {
	value := valueOf(text)
	if value == nil || len(path) == 0 || !strings.ContainsAny(text[:1], `"[`) && strings.Contains(text, " ") {
		return false
	}
	at := nodeAt(root, path)
	if value.Kind == yaml.SequenceNode && path[len(path)-1].key == "" { // the item is several
		list := nodeAt(root, path[:len(path)-1])
		i := path[len(path)-1].index
		list.Content = slices.Replace(list.Content, i, i+1, value.Content...)
		return true
	}
	*at = *value
	return true
}

// setKey sets a key of the mapping that is the nearest above a path and takes it.
func setKey(root *yaml.Node, path []step, key, text string) {
	if slices.Contains(names(ruleFields), key) {
		path = path[:2]
	} else {
		path = path[:4]
	}
	n := nodeAt(root, path)
	value := valueOf(text)
	if at := child(n, key); at != nil {
		*at = *value
		return
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, Tag: "!!str"}, value)
}

// Whoever follows the hints of a table that has the mistakes that people make gets a
// table without them, which refreshes its samples.
func FuzzHints(f *testing.F) {
	for i := range 64 {
		f.Add(uint8(i), uint8(i*7), uint8(i*5), uint8(i*3), uint8(i*11), uint8(i*13))
	}
	pick := func(from []string, n uint8) string { return from[int(n)%len(from)] }
	buckets := []string{"my-site", "‘my-site’", "My-Site", "oss://my-site", "my-site.oss-cn-hangzhou.aliyuncs.com", "my-site/www", "ｍｙ-site", "\u200bmy-site", "my.site.s3.eu-west-1.amazonaws.com"}
	domains := []string{"www.example.com", "‘www.example.com’", "https://www.example.com/docs/", "www.example.com:443", "WWW.Example.com", "www.example.com.", "www。example。com", "“www.example.com”，", "www.example.com\u200b", "www.example.com.w.kunlunsl.com", "me@www.example.com", " www.example.com", "ｗｗｗ.example.com"}
	prefixes := []string{"", "www/", "/www/", "www/*", "www/*.png", "www", "www/blog/", "%E5%9B%BE/", "www//", "www/ ", "oss://my-site/www/", `www\`, "my-site/www/", "./www/", "\u00a0www/"}
	strips := []string{"-", "", "www/", "/www/", "www", "www/*", "www/bl", "%E5%9B%BE/", "web/", "www/blog"}
	globs := []string{"", "/docs/**", "private/", "www/**", "*.map", "**.map", "docs**", "./a", "*.map, *.txt", "%E5%9B%BE/**", `a\b\*.txt`, "“a/**”", "a//b", "*", "{*.map,*.txt}", "https://www.example.com/x/*", "/www/*.txt", "www/"}
	targets := []string{"", "index: ['index.html，index.htm']", "index: [docs/index.html]", "index: index.html", "index: ['*.html']", "index: [“index.html”]", "path: /%E5%9B%BE/", "type: Directory", "type: dir", "queries: ['?v=1']", "queries: ['v=1, v=2']", "queries: ['v=图']", "suffixes: ['!a,!b']", "suffixes: [thumb]", "product: DCDN", "type: folder, spellings: canonical", "events: [create]"}
	f.Fuzz(func(t *testing.T, b, d, p, s, g, x uint8) {
		target := fmt.Sprintf("{domain: %s", strconv.Quote(pick(domains, d)))
		if strip := pick(strips, s); strip != "-" {
			target += ", strip_prefix: " + strconv.Quote(strip)
		}
		rule := fmt.Sprintf("{bucket: %s", strconv.Quote(pick(buckets, b)))
		if prefix := pick(prefixes, p); prefix != "" {
			rule += ", prefix: " + strconv.Quote(prefix)
		}
		if glob := pick(globs, g); glob != "" {
			rule += ", " + []string{"include", "exclude"}[int(x>>7)] + ": [" + strconv.Quote(glob) + "]"
		}
		if more := pick(targets, x); strings.HasPrefix(more, "events") {
			rule += ", " + more
		} else if more != "" {
			target += ", " + more
		}
		text := []byte("rules: [" + rule + ", targets: [" + target + "}]}]")
		table, warnings, err := checkText("t", text)
		for range 12 {
			faults, _ := err.(Faults)
			if err == nil {
				faults = warnings
			}
			root, fault := document(text)
			if fault != nil {
				t.Fatalf("%s\n%v", text, fault)
			}
			followed := false
			for _, f := range faults {
				if followHint(root, f) {
					followed = true
					break
				}
			}
			if !followed {
				if err != nil {
					t.Fatalf("%s\n%v", text, err)
				}
				break
			}
			text, _ = yaml.Marshal(root)
			table, warnings, err = checkText("t", text)
		}
		if err != nil {
			t.Fatalf("%s\nstill has %v", text, err)
		}
		for i := range table.Rules {
			r := &table.Rules[i]
			for j := range r.Targets {
				key, urls := table.Sample(r, &r.Targets[j])
				if match := table.Map(Object{Bucket: r.Bucket, Key: key, Event: Created}); key == "" || len(match.Targets) < len(urls) {
					t.Errorf("rule %s target %s\n%s\nthe sample %q is not mapped: %+v; warnings %v", rule, target, text, key, match, warnings)
				}
				for _, url := range urls {
					if strings.Contains(strings.TrimPrefix(url, "https://"), "//") {
						t.Errorf("%s\nthe sample %q has the URL %s", text, key, url)
					}
				}
			}
		}
	})
}
