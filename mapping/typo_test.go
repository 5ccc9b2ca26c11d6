package mapping

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// Each character that people get in place of one of ASCII, and none beside these.
func TestAsASCII(t *testing.T) {
	for r := rune(0); r < utf8.RuneSelf; r++ {
		if got := asASCII(r); got != r {
			t.Errorf("asASCII(%q) = %q", r, got)
		}
	}
	for from, want := range map[string]rune{
		"。．｡": '.', "，、﹐､": ',', "－‐‑‒–—−﹣": '-', "：﹕︰": ':', "；": ';', "／": '/', "＊": '*', "？": '?',
		"‘’‚‛“”„‟«»‹›「」『』《》〈〉＂": '"', "\u00a0\u2003\u3000\u2028": ' ', "０": '0', "Ａ": 'A', "ｚ": 'z', "！": '!', "～": '~',
		"\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u202e\ufe0f": -1,
	} {
		for _, r := range from {
			if got := asASCII(r); got != want {
				t.Errorf("asASCII(%q) = %q, want %q", r, got, want)
			}
		}
	}
	for _, r := range "图éあ☕·…｟\ufe0e\uff00" {
		if got := asASCII(r); got != r {
			t.Errorf("asASCII(%q) = %q", r, got)
		}
	}
}

func TestTrimming(t *testing.T) {
	for s, want := range map[string][2]string{ // as it was meant, and without quotes
		"~a~":              {"~a~", "~a~"},
		"“a”":              {"a", "a"},
		"\"a\" ":           {"a", "a"},
		"'a'":              {"a", "a"},
		"`a`,;":            {"a", "`a`,;"},
		"<a>":              {"a", "<a>"},
		"\u3000a\u00a0":    {"a", "a"},
		"\t‘a\u200bb’\r\n": {"ab", "ab"},
		"「a」『":             {"a", "a"},
		"a“b":              {"a\"b", "a“b"},
		"\ufeffa":          {"a", "a"},
		"ａ：ｂ":              {"a:b", "ａ：ｂ"},
	} {
		if got := asMeant(s); got != want[0] {
			t.Errorf("asMeant(%q) = %q, want %q", s, got, want[0])
		}
		if got := unquoted(s); got != want[1] {
			t.Errorf("unquoted(%q) = %q, want %q", s, got, want[1])
		}
	}
}

func TestNamed(t *testing.T) {
	for r, want := range map[rune]string{
		'‘': "‘ (U+2018)", '"': "\" (U+0022)", ' ': "U+0020", '\u3000': "U+3000", '\u200b': "U+200B", '\n': "U+000A", '图': "图 (U+56FE)",
	} {
		if got := named(r); got != want {
			t.Errorf("named(%U) = %q, want %q", r, got, want)
		}
	}
}

