package mapping

import (
	"bytes"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	hintIndent = "check the indentation from this line on"
	hintStar   = "a value that begins with * must be in quotes: '*.map'"
	hintBang   = "a value that begins with ! must be in quotes: "
	hintClose  = "check that each [ and { before this line's end is closed"
	hintQuotes = "close the quotes that begin on this line"
	hintUTF8   = "save the file as plain text in UTF-8"
)

// syntaxHints says, by a part of a message of the YAML library, what to do.
var syntaxHints = []struct{ part, hint string }{
	{"did not find expected key", hintIndent},
	{"'-' indicator", hintIndent},
	{"alphabetic or numeric character", hintStar},
	{"unknown anchor", hintStar},
	{"',' or", hintClose},
	{"node content", hintClose},
	{"end of stream", hintQuotes},
	{"mapping values", hintIndent + `; a value with ": " must be in quotes`},
	{"expected ':'", `write "key: value", with a space after the colon`},
	{"tab character", "indent with spaces"},
	{"start any token", "indent with spaces; a value that begins with @, % or a backquote must be in quotes"},
	{"escape character", `in double quotes a backslash is written \\; single quotes take it as it is`},
	{"UTF-8", hintUTF8},
	{"control characters", hintUTF8},
}

// syntaxFault makes a fault of an error of the YAML library, which reads
// "yaml: line 3: did not find expected key". Its line is often that of the
// block around the mistake, or counted from 0, or missing.
func syntaxFault(data []byte, err error) *Fault {
	line, message := cutLine(err)
	f := &Fault{Message: message, Hint: "check this line and the one before it"}
	for _, h := range syntaxHints {
		if strings.Contains(message, h.part) {
			f.Hint = h.hint
			break
		}
	}
	switch f.Hint {
	case hintClose:
		f.Line = line + 1 // the library's parser counts lines from 0
	case hintQuotes:
		f.Line = max(line, 1) // and its scanner leaves out line 1
	default:
		f.Line = firstBadLine(data, message)
	}
	if f.Hint == hintClose || f.Hint == hintIndent {
		f.blame(data)
	}
	return f
}

// blame looks from the line of f on for what YAML reads as a part of a value, or as a
// tag: "，" behind quotes, or "!thumb". Within brackets, "，" is not behind quotes only.
func (f *Fault) blame(data []byte) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	lines := strings.Split(text, "\n")
	s := markScanner{anywhere: f.Hint == hintClose}
	for i := max(f.Line, 1) - 1; i < len(lines); i++ {
		line := strings.TrimSuffix(lines[i], "\r")
		if i >= f.Line && beginsKey(line) {
			return // the brackets are not closed
		}
		at := s.next(line)
		switch mark := firstRune(line[max(at, 0):]); {
		case at >= 0:
			f.Line, f.Column = i+1, 1+utf8.RuneCountInString(line[:at])
			f.Message, f.Hint = foreignMark(mark, line[at:])
			return
		case s.depth <= 0 && s.quote == 0:
			return
		}
	}
}

// beginsKey reports whether a line begins with a key, such as "targets:".
func beginsKey(line string) bool {
	bare := strings.TrimLeft(line, " -")
	rest := strings.TrimLeft(bare, keyBytes)
	return rest != bare && strings.HasPrefix(rest, ":")
}

// foreignMark says what is wrong with a mark that the text begins with.
func foreignMark(mark rune, text string) (message, hint string) {
	if mark == '!' {
		value := text[:len(text)-len(strings.TrimLeftFunc(text, func(r rune) bool {
			return !strings.ContainsRune(",]} \t", r) && asASCII(r) == r
		}))]
		return value + " is a tag to YAML", hintBang + "'" + value + "'"
	}
	name, write := "quotation mark", "'"
	switch asASCII(mark) {
	case ',', ';':
		name, write = "comma", ", "
	case ':':
		name, write = "colon", ": "
	}
	return named(mark) + " is not a " + name + " to YAML", "write " + quote(write)
}

// A markScanner reads lines as far as quotes, comments and brackets go.
type markScanner struct {
	anywhere bool // a mark counts behind any text, not only behind quotes
	quote    rune // that is open; 0: none
	depth    int  // of brackets
}

