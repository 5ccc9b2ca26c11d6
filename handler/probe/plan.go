package probe

import (
	"fmt"
	"slices"
	"strings"

	"oss-cdn-refresh/mapping"
)

// An ID names an experiment.
type ID string

// The experiments, in the order of their answers.
const (
	Control      ID = "control"
	File         ID = "file"
	Apart        ID = "spellings_apart"
	Covered      ID = "spellings_covered"
	Each         ID = "spellings_each"
	Brackets     ID = "brackets"
	Directory    ID = "directory"
	Force        ID = "directory_force"
	IgnoreParams ID = "ignore_params"
	Queries      ID = "queries"
	NotFound     ID = "not_found"
	Docs         ID = "docs"
	Members      ID = "members"
	TaskPaths    ID = "task_paths"
	Duration     ID = "duration"
	Quota        ID = "quota"
)

// An Experiment answers one question.
type Experiment struct {
	ID       ID     `json:"id"`
	Question string `json:"question"`
	Does     string `json:"does"`
	Cost     Cost   `json:"cost"`
}

// A Cost is what something takes of the day's quota, and how many objects.
type Cost struct {
	URLs         int `json:"urls"`
	Directories  int `json:"directories"`
	IgnoreParams int `json:"ignore_params"`
	Objects      int `json:"objects"` // small ones, below the folder
}

func (c *Cost) add(other Cost) {
	c.URLs += other.URLs
	c.Directories += other.Directories
	c.IgnoreParams += other.IgnoreParams
	c.Objects += other.Objects
}

// A Change is what becomes of an object once the edge has it.
type Change string

// The changes.
const (
	Unchanged Change = ""
	Changed   Change = "changed"
	Removed   Change = "removed"
	Metadata  Change = "metadata" // the same bytes with another Content-Type
	Created   Change = "created"  // the edge is asked before there is an object
)

// An Object is one that a probe puts.
type Object struct {
	Name   string // below the folder, not percent-encoded
	Change Change
}

// A Watch is a URL whose copy at the edge is looked at.
type Watch struct {
	ID      ID
	Label   string // what it is, among those of its experiment
	Object  int    // in Plan.Objects
	URL     string
	Visited bool   // before the change, so that the edge has a copy
	Refresh int    // in Plan.Refreshes: what may drop the copy; -1: nothing does
	Setting string // of spellings: the least that refreshes this one
}

// A Refresh is one that is asked of the API.
type Refresh struct {
	ID     ID
	Target mapping.Target
	Alone  bool // before the others, since the API may refuse it
}

// A Plan is what a probe does.
type Plan struct {
	Site        Site
	Experiments []Experiment
	Objects     []Object
	Watches     []Watch
	Refreshes   []Refresh
}

// awkward is a name in which each row of the table of spellings differs from the
// others, of characters that people use.
const awkward = "photo (1), [final]|图@2x.txt"

const never = -1 // is refreshed

// NewPlan returns the experiments on a site.
func NewPlan(site Site) Plan {
	p := Plan{Site: site}
	p.control()
	p.files()
	p.spellings()
	p.brackets()
	p.directories()
	p.queries()
	p.notFound()
	p.docs()
	p.experiment(Members, "What members does the answer to a refresh have?",
		"reads the answers to what is refreshed")
	p.experiment(TaskPaths, "How do the task lists spell ObjectPath?",
		"lists the tasks, by id and by type")
	p.experiment(Duration, "How long is it from accepted to fresh?",
		"looks at the clock")
	p.experiment(Quota, "What do the quota operations count?",
		"asks for the quota before and after")
	return p
}

// Cost is that of all experiments.
func (p Plan) Cost() (all Cost) {
	for _, e := range p.Experiments {
		all.add(e.Cost)
	}
	return all
}

// experiment begins one: what is added next belongs to it.
func (p *Plan) experiment(id ID, question, does string) {
	p.Experiments = append(p.Experiments, Experiment{ID: id, Question: question, Does: does})
}

