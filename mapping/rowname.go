package mapping

// A Spelling is a URL as one row of the table of spellings writes it.
type Spelling struct {
	Row     string // who writes it so: "encodeURIComponent (ali-oss)"
	Setting string // the least value of Spec.Spellings that refreshes it
	URL     string
}

// rowNames says of each row who writes names so.
var rowNames = [...]string{
	"canonical",
	"RFC 3986 (Python and PHP)",
	"encodeURIComponent (ali-oss)",
	"Go url.URL",
	"a bare link in Chromium",
	"a bare link in Firefox",
	"canonical with %e5",
	"RFC 3986 with %e5",
	"encodeURIComponent with %e5",
	"Go url.URL with %e5",
	"Chromium with %e5",
	"Firefox with %e5",
	"Go html/template (Hugo)",
	"Java URLEncoder",
	"canonical with + for a space",
}

// Spell returns a URL such as "https://example.com/a%20b" in the spelling of each
// row, the canonical one first. Rows that give the same text are one, which has
// the name of the first. There are none for what is not an absolute URL, or has a
// "." or ".." segment.
func Spell(url string) []Spelling {
	p, ok := cutURL(url)
	path := decode(p.path)
	if !ok || hasDotSegment(path) {
		return nil
	}
	var all []Spelling
	seen := map[string]bool{}
	for i, r := range rows {
		spelt := string(spell([]byte("https://"+p.host), i, path)) + p.query
		if !seen[spelt] {
			seen[spelt] = true
			all = append(all, Spelling{rowNames[i], r.setting, spelt})
		}
	}
	return all
}