func TestListItems(t *testing.T) {
	for s, want := range map[string]string{
		"a":          "[] [] false",
		"a,b":        "[a b] [a b] false",
		"a, b":       "[a b] [a b] true",
		"a; b":       "[a b] [a b] true",
		"a;b":        "[a b] [a b] false",
		"a，b、c；d":    "[a b c d] [a b c d] true",
		"a b":        "[] [a b] false",
		`["a", 'b']`: "[a b] [a b] true",
		"~a~,b":      "[~a~ b] [~a~ b] false",
		",":          "[] [] false",
	} {
		if got := fmt.Sprintf("%v %v %v", listItems(s, separator), listItems(s, separatorOrBlank), surelyList(s)); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
	if got, want := listOf([]string{`a"b`, "c"}), `["a\"b", "c"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What has a variable cannot be a value; what only looks like one can.
func TestHasVariable(t *testing.T) {
	for s, want := range map[string]bool{
		"${BUCKET}": true, "a-${env}/": true, "$(bucket)": true, "{{ .Values.bucket }}": true, "{{bucket}}": true,
		"$BUCKET": true, "$A_1": true,
		"": false, "$": false, "a$": false, "$a": false, "$A.B": false, "${": false, "${}": false, "${a": false, "${a,b}": false,
		"$(a b)": false, "{{a,b},c}": false, "{a}": false, "{{}}": false, "a$B": false, "$RECYCLE.BIN": false,
	} {
		if got := hasVariable(s); got != want {
			t.Errorf("hasVariable(%q) = %t", s, got)
		}
	}
}

func TestCheckDomain(t *testing.T) {
	for s, want := range map[string][2]string{
		"www.example.com":           {"", ""},
		"www.example.com~x":         {"has ~ (U+007E), which no host name has", ""},
		"www.example.com/a#b":       {"is a URL or has a path", "www.example.com"},
		"www.example.com?a":         {"is a URL or has a path", "www.example.com"},
		"www.example.com#a":         {"is a URL or has a path", "www.example.com"},
		"a@b@www.example.com":       {"has user information", "www.example.com"},
		"www.example.com:":          {"has a port", "www.example.com"},
		"www.example.com:80a":       {"has a port", ""},
		"https：／／www.example.com／a": {"has ： (U+FF1A), which no host name has", "www.example.com"},
		".www.example.com.":         {"ends in a dot", "www.example.com"},
		"www.example.com,":          {"has , (U+002C), which no host name has", "www.example.com"},
		"例子.com":                    {beyondASCII, "例子.com"},
		"“例子.com”":                  {"has “ (U+201C), which no host name has", "例子.com"},
		"हिन्दी.com":                {beyondASCII, "हिन्दी.com"},
		"*.例子.com":                  {"is a wildcard, which the refresh API refuses", ""},
	} {
		problem, meant := CheckDomain(s)
		if got := [2]string{problem, meant}; got != want {
			t.Errorf("CheckDomain(%q) = %q, want %q", s, got, want)
		}
	}
}

// A fault of a domain says which one beyond ASCII was meant.
func TestFaultHasDomain(t *testing.T) {
	for domain, want := range map[string]string{"例子。测试": "例子.测试", "WWW.example.com": "", "a..例子.com": "", "‘例子.com’": "例子.com"} {
		_, err := Parse("t", []byte("rules: [{bucket: b, targets: [{domain: "+domain+"}]}]"))
		if faults, _ := err.(Faults); len(faults) != 1 || faults[0].Domain != want {
			t.Errorf("%s: %#v, want the domain %q", domain, err, want)
		}
	}
}

// Each glob that names several, and those that only look so.
func TestGlobsOf(t *testing.T) {
	for s, want := range map[string]string{
		"*.map,*.txt": "[*.map *.txt]", "*.map, a.txt": "[*.map a.txt]", "a/，b/": "[a/ b/]", "*.a;*.b": "[*.a *.b]",
		"a,b": "[]", "a.1,b.2": "[]", "a, b": "[]", "{*.a,*.b}": "[]", "*.a[,]*.b": "[]", "{*.a,*.b},*.c": "[{*.a,*.b} *.c]",
		"通知，2024.pdf": "[]", "a~，b~": "[]", "*.map": "[]", "*.map,": "[]",
	} {
		if got := fmt.Sprint(globsOf(s)); got != want {
			t.Errorf("globsOf(%q) = %s, want %s", s, got, want)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for host, want := range map[string]string{
		"b.oss-cn-hangzhou.aliyuncs.com": "b true", "b.oss.aliyuncs.com": "b true", "oss-cn-hangzhou.aliyuncs.com": " true",
		"my.b.s3.amazonaws.com": "my.b true", "b.s3-website-us-east-1.amazonaws.com": "b true", "b.s3.cn-north-1.amazonaws.com.cn": "b true",
		"a.oss-b.oss-cn-beijing.aliyuncs.com": "a.oss-b true",
		"b.oss-cn-hangzhou.example.com":       " false", "aliyuncs.com": " false", "b.fc.aliyuncs.com": " true",
	} {
		bucket, ok := cutEndpoint(host)
		if got := fmt.Sprint(bucket, " ", ok); got != want {
			t.Errorf("cutEndpoint(%s) = %s, want %s", host, got, want)
		}
	}
}

// Words of other products and of people lead to those of the table.
func TestAlias(t *testing.T) {
	for word, want := range map[string]string{
		"deleted": "removed", "Delete": "removed", "updated": "created", "overwritten": "created", "uploaded": "created",
		"put": "created", "dir": "directory", "Folder": "directory", "url": "file", "ignore-params": "ignore_params", "FILE": "file",
	} {
		if got := alias(word); got != want {
			t.Errorf("alias(%s) is %s, want %s", word, got, want)
		}
	}
}

// A host name has up to 253 characters (RFC 1035, section 2.3.4).
func TestLongDomains(t *testing.T) {
	labels := strings.Repeat("a.", 125)
	for n, want := range map[int]string{253: "", 254: "is longer than 253 characters"} {
		if problem, _ := CheckDomain(labels + strings.Repeat("b", n-len(labels))); problem != want {
			t.Errorf("%d characters: %q, want %q", n, problem, want)
		}
	}
}