func (p *Plan) last() *Experiment { return &p.Experiments[len(p.Experiments)-1] }

func (p *Plan) object(name string, change Change) int {
	p.Objects = append(p.Objects, Object{name, change})
	p.last().Cost.Objects++
	return len(p.Objects) - 1
}

func (p *Plan) refresh(typ mapping.Type, url string) int {
	cost := &p.last().Cost
	switch typ {
	case mapping.Directory:
		cost.Directories++
	case mapping.IgnoreParams:
		cost.IgnoreParams++
	default:
		cost.URLs++
	}
	p.Refreshes = append(p.Refreshes, Refresh{ID: p.last().ID, Target: mapping.Target{
		Product: p.Site.Product, Type: typ, Domain: p.Site.Domain, URL: url, Event: mapping.Created,
	}})
	return len(p.Refreshes) - 1
}

func (p *Plan) watch(label string, object int, url string, refresh int) *Watch {
	p.Watches = append(p.Watches, Watch{
		ID: p.last().ID, Label: label, Object: object, URL: url, Refresh: refresh,
		Visited: true,
	})
	return &p.Watches[len(p.Watches)-1]
}

func (p *Plan) url(name string) string { return p.Site.url(name) }

func (p *Plan) control() {
	p.experiment(Control, "Does the edge keep what it has, and does nobody else refresh it?",
		"changes an object and refreshes nothing")
	const name = "control/changed.txt"
	p.watch("changed", p.object(name, Changed), p.url(name), never)
}

// changes are those of the objects that one kind of refresh is tried on.
var changes = []Change{Changed, Removed, Metadata}

func (p *Plan) files() {
	p.experiment(File, "What does a File refresh drop?",
		"changes an object, removes one, changes the Content-Type of one, and refreshes each")
	for _, change := range changes {
		name := "file/" + string(change) + ".txt"
		object := p.object(name, change)
		refresh := p.refresh(mapping.File, p.url(name))
		p.watch(string(change), object, p.url(name), refresh)
	}
}

func (p *Plan) spellings() {
	p.experiment(Apart, "Which spellings of a name does the edge keep apart?",
		"lets the edge keep the canonical one, changes the object, and asks for the others")
	object := p.object("apart/"+awkward, Changed)
	for i, s := range mapping.Spell(p.url("apart/" + awkward)) {
		w := p.watch(s.Row, object, s.URL, never)
		w.Setting, w.Visited = s.Setting, i == 0
	}

	p.experiment(Covered, "Which spellings does one refresh cover?",
		"lets the edge keep each, and refreshes the canonical one")
	object = p.object("covered/"+awkward, Changed)
	canonical := p.url("covered/" + awkward)
	refresh := p.refresh(mapping.File, canonical)
	for _, s := range mapping.Spell(canonical) {
		p.watch(s.Row, object, s.URL, refresh).Setting = s.Setting
	}

	p.experiment(Each, "Is each spelling fresh that is refreshed by itself?",
		"lets the edge keep each, and refreshes each")
	object = p.object("each/"+awkward, Changed)
	for i, s := range mapping.Spell(p.url("each/" + awkward)) {
		refresh := p.refresh(mapping.File, s.URL)
		p.Refreshes[refresh].Target.Respelt = i > 0
		p.watch(s.Row, object, s.URL, refresh).Setting = s.Setting
	}
}

func (p *Plan) brackets() {
	p.experiment(Brackets, "Does the API take [ ] and | bare?",
		"refreshes a URL with [ ] and one with |")
	bare := strings.NewReplacer("%5B", "[", "%5D", "]", "%7C", "|")
	for _, b := range []struct{ label, name string }{
		{"[ ]", "brackets/[x].txt"}, {"|", "brackets/a|b.txt"},
	} {
		object := p.object(b.name, Changed)
		folder := p.url("x")
		folder = folder[:len(folder)-1]
		url := folder + bare.Replace(p.url(b.name)[len(folder):])
		refresh := p.refresh(mapping.File, url)
		p.Refreshes[refresh].Alone, p.Refreshes[refresh].Target.Respelt = true, true
		p.watch(b.label, object, url, refresh)
	}
}

