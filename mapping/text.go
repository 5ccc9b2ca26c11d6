package mapping

import (
	"strconv"
	"strings"
	"unicode/utf8"
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

// nearest returns the name that is at most two letters away from s; "" if
// there is none.
func nearest(s string, names []string) string {
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

// punycodeHost returns a host name with its labels beyond ASCII in the form
// that DNS has them. It does without the tables of Unicode normalization
// (golang.org/x/net/idna adds 190 kB to a binary), so it is right for names as
// people type them; it is only ever shown as a hint.
func punycodeHost(host string) string {
	labels := strings.Split(strings.ReplaceAll(host, "。", "."), ".")
	for i, l := range labels {
		if !ascii(l) {
			labels[i] = "xn--" + punycode([]rune(l))
		}
	}
	return strings.Join(labels, ".")
}

// The parameters of Punycode (RFC 3492, section 5).
const (
	pBase, pMin, pMax   = 36, 1, 26
	pSkew, pDamp, pBias = 38, 700, 72
)

// punycode encodes a label (RFC 3492, section 6.3).
func punycode(label []rune) string {
	out := make([]byte, 0, 2*len(label))
	for _, r := range label {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	if basic > 0 {
		out = append(out, '-')
	}
	delta, bias, done := 0, pBias, basic
	for n := rune(utf8.RuneSelf); done < len(label); n++ {
		next := nextRune(label, n)
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range label {
			switch {
			case r < n:
				delta++
			case r == n:
				out = appendDelta(out, delta, bias)
				done++
				bias = nextBias(delta, done, done == basic+1)
				delta = 0
			}
		}
		delta++
	}
	return string(out)
}

// nextRune returns the least rune of label that is n or more.
func nextRune(label []rune, n rune) rune {
	next := rune(utf8.MaxRune)
	for _, r := range label {
		if r >= n {
			next = min(next, r)
		}
	}
	return next
}

// appendDelta appends a delta as a variable-length integer.
func appendDelta(out []byte, delta, bias int) []byte {
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	for k := pBase; ; k += pBase {
		t := min(max(k-bias, pMin), pMax)
		if delta < t {
			return append(out, digits[delta])
		}
		out = append(out, digits[t+(delta-t)%(pBase-t)])
		delta = (delta - t) / (pBase - t)
	}
}

// nextBias adapts the bias to a delta (RFC 3492, section 6.1).
func nextBias(delta, points int, first bool) int {
	if first {
		delta /= pDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > (pBase-pMin)*pMax/2; k += pBase {
		delta /= pBase - pMin
	}
	return k + (pBase-pMin+1)*delta/(delta+pSkew)
}
