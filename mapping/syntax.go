package mapping

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
)

const (
	hintIndent = "check the indentation from this line on"
	hintStar   = "a value that begins with * must be in quotes: '*.map'"
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
	return f
}

// firstBadLine returns the first line with which data has the error. That does
// for all messages but those that a list or a quotation gives that is cut off
// where it goes on over several lines.
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