func (p *Plan) directories() {
	for _, e := range []struct {
		id    ID
		name  string
		force bool
	}{{Directory, "without", false}, {Force, "with", true}} {
		p.experiment(e.id, fmt.Sprintf("What does a Directory refresh %s Force drop?", e.name),
			"changes an object, removes one, changes the Content-Type of one, "+
				"and refreshes their directory")
		folder := strings.ReplaceAll(string(e.id), "_", "-") + "/"
		refresh := p.refresh(mapping.Directory, p.url(folder))
		p.Refreshes[refresh].Target.Force = e.force
		for _, change := range changes {
			name := folder + string(change) + ".txt"
			p.watch(string(change), p.object(name, change), p.url(name), refresh)
		}
	}
}

func (p *Plan) queries() {
	p.experiment(IgnoreParams, "Does IgnoreParams cover every query?",
		"lets the edge keep URLs with queries, and refreshes the URL without them")
	const changed, removed = "params/changed.txt", "params/removed.txt"
	object := p.object(changed, Changed)
	refresh := p.refresh(mapping.IgnoreParams, p.url(changed))
	for _, query := range []string{"", "?v=1", "?v=2&w=3"} {
		label := "changed with " + query
		if query == "" {
			label = "changed without a query"
		}
		p.watch(label, object, p.url(changed)+query, refresh)
	}
	object = p.object(removed, Removed)
	refresh = p.refresh(mapping.IgnoreParams, p.url(removed))
	p.watch("removed with ?v=1", object, p.url(removed)+"?v=1", refresh)

	p.experiment(Queries, "Does a File refresh cover the URL with a query?",
		"lets the edge keep both, and refreshes the URL without it")
	const name = "queries/changed.txt"
	object = p.object(name, Changed)
	refresh = p.refresh(mapping.File, p.url(name))
	p.watch("without a query", object, p.url(name), refresh)
	p.watch("with ?v=1", object, p.url(name)+"?v=1", refresh)
}

func (p *Plan) notFound() {
	p.experiment(NotFound, "Is a 404 kept, and does a File refresh drop it?",
		"asks for an object, puts it, and refreshes it")
	const name = "not-found/created.txt"
	object := p.object(name, Created)
	p.watch("created", object, p.url(name), p.refresh(mapping.File, p.url(name)))
}

const (
	withSlash    = "/docs/"
	withoutSlash = "/docs"
)

func (p *Plan) docs() {
	p.experiment(Docs, "What do /docs/ and /docs show of docs/index.html?",
		"asks for both, changes the object, and refreshes /docs/")
	object := p.object("docs/index.html", Changed)
	url := p.url("docs/")
	refresh := p.refresh(mapping.File, url)
	p.watch(withSlash, object, url, refresh)
	p.watch(withoutSlash, object, strings.TrimSuffix(url, "/"), refresh)
}

// rows is how many spellings have a setting as the least that refreshes them.
func (p Plan) rows(setting string) (n int) {
	for _, i := range p.watches(Covered) {
		if p.Watches[i].Setting == setting {
			n++
		}
	}
	return n
}

// watches are those of an experiment, as places in Watches.
func (p Plan) watches(id ID) (all []int) {
	for i, w := range p.Watches {
		if w.ID == id {
			all = append(all, i)
		}
	}
	return all
}

// refreshes are those of an experiment, as places in Refreshes.
func (p Plan) refreshes(id ID) (all []int) {
	for i, r := range p.Refreshes {
		if r.ID == id {
			all = append(all, i)
		}
	}
	return all
}

// Keys are those of the objects, all below the site's folder.
func (p Plan) Keys() []string {
	var all []string
	for _, o := range p.Objects {
		all = append(all, p.Site.Folder+o.Name)
	}
	slices.Sort(all)
	return all
}
