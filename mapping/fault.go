package mapping

import (
	"cmp"
	"fmt"
	"sort"
	"strings"
)

// Fault is one thing wrong with a table.
type Fault struct {
	File    string
	Line    int    // from 1; 0 where the whole file is meant
	Column  int    // from 1, in characters; 0 where only the line is known
	Path    string // "rules[0].targets[0].domain"; "" where the whole file is meant
	Message string // `"*.example.com" is a wildcard`
	Hint    string // what to write instead; may be ""

	// Domain is a host name beyond ASCII that was meant. Hint then asks for its
	// Punycode, which takes tables of Unicode to say.
	Domain string
}

// Error returns the fault on one line, with its position and its hint:
//
//	mapping.yaml:12:5: rules[0].targets[0].domain: "*.example.com" is a wildcard; accepted: …
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	for _, n := range []int{f.Line, f.Column} {
		if n > 0 {
			fmt.Fprintf(&b, ":%d", n)
		}
	}
	for _, s := range []string{f.Path, f.Message} {
		if s != "" {
			b.WriteString(": " + s)
		}
	}
	if f.Hint != "" {
		b.WriteString("; " + f.Hint)
	}
	return b.String()
}

// Faults is everything wrong with a table, in the order of the file; of more
// than 1,000 faults the first 999, and one that says so.
type Faults []Fault

// Error returns the first 20 faults, one a line, and how many more there are.
func (fs Faults) Error() string {
	const most = 20
	var lines []string
	for _, f := range fs[:min(len(fs), most)] {
		lines = append(lines, f.Error())
	}
	if more := len(fs) - most; more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more: run ossrefresh check", more))
	}
	return strings.Join(lines, "\n")
}

// sort brings the faults into the order of the file.
func (fs Faults) sort() {
	sort.SliceStable(fs, func(i, j int) bool {
		a, b := &fs[i], &fs[j]
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) < 0
	})
}
