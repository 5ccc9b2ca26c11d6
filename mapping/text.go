package mapping

import (
	"strconv"
	"strings"
)

// A byteSet is a set of bytes. strings.Trim would make one of its cutset at
// each call.
type byteSet [256]bool

func bytesOf(members string) *byteSet {
	var set byteSet
	for i := range len(members) {
		set[members[i]] = true
	}
	return &set
}

// all reports whether all bytes of s are in the set.
func (set *byteSet) all(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// quote shows text from a file or a key. strconv.Quote escapes whatever a
// terminal does not print.
func quote(s string) string {
	const most = 200
	if len(s) > most {
		return strconv.Quote(strings.ToValidUTF8(s[:most], "")) + "…"
	}
	return strconv.Quote(s)
}

// Nearest returns the name that is at most two letters away from s; "" if
// there is none.
func Nearest(s string, names []string) string {
	best, near := 3, ""
	for _, name := range names {
		if len(s) > len(name)+2 {
			continue
		}
		if n := distance(s, name); n < best && n < len(name) {
			best, near = n, name
		}
	}
	return near
}

// distance is the Levenshtein distance of a and b, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
