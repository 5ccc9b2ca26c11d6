package probe

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A Report is what a probe does or, once it was done, what it has found.
type Report struct {
	Version     string       `json:"version"` // of the program
	Live        bool         `json:"live"`    // false: nothing was asked of anybody
	Domain      string       `json:"domain"`
	Product     string       `json:"product"`
	Bucket      string       `json:"bucket"`
	Folder      string       `json:"folder"` // of all objects
	Edge        string       `json:"edge,omitempty"`
	Began       time.Time    `json:"began,omitzero"`
	Ended       time.Time    `json:"ended,omitzero"`
	Cost        Cost         `json:"cost"` // at most
	Experiments []Experiment `json:"experiments,omitempty"`
	Answers     []Answer     `json:"answers"`
	Settings    []Setting    `json:"settings"`
	Notes       []string     `json:"notes"`
	Left        []string     `json:"left"` // keys of objects that could not be removed
}

// Planned is the report of a plan that is not carried out.
func Planned(p Plan) Report {
	r := newReport(p)
	at := strings.LastIndex(r.Folder, FolderPrefix)
	r.Folder = r.Folder[:at] + FolderPrefix + "TIME/"
	r.Experiments = p.Experiments
	return r
}

// Found is the report of what was observed.
func Found(o Observations) Report {
	r := newReport(o.Plan)
	r.Live = true
	r.Began, r.Ended = o.Began.UTC().Truncate(time.Second), o.Ended.UTC().Truncate(time.Second)
	r.Answers = append(r.Answers, answersOf(o)...)
	r.Settings = append(r.Settings, settingsOf(o)...)
	r.Notes = append(r.Notes, o.Notes...)
	r.Left = append(r.Left, o.Left...)
	return r
}

func newReport(p Plan) Report {
	r := Report{
		Domain: p.Site.Domain, Product: string(p.Site.Product),
		Bucket: p.Site.Bucket, Folder: p.Site.Folder, Cost: p.Cost(),
		Answers: []Answer{}, Settings: []Setting{}, Notes: []string{}, Left: []string{},
	}
	if p.Site.Handled {
		r.Notes = append(r.Notes, "the table's rule is for these objects too: "+
			"a function that is deployed refreshes them, "+
			"which takes quota of its own and leaves the answers in doubt; "+
			"deploy the rule with exclude: ['**/"+FolderPrefix+"*/**'] first")
	}
	return r
}

// Rewrite rewrites all texts that may have come from elsewhere.
func (r *Report) Rewrite(rewrite func(string) string) {
	texts := []*string{&r.Domain, &r.Bucket, &r.Folder, &r.Edge}
	for i := range r.Answers {
		a := &r.Answers[i]
		texts = append(texts, &a.Answer)
		for j := range a.Details {
			texts = append(texts, &a.Details[j].Because)
		}
	}
	for i := range r.Notes {
		texts = append(texts, &r.Notes[i])
	}
	for i := range r.Left {
		texts = append(texts, &r.Left[i])
	}
	for _, text := range texts {
		*text = rewrite(*text)
	}
}

// accountIDs are the ids of accounts and of access keys, as messages of the API
// have them: 16 digits, and what begins LTAI, STS. or TMP.
var accountIDs = regexp.MustCompile(`\b\d{14,20}\b|\b(?:LTAI|STS\.|TMP\.)[A-Za-z0-9._-]{6,}`)

// WithoutAccount hides account ids and access key ids.
func WithoutAccount(text string) string { return accountIDs.ReplaceAllString(text, "***") }

// Redaction returns what hides the domain, the bucket, the prefix of the folder and
// the edge of a site.
func Redaction(s Site, edge string) func(string) string {
	host, _, _ := strings.Cut(edge, ":")
	name := regexp.QuoteMeta(s.Bucket)
	bucket := regexp.MustCompile(`(^|[^a-z0-9-])` + name + `($|[^a-z0-9-])`)
	prefix := s.Folder[:strings.LastIndex(s.Folder, FolderPrefix)]
	var pairs []string // the first that fits counts
	if host != "" {
		pairs = append(pairs, edge, "EDGE", host, "EDGE")
	}
	pairs = append(pairs, s.Domain, "DOMAIN")
	path := strings.TrimPrefix(s.url(""), "https://"+s.Domain)
	if at := strings.LastIndex(path, FolderPrefix); at > 1 {
		pairs = append(pairs, path[:at]+FolderPrefix, "/PATH/"+FolderPrefix)
	}
	if prefix != "" {
		pairs = append(pairs, prefix+FolderPrefix, "PREFIX/"+FolderPrefix)
	}
	words := strings.NewReplacer(pairs...)
	return func(text string) string {
		return bucket.ReplaceAllString(words.Replace(text), "${1}BUCKET$2")
	}
}

// String is a cost in words: "24 URLs, 2 directories, 2 IgnoreParams, 20 small
// objects"; "nothing" where there is none.
func (c Cost) String() string {
	var parts []string
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{c.URLs, "URL", "URLs"},
		{c.Directories, "directory", "directories"},
		{c.IgnoreParams, "IgnoreParams", "IgnoreParams"},
		{c.Objects, "small object", "small objects"},
	} {
		switch part.n {
		case 0:
		case 1:
			parts = append(parts, "1 "+part.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.many))
		}
	}
	if parts == nil {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}
