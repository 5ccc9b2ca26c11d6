package mapping

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Of each way to break a line of a long table: the line that the fault names,
// counted from the one that is broken, and a part of its text.
func TestSyntaxFaults(t *testing.T) {
	const (
		bucket = iota
		prefix
		_
		domain
		path
		index
	)
	for _, tt := range []struct {
		name       string
		at         int
		broken     func(line string) string
		line       int
		want, hint string
	}{
		{"list item too far left", bucket, outdent, 0, "did not find expected key", hintIndent},
		{"list item too far right", bucket, indent, 0, "did not find expected '-' indicator", hintIndent},
		{"key of the rule too far left", prefix, outdent, 0, "did not find expected '-' indicator", hintIndent},
		{"key of the target too far left", path, outdent, 0, "did not find expected '-' indicator", hintIndent},
		{"key of the target too far right", path, indent, 0, "mapping values are not allowed in this context", hintIndent + `; a value with ": " must be in quotes`},
		{"tab", path, func(string) string { return "\tpath: /x/" }, 0, "found a tab character that violates indentation", "indent with spaces"},
		{"tab before an item", bucket, func(string) string { return "\t- bucket: b" }, 0, "found character that cannot start any token", "indent with spaces; a value that begins with @, % or a backquote must be in quotes"},
		{"unclosed list", path, value("[a"), 0, "did not find expected ',' or ']'", hintClose},
		{"unclosed last list", index, value("[a"), 0, "did not find expected ',' or ']'", hintClose},
		{"unclosed mapping", domain, value("{a"), 0, "did not find expected ',' or '}'", hintClose},
		{"unclosed quotes", path, value(`"a`), 0, "found unexpected end of stream", hintQuotes},
		{"text after quotes", index, value("'a' b"), 0, "did not find expected key", hintIndent},
		{"colon in a value", path, value("a: b"), 0, "mapping values are not allowed", `a value with ": " must be in quotes`},
		{"no space after a colon", path, func(line string) string { return strings.Replace(line, ": ", ":", 1) }, 0, "there is no blank after the colon of path", `write "path: /x/"`},
		{"no space after the colon of another word", path, func(string) string { return "        pth:/x/" }, 0, "could not find expected ':'", "with a space after the colon"},
		{"percent", path, value("%a"), 0, "found character that cannot start any token", "must be in quotes"},
		{"escape", path, value(`"\w"`), 0, "found unknown escape character", `in double quotes a backslash is written \\; single quotes take it as it is`},
		{"star, dot", domain, value("*.example.com"), 0, "did not find expected alphabetic or numeric character", hintStar},
		{"stars in a list", index, value("[**/*.map]"), 0, "did not find expected alphabetic or numeric character", hintStar},
		{"star, name", index, value("[*map]"), 0, "unknown anchor 'map' referenced", hintStar},
		{"star, name in a list of lines", index, value("\n        - *map"), 1, "unknown anchor 'map' referenced", hintStar},
		{"not UTF-8", path, value("\xff"), 0, "invalid leading UTF-8 octet", hintUTF8},
		{"control character", path, value("\x01"), 0, "control characters are not allowed", hintUTF8},
	} {
		for _, rule := range []int{1, 19, 32} {
			lines := strings.Split(elevenLines(33), "\n")
			at := 1 + 11*rule + 2 + tt.at
			lines[at] = tt.broken(lines[at])
			_, err := Parse("t", []byte(strings.Join(lines, "\n")))
			var faults Faults
			if !errors.As(err, &faults) {
				t.Errorf("%s in rule %d: got %v, want Faults", tt.name, rule, err)
				continue
			}
			f := faults[0]
			if f.Line != at+1+tt.line || !strings.Contains(f.Message, tt.want) || !strings.HasSuffix(f.Hint, tt.hint) {
				t.Errorf("%s on line %d: got %v; want line %d, %q and hint %q", tt.name, at+1, f, at+1+tt.line, tt.want, tt.hint)
			}
		}
	}
}

