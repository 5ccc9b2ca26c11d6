package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"oss-cdn-refresh/mapping"
)

type explainCommand struct {
	tableFlag
	Event   string   `enum:"created,removed,modified" default:"created" help:"What happened to the object: created, removed or modified."`
	New     bool     `help:"There was no object of that key before."`
	Subject []string `arg:"" name:"subject" sep:"none" help:"BUCKET KEY, oss://BUCKET/KEY, s3://BUCKET/KEY, or a URL."`
}

func (*explainCommand) Help() string {
	return `For a URL, it says whether a change of the object refreshes it exactly as it is written. A cache keeps each spelling of a URL apart: photo%20(1).jpg and photo%20%281%29.jpg are two entries.

Examples:

    ossrefresh explain my-site www/docs/index.html
    ossrefresh explain --event removed oss://my-site/www/old.html
    ossrefresh explain https://www.example.com/docs/
    ossrefresh explain www.example.com/photo%20%281%29.jpg`
}

func (cmd *explainCommand) Run(c *console) error {
	bucket, key, err := cmd.object()
	if err != nil {
		return err
	}
	table, err := cmd.load()
	if err != nil {
		return err
	}
	if bucket == "" {
		return cmd.explainURL(c, table, cmd.Subject[0])
	}
	if bare := strings.TrimLeft(key, "/"); bare != key && bare != "" { // as keys of S3 may
		c.hint("keys of OSS do not begin with a slash; did you mean " + shown(bare) + "?")
	}
	if key == "" {
		return misuse(fmt.Errorf("bucket %q is named without a key", bucket),
			"give BUCKET KEY or oss://BUCKET/KEY")
	}
	if !utf8.ValidString(bucket) || !utf8.ValidString(key) {
		err := fmt.Errorf("bucket %q, key %q: a name of OSS is valid UTF-8", bucket, key)
		return misuse(err, "check the terminal's encoding")
	}
	if names := buckets(table); !slices.Contains(names, bucket) {
		if near := mapping.Nearest(bucket, names); near != "" {
			c.hint("did you mean the bucket " + near + "?")
		}
	}
	o := mapping.Object{Bucket: bucket, Key: key, Event: mapping.Event(cmd.Event), New: cmd.New}
	return c.show(explainObject(table, cmd.file(), o))
}

const acceptedSubject = "give BUCKET KEY, oss://BUCKET/KEY, s3://BUCKET/KEY, " +
	"or a URL such as https://www.example.com/docs/"

// object returns the bucket and key that the command line names; no bucket
// where it names a URL.
func (cmd *explainCommand) object() (bucket, key string, err error) {
	first := cmd.Subject[0]
	object, isObject := cutScheme(first)
	switch {
	case len(cmd.Subject) == 2:
		return strings.TrimSuffix(object, "/"), cmd.Subject[1], nil
	case len(cmd.Subject) > 2:
		err := fmt.Errorf("there are %d arguments, not a bucket and a key", len(cmd.Subject))
		bucket, key := strings.TrimSuffix(object, "/"), strings.Join(cmd.Subject[1:], " ")
		right := explainCommandFor(bucket, key)
		return "", "", misuse(err, "put a key with spaces in quotes: "+right)
	case isObject:
		bucket, key, _ = strings.Cut(object, "/")
		return bucket, key, nil
	case strings.Contains(first, "://"),
		strings.Contains(dots.Replace(first[:hostEnd(first)]), "."):
		return "", "", nil
	}
	err = fmt.Errorf("%q is neither a URL nor a bucket with a key", first)
	if bucket, key, ok := strings.Cut(first, "/"); ok && bucket != "" && key != "" {
		return "", "", misuse(err, "did you mean: "+explainCommandFor(bucket, key))
	}
	return "", "", misuse(err, acceptedSubject)
}

// explainCommandFor is the command line for an object, as a shell takes it.
func explainCommandFor(bucket, key string) string {
	return "ossrefresh explain " + shellWord(bucket) + " " + shellWord(key)
}

