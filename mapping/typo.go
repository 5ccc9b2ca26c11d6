package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// asASCII returns the character of ASCII that an input method, a word processor
// or a chat put r in the place of. It returns r itself where there is none, and
// -1 for what is not seen at all.
func asASCII(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r
	case 0xff01 <= r && r <= 0xff5e: // Halfwidth and Fullwidth Forms
		return r - 0xff01 + '!'
	case strings.ContainsRune("。｡", r):
		return '.'
	case strings.ContainsRune("、﹐､", r):
		return ','
	case strings.ContainsRune("‐‑‒–—−﹣", r):
		return '-'
	case strings.ContainsRune("‘’‚‛“”„‟«»‹›「」『』《》〈〉", r):
		return '"'
	case strings.ContainsRune("﹕︰", r):
		return ':'
	case unicode.Is(unicode.Z, r):
		return ' '
	case unicode.Is(unicode.Cf, r), r == 0xfe0f: // zero-width, soft hyphen, mark of direction
		return -1
	}
	return r
}

// asMeant returns s in ASCII where that is certain, without the quotes, brackets
// and blanks around it.
func asMeant(s string) string {
	return strings.Trim(strings.Map(asASCII, s), " \t\n\r\"'`<>,;")
}

// unquoted returns s without the quotes and blanks around it that an editor or a
// chat has added, and without characters that show nothing.
func unquoted(s string) string {
	return strings.Trim(strings.Map(dropUnseen, s), " \t\r\n\u00a0\u3000\"'“”‘’「」『』")
}

// dropUnseen drops characters that show nothing at all.
func dropUnseen(r rune) rune {
	if asASCII(r) < 0 {
		return -1
	}
	return r
}

// named is a character as a message shows it: `‘ (U+2018)`, or "U+200B" where
// nothing would be seen.
func named(r rune) string {
	if !unicode.IsGraphic(r) || unicode.IsSpace(r) {
		return fmt.Sprintf("%U", r)
	}
	return fmt.Sprintf("%c (%U)", r, r)
}

// foreignRune returns the first character of s that is neither in the set nor a
// letter, a digit or a mark beyond ASCII, or that stands for one of ASCII.
func foreignRune(s string, set *byteSet) (r rune, found bool) {
	for _, r := range s {
		if r < utf8.RuneSelf {
			if !set[r] {
				return r, true
			}
			continue
		}
		if asASCII(r) != r || !unicode.In(r, unicode.L, unicode.Nd, unicode.M) {
			return r, true
		}
	}
	return 0, false
}

// separator reports whether r separates the things of a list, as people write one
// into a text.
func separator(r rune) bool { return strings.ContainsRune(",，、；;", r) }

// listItems returns what a text names that is a list, apart from one another. It is
// nil where the text has nothing that separates.
func listItems(s string, separates func(rune) bool) []string {
	if !strings.ContainsFunc(s, separates) {
		return nil
	}
	var all []string
	for _, item := range strings.FieldsFunc(s, separates) {
		if item = strings.Trim(item, " \t\n\r\"'[]"); item != "" {
			all = append(all, item)
		}
	}
	return all
}

func separatorOrBlank(r rune) bool { return separator(r) || unicode.IsSpace(r) }

// surelyList reports whether a list in a text is one without doubt: ASCII's comma
// stands in names too, but not with a blank behind it.
func surelyList(s string) bool {
	return strings.ContainsAny(s, "，、；") ||
		strings.Contains(s, ", ") || strings.Contains(s, "; ")
}

// listOf is the items as a YAML list: `["a", "b"]`.
func listOf(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = strconv.Quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// allHave reports whether there are two items or more, all with one of the
// characters.
func allHave(items []string, chars string) bool {
	lacks := func(item string) bool { return !strings.ContainsAny(item, chars) }
	return len(items) > 1 && !slices.ContainsFunc(items, lacks)
}

// hasVariable reports whether s has what a template or a shell would replace:
// "${BUCKET}", "$(bucket)", "{{ .Bucket }}", or is "$BUCKET". "$RECYCLE.BIN" is a name.
func hasVariable(s string) bool {
	if !strings.ContainsAny(s, "${") {
		return false
	}
	if name, ok := strings.CutPrefix(s, "$"); ok && name != "" && upperBytes.all(name) {
		return true
	}
	for _, marks := range [][2]string{{"${", "}"}, {"$(", ")"}, {"{{", "}}"}} {
		if _, rest, ok := strings.Cut(s, marks[0]); ok {
			name, _, closed := strings.Cut(rest, marks[1])
			if name = strings.TrimSpace(name); closed && name != "" && nameBytes.all(name) {
				return true
			}
		}
	}
	return false
}

var upperBytes = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

var nameBytes = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")