// Of punctuation that an input method writes, and of tags: where it stands and what to
// write.
func TestForeignMarks(t *testing.T) {
	const head = "rules:\n  - bucket: b\n    targets: [{domain: a.com}]\n"
	for text, want := range map[string]string{
		"    exclude: ['**/*.map'，'**/.*']":                                   `t:4:25: ， (U+FF0C) is not a comma to YAML; write ", "`,
		"    exclude: ['，', \"，\\\"，\",\n      'it''s，'， # ，\n      '**/.*']": `t:5:15: ， (U+FF0C) is not a comma to YAML; write ", "`,
		"    exclude: [it's, 'a'、'b']":                                        `t:4:24: 、 (U+3001) is not a comma to YAML; write ", "`,
		"    exclude: ['a'；'b']":                                              `t:4:18: ； (U+FF1B) is not a comma to YAML; write ", "`,
		"    exclude: ['a，b'，'c']\r":                                          `t:4:20: ， (U+FF0C) is not a comma to YAML; write ", "`,
		"    exclude: '**/*.map'，'**/.*'":                                     `t:4:24: ， (U+FF0C) is not a comma to YAML; write ", "`,
		"    exclude: ['a’, 'b’, 'c']":                                        `t:4:22: ’ (U+2019) is not a quotation mark to YAML; write "'"`,
		"    exclude: ['a' “c”]":                                              `t:4:19: “ (U+201C) is not a quotation mark to YAML; write "'"`,
		"  - {bucket: c，targets: []}":                                         `t:4:15: ， (U+FF0C) is not a comma to YAML; write ", "`,
		"  - {bucket: c, targets：[{a: b}]}":                                   `t:4:24: ： (U+FF1A) is not a colon to YAML; write ": "`,
		"    exclude: [a\n    prefix: a，b":                                    "t:4: did not find expected ',' or ']'; " + hintClose,
		"  - {bucket: c, targets: [{domain: a.example，product: cdn}]}":        `t:4:45: ， (U+FF0C) is not a comma to YAML; write ", "`,
		"    exclude: [!thumb]":                                               `t:4:15: !thumb is a tag to YAML; a value that begins with ! must be in quotes: '!thumb'`,
		"    exclude: ['!a', b!, !thumb, !c]":                                 `t:4:25: !thumb is a tag to YAML; a value that begins with ! must be in quotes: '!thumb'`,
		"    exclude:\n    - !thumb":                                          `t:5:7: rules[0].exclude[0]: is "" (tagged !thumb); a value that begins with ! must be in quotes: '!thumb'`,
	} {
		if _, err := Parse("t", []byte(head+text)); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
}

// What is not UTF-8 is looked at for marks like everything else: YAML may be UTF-16, and
// the library stops at the first fault.
func TestForeignMarksInBytes(t *testing.T) {
	for _, line := range []string{"\xff", "'a' \xff", "[\xe4\xb8", "{\xff\xff", "['\xff"} {
		for _, hint := range []string{hintClose, hintIndent} {
			f := &Fault{Line: 1, Hint: hint}
			f.blame([]byte(line))
			if f.Hint != hint || f.Line != 1 {
				t.Errorf("%q: got %v", line, f)
			}
		}
	}
}

// elevenLines is a table of n rules of eleven lines, the first on line 2. The
// lists and quotations of several lines must not mislead the search for a fault.
func elevenLines(n int) string {
	var b strings.Builder
	b.WriteString("rules:\n")
	for i := range n {
		fmt.Fprintf(&b, "  # rule\n\n  - bucket: b%d\n    prefix: p/\n    targets:\n      - domain: a.com\n        path: /x/\n        index: [a]\n    exclude: [a,\n      'b\n      c']\n", i)
	}
	return b.String()
}

func indent(line string) string  { return " " + line }
func outdent(line string) string { return line[1:] }

// value replaces the value of a line.
func value(v string) func(string) string {
	return func(line string) string {
		key, _, _ := strings.Cut(line, ":")
		return key + ": " + v
	}
}