// cutScheme cuts the scheme that names an object off.
func cutScheme(s string) (object string, ok bool) {
	for _, scheme := range []string{"oss://", "s3://"} {
		if len(s) >= len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return s[len(scheme):], true
		}
	}
	return s, false
}

// An explanation says how the table comes to an object's URLs.
type explanation struct {
	Bucket  string       `json:"bucket"`
	Key     string       `json:"key"`
	Event   string       `json:"event"`
	Rule    string       `json:"rule,omitempty"` // file:line; none: unmatched
	Ignored string       `json:"ignored,omitempty"`
	Steps   []step       `json:"steps"`
	Targets []targetView `json:"targets"`
	Buckets []string     `json:"buckets,omitempty"` // of the table, where this one is not in it
}

// A step is a rule or filter that had a say.
type step struct {
	Rule   string `json:"rule"`
	Passed bool   `json:"passed"`
	Text   string `json:"text"`
}

// A targetView is one thing to refresh.
type targetView struct {
	Product string `json:"product"`
	Type    string `json:"type"`
	URL     string `json:"url"`
}

func explainObject(table *mapping.Table, file string, o mapping.Object) explanation {
	match := table.Map(o)
	e := explanation{
		Bucket: o.Bucket, Key: o.Key, Event: string(o.Event),
		Rule: place(file, match.Rule), Ignored: match.Ignored,
		Steps: []step{}, Targets: newTargets(match.Targets),
	}
	for _, s := range table.Explain(o) {
		e.Steps = append(e.Steps, step{place(file, s.Rule), s.Passed, s.Text})
	}
	if len(e.Steps) == 0 {
		e.Buckets = buckets(table)
	}
	return e
}

// place says where a rule stands: file:line.
func place(file string, rule *mapping.Rule) string {
	if rule == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", file, rule.Line)
}

// short is a place without the folder.
func short(place string) string {
	if place == "" {
		return ""
	}
	return filepath.Base(place)
}

func newTargets(targets []mapping.Target) []targetView {
	all := make([]targetView, len(targets))
	for i, t := range targets {
		all[i] = newTarget(t)
	}
	return all
}

func newTarget(t mapping.Target) targetView {
	return targetView{string(t.Product), string(t.Type), t.URL}
}