// next returns where the line has the first mark outside of quotes and comments; -1
// if it has none.
func (s *markScanner) next(line string) int {
	before := ',' // the last character that is no blank
	escaped := false
	for i, r := range line {
		_, size := utf8.DecodeRuneInString(line[i:])
		after := firstRune(line[i+size:])
		begins := strings.ContainsRune("[{,:-", before)
		switch {
		case escaped:
			escaped = false
		case s.quote != 0:
			escaped = s.quote == '"' && r == '\\' || s.quote == '\'' && r == '\'' && after == '\''
			if r == s.quote && !escaped {
				s.quote = 0
			}
		case begins && (r == '\'' || r == '"'):
			s.quote = r
		case r == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return -1
		case strings.ContainsRune("，、；：‘’“”", r) &&
			(s.anywhere || before == '\'' || before == '"'),
			s.anywhere && begins && r == '!' && !strings.ContainsRune("! ", after):
			return i
		case r == '[' || r == '{':
			s.depth++
		case r == ']' || r == '}':
			s.depth--
		}
		if !unicode.IsSpace(r) {
			before = r
		}
	}
	return -1
}

// A mistyped is a line, or a key, that YAML reads as something else than it looks.
type mistyped struct {
	key     string // "bucket"
	value   string // "my-site"
	problem string // "the colon after bucket is ： (U+FF1A)"
}

// hint says what to write for a key.
func (m mistyped) hint() string {
	if m.value == "" {
		return "write " + quote(m.key+":")
	}
	return "write " + quote(m.key+": "+m.value)
}

// mistypedKey reads text that begins with one of the keys: without a blank behind
// its colon, or with a colon or a blank that YAML does not know as such.
func mistypedKey(text string, keys []string) (m mistyped, ok bool) {
	bare := strings.TrimLeftFunc(text, foreignBlank)
	rest := strings.TrimLeft(bare, keyBytes)
	m.key = bare[:len(bare)-len(rest)]
	colon, size := utf8.DecodeRuneInString(rest)
	after := rest[size:]
	m.value = strings.TrimFunc(after, unicode.IsSpace)
	switch next := firstRune(after); {
	case !slices.Contains(keys, m.key):
		return m, false
	case colon != ':' && rest != "" && asASCII(colon) == ':':
		m.problem = "the colon after " + m.key + " is " + named(colon)
	case colon == ':' && after != "" && foreignBlank(next):
		m.problem = "the blank after " + m.key + ": is " + named(next)
	case colon == ':' && after != "" && !strings.ContainsRune(" \t", next):
		m.problem = "there is no blank after the colon of " + m.key
	case bare != text && (colon == ':' || rest == ""):
		m.problem = m.key + " is indented with " + named(firstRune(text))
	default:
		return m, false
	}
	return m, true
}

// keyBytes are what the keys of a table are made of.
const keyBytes = "abcdefghijklmnopqrstuvwxyz_"

// foreignBlank reports whether r is a blank to people, but not to YAML.
func foreignBlank(r rune) bool {
	return r >= utf8.RuneSelf && (asASCII(r) == ' ' || asASCII(r) < 0)
}

// mistypedLines returns a fault for each line that begins with a mistyped key or
// list item; nil where none does. It is asked only of a text that is not a table.
func mistypedLines(file string, data []byte) Faults {
	keys := slices.Concat(names(tableFields), names(ruleFields), names(specFields),
		names(refreshFields), names(limitFields), names(callFields))
	var faults Faults
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimLeft(strings.TrimPrefix(line, "\ufeff"), " -")
		m, ok := mistypedKey(text, keys)
		message, hint := m.problem, m.hint()
		if dash := firstRune(text); dash >= utf8.RuneSelf && asASCII(dash) == '-' {
			ok, message, hint = true, "an item of a list begins with "+named(dash), `write "- "`
		}
		if ok && len(faults) < maxFaults {
			column := 1 + utf8.RuneCountInString(line) - utf8.RuneCountInString(text)
			faults = append(faults, Fault{
				File: file, Line: number, Column: column, Message: message, Hint: hint,
			})
		}
	}
	return faults
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// firstBadLine returns the first line with which data has the error. This works
// for every error except an unclosed list or quotation that spans lines.
func firstBadLine(data []byte, message string) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	ends := make([]int, len(lines))
	end := 0
	for i, line := range lines {
		end += len(line)
		ends[i] = end
	}
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		_, err := documents(data[:ends[i]])
		if err == nil {
			return false
		}
		_, got := cutLine(err)
		return got == message
	})
}

// cutLine splits an error of the YAML library; the line is 0 where it has none.
func cutLine(err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	at, rest, ok := strings.Cut(strings.TrimPrefix(message, "line "), ": ")
	if line, err := strconv.Atoi(at); ok && err == nil {
		return line, rest
	}
	return 0, message
}
