package mapping

import (
	"math/bits"
	"slices"
)

// The values of Spec.Spellings. Each has the spellings of the ones before it.
const (
	SpellCanonical = "canonical"
	SpellCommon    = "common"
	SpellAll       = "all"
)

const (
	// unreserved has the bytes that every spelling leaves bare.
	unreserved = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._/"
	// bare has what else a canonical URL leaves bare. All of it is outside the
	// path percent-encode set (URL Standard, section 1.3), so that a browser
	// leaves the URL as it is. "+" is not there: OSS reads it as a space.
	bare = "~!$&'()*,;=:@"
)

// A row is a way in which clients write a name into a URL. A cache keys the URL
// as it was asked, and who writes a link decides how the name in it is encoded,
// not the browser.
type row struct {
	bare    string // beside unreserved
	lower   bool   // %e5 instead of %E5
	plus    bool   // + instead of %20 for a space
	setting string // the least that has it
}

// rows begins with the canonical row.
var rows = withLower([]row{
	{bare, false, false, SpellCanonical},      // encodeURI, Markdown
	{"~", false, false, SpellCommon},          // RFC 3986, section 2.3: Python, PHP
	{"~!'()*", false, false, SpellCommon},     // encodeURIComponent (ECMA-262), ali-oss
	{"~$&,:;=@", false, false, SpellCommon},   // Go's url.URL
	{bare + "[]", false, false, SpellCommon},  // a bare link in Chromium
	{bare + "[]|", false, false, SpellCommon}, // and by the URL Standard, as in Firefox
}, []row{
	{"~!$&*,:;=@[]", true, false, SpellAll}, // Go's html/template, Hugo
	{"*", false, true, SpellAll},            // application/x-www-form-urlencoded: Java
	{bare, false, true, SpellAll},           // + for a space, the rest as in the canonical row
})

// withLower returns common, then the same in lower case, then more.
func withLower(common, more []row) []row {
	all := slices.Clone(common)
	for _, r := range common {
		r.lower, r.setting = true, SpellAll
		all = append(all, r)
	}
	return append(all, more...)
}

// A rowSet has the bit 1<<i for rows[i].
type rowSet uint16

const canonical rowSet = 1

var (
	// encoding has, for each byte, the rows that do not leave it bare.
	encoding [256]rowSet
	// differing has, for each byte, the rows that write it in another way than
	// the canonical one. The bit of the canonical one says that it encodes the
	// byte, so that one pass over a name tells both.
	differing [256]rowSet
	// respellings has, for each setting, its rows but for the canonical one.
	respellings = map[string]rowSet{}
)

func init() {
	every := rowSet(1<<len(rows) - 1)
	var lower, plus rowSet
	for c := range encoding {
		encoding[c] = every
	}
	for _, c := range []byte(unreserved) {
		encoding[c] = 0
	}
	for i, r := range rows {
		row := rowSet(1 << i)
		for _, c := range []byte(r.bare) {
			encoding[c] &^= row
		}
		if r.lower {
			lower |= row
		}
		if r.plus {
			plus |= row
		}
		for _, setting := range settingsFrom(r.setting) {
			respellings[setting] |= row &^ canonical
		}
	}
	for c := range differing {
		d := encoding[c]
		if d&canonical != 0 {
			d = ^d & every
			if c>>4 > 9 || c&15 > 9 { // the triplet has a letter
				d |= encoding[c] & lower
			}
			d |= canonical
		}
		differing[c] = d
	}
	differing[' '] |= plus
}

// settingsFrom returns the settings that have what the given one has.
func settingsFrom(setting string) []string {
	all := []string{SpellCanonical, SpellCommon, SpellAll}
	return all[slices.Index(all, setting):]
}

// scan returns the rows that spell path in another way than the canonical one,
// and the bit of the canonical one if it encodes anything.
func scan(path string) (rows rowSet) {
	for i := range len(path) {
		rows |= differing[path[i]]
	}
	return rows
}

// spell appends path to a URL as row i writes it.
func spell(url []byte, i int, path string) []byte {
	digits := "0123456789ABCDEF"
	if rows[i].lower {
		digits = "0123456789abcdef"
	}
	for j := range len(path) {
		switch c := path[j]; {
		case encoding[c]>>i&1 == 0:
			url = append(url, c)
		case c == ' ' && rows[i].plus:
			url = append(url, '+')
		default:
			url = append(url, '%', digits[c>>4], digits[c&15])
		}
	}
	return url
}

// join appends the raw path to a URL that ends in "/", in the canonical
// spelling, and then a suffix as it is.
func join(root, path, suffix string) string {
	if scan(path)&canonical == 0 {
		return root + path + suffix
	}
	var scratch [scratchSize]byte
	return string(append(spell(append(scratch[:0], root...), 0, path), suffix...))
}

// scratchSize is more than most URLs need. Longer ones cost an allocation.
const scratchSize = 512

// appendSpellings appends t for each spelling of the URL that shows rest, the path below
// that of s, with a suffix that is encoded already.
func (s *Spec) appendSpellings(into []Target, t Target, rest, suffix string) []Target {
	first := len(into)
	t.URL = join(s.root, rest, suffix)
	into = s.add(into, t)
	if others := (scan(rest) | s.others) & s.respellings; others != 0 {
		return s.appendRespelt(into, first, others, rest, suffix)
	}
	return into
}

// appendRespelt appends the targets of the given rows to that of the canonical one,
// which is the first. Rows that give the same text give one URL.
func (s *Spec) appendRespelt(
	into []Target, first int, others rowSet, rest, suffix string,
) []Target {
	t := into[first]
	t.Respelt = true
	var scratch [scratchSize]byte
	for ; others != 0; others &= others - 1 {
		row := bits.TrailingZeros16(uint16(others))
		url := spell(append(scratch[:0], s.origin()...), row, s.Path)
		url = append(spell(url, row, rest), suffix...)
		if slices.ContainsFunc(into[first:], func(t Target) bool { return t.URL == string(url) }) {
			continue
		}
		t.URL = string(url)
		into = s.add(into, t)
	}
	return into
}

// Respell returns the other spellings of a URL such as
// "https://example.com/a%20b?v=2" that a setting has. There are none where a
// browser would resolve a part of the path that it encodes. A bare "+" is a
// space, as it is for OSS.
func Respell(url, setting string) []string {
	p, ok := cutURL(url)
	path := decode(p.path)
	if !ok || hasDotSegment(path) {
		return nil
	}
	s := Spec{Domain: p.host, Path: "/", Spellings: setting}
	s.prepare()
	var all []string
	for _, t := range s.appendSpellings(nil, Target{}, path[1:], "") {
		if t.URL += p.query; t.URL != url {
			all = append(all, t.URL)
		}
	}
	return all
}

// SpellingsOf returns the setting that refreshes the most spellings among the
// targets of a domain; SpellCommon for a domain that t has not.
func (t *Table) SpellingsOf(domain string) string {
	for _, setting := range []string{SpellAll, SpellCommon, SpellCanonical} {
		for _, r := range t.Rules {
			has := func(s Spec) bool { return s.Domain == domain && s.Spellings == setting }
			if slices.ContainsFunc(r.Targets, has) {
				return setting
			}
		}
	}
	return SpellCommon
}

// UnsetSpellings counts the targets that leave spellings at the default.
func (t *Table) UnsetSpellings() int {
	n := 0
	for _, r := range t.Rules {
		for _, s := range r.Targets {
			if !s.chosen {
				n++
			}
		}
	}
	return n
}