func buckets(table *mapping.Table) []string {
	var names []string
	for _, r := range table.Rules {
		names = append(names, r.Bucket)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (e explanation) text(p *page) {
	p.title("%s of %s %s", e.Event, shown(e.Bucket), shown(e.Key))
	var rows [][]string
	for _, s := range e.Steps {
		rows = append(rows,
			[]string{map[bool]string{true: "yes", false: "no"}[s.Passed], short(s.Rule), s.Text})
	}
	p.rows(rows)
	switch {
	case e.Buckets != nil:
		p.line("  the table has no rule for this bucket; it has rules for %s",
			strings.Join(e.Buckets, ", "))
	case e.Rule == "":
		p.line("  no rule of this bucket matches this key: nothing is refreshed")
	case e.Ignored != "":
		p.line("  nothing is refreshed: %s", e.Ignored)
	}
	if len(e.Targets) > 0 {
		p.title("URLs, by the rule at %s", e.Rule)
		p.rows(targetRows(e.Targets))
	}
}

func targetRows(targets []targetView) [][]string {
	var rows [][]string
	for _, t := range targets {
		rows = append(rows, []string{t.Product, t.Type, withName(t.URL)})
	}
	return rows
}

// Sources are the objects that a URL can show.
type sources struct {
	URL     string   `json:"url"`
	Objects []source `json:"objects"`
	Domains []string `json:"domains,omitempty"` // of the table, where nothing was found
}

type source struct {
	Rule    string `json:"rule"`
	Product string `json:"product"`
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Below   bool   `json:"below,omitempty"` // any key that begins so

	Refreshed bool   `json:"refreshed"`           // a change refreshes the URL as it is written
	Spellings string `json:"spellings,omitempty"` // the least that has it; none: no setting has
	OddQuery  bool   `json:"odd_query,omitempty"` // its query is not one of the target's

	spelt bool // the target's setting has this spelling
}

// fate says whether a change of the object refreshes the URL.
func (s source) fate() string {
	spelling := "it needs spellings: " + s.Spellings
	if s.Spellings == "" {
		spelling = "no setting covers this spelling"
	}
	switch {
	case s.Refreshed:
		return "a change refreshes it"
	case !s.OddQuery:
		return "not refreshed: " + spelling
	case s.spelt:
		return "not refreshed: its query is not one of the target's queries"
	}
	return "not refreshed: its query is not one of the target's queries, and " + spelling
}

// keys is the key for people.
func (s source) keys() string {
	switch {
	case !s.Below:
		return shown(s.Key)
	case s.Key == "":
		return "any key"
	}
	return shown(s.Key) + "… (any key below)"
}

func (cmd *explainCommand) explainURL(c *console, table *mapping.Table, url string) error {
	url = trimmed(url)
	asked, domain := withDomain(url)
	found, err := mapping.Sources(table, asked)
	if err != nil {
		return misuse(err, acceptedSubject)
	}
	if names := domains(table, ""); !slices.Contains(names, domain) {
		if near := mapping.Nearest(domain, names); near != "" {
			c.hint("did you mean the domain " + near + "?")
		}
	}
	if _, fragment, ok := strings.Cut(url, "#"); ok {
		c.hint("browsers do not send " + shown("#"+fragment) +
			" to a server; write a # in a name as %23")
	}
	notUTF8 := func(f mapping.Source) bool { return !utf8.ValidString(f.Key) }
	if !utf8.ValidString(url) || slices.ContainsFunc(found, notUTF8) {
		err := fmt.Errorf("%q: an object's URL is valid UTF-8", url)
		return misuse(err, "check the terminal's encoding")
	}
	s := sources{URL: url, Objects: []source{}}
	for _, f := range found {
		s.Objects = append(s.Objects, newSource(cmd.file(), f))
	}
	if len(found) == 0 {
		s.Domains = domains(table, "")
	}
	return c.show(s)
}

// withDomain returns a URL with its domain as DNS has it, and the domain.
func withDomain(url string) (full, domain string) {
	scheme, rest, _ := strings.Cut(withScheme(url), "://")
	end := hostEnd(rest)
	domain, problem, meant := domainIn(rest[:end], strings.ToLower(scheme))
	if problem != "" {
		return withScheme(url), meant
	}
	return scheme + "://" + domain + rest[end:], domain
}

func newSource(file string, f mapping.Source) source {
	return source{
		Rule: place(file, f.Rule), Product: string(f.Spec.Product),
		Bucket: f.Bucket, Key: f.Key, Below: f.Below,
		Refreshed: f.Refreshed(), Spellings: f.Spelling, OddQuery: f.OddQuery, spelt: f.Spelt,
	}
}

// domains lists the domains of a product, or of both.
func domains(table *mapping.Table, product mapping.Product) []string {
	var names []string
	for _, r := range table.Rules {
		for _, t := range r.Targets {
			if cmp.Or(product, t.Product) == t.Product {
				names = append(names, t.Domain)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (s sources) text(p *page) {
	p.title("%s can show", shown(s.URL))
	var rows [][]string
	for _, o := range s.Objects {
		keys := o.keys() + "  (" + o.fate() + ")"
		rows = append(rows, []string{short(o.Rule), o.Product, shown(o.Bucket), keys})
	}
	p.rows(rows)
	if len(s.Objects) == 0 {
		p.line("  the table shows no object there; its domains are %s",
			strings.Join(s.Domains, ", "))
	}
}
