package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// invalid is said of records beside the function's own words.
const invalid = "invalid"

// noRule says why an object of a bucket is of no rule. The names are the table's buckets.
func noRule(names []string, bucket string) string {
	const most = 5
	if slices.Contains(names, bucket) {
		return "no rule of its bucket matches it"
	}
	text := "the table has no rule for its bucket; it has rules for " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text += fmt.Sprintf(" and %d more", len(names)-most)
	}
	return text
}

// A story is what the function's own packages make of an event, up to the
// requests.
type story struct {
	Records []record `json:"records"`
	Targets int      `json:"targets"`
	Merged  int      `json:"debounced"`
	Folded  int      `json:"folded"` // files that a directory takes the place of
	Items   []item   `json:"items"`
}

// A record is one of the event's.
type record struct {
	Record  string       `json:"record"` // where it stood, counted from 0
	Fate    string       `json:"fate"`
	Kind    string       `json:"kind,omitempty"`
	Bucket  string       `json:"bucket,omitempty"`
	Key     string       `json:"key,omitempty"`
	Rule    string       `json:"rule,omitempty"`
	Reason  string       `json:"reason,omitempty"` // why it refreshes nothing
	Targets []targetView `json:"targets"`

	origin events.Origin
}

// An item is a URL with the records that ask for it.
type item struct {
	targetView
	Records []string `json:"records"`
	Covers  []string `json:"covers,omitempty"` // the URLs that a Directory spares
}

// tell returns the story of an event.
func tell(table *mapping.Table, file string, batch events.Batch) story {
	trace, names := handler.Map(table, batch.Changes), buckets(table)
	s := story{Records: []record{}, Items: []item{}, Targets: len(trace.Targets)}
	for i, c := range trace.Changes {
		r := newRecord(file, c, trace.Matches[i], trace.Fate(i))
		if trace.Fate(i) == handler.Unmatched {
			r.Reason = noRule(names, c.Bucket)
		}
		s.Records = append(s.Records, r)
	}
	for _, i := range batch.Ignored {
		s.Records = append(s.Records, record{
			Record: i.Origin.String(), Fate: string(handler.Ignored), Reason: i.Reason,
			Targets: []targetView{}, origin: i.Origin,
		})
	}
	for _, i := range batch.Invalid {
		s.Records = append(s.Records, record{
			Record: i.Origin.String(), Fate: invalid, Reason: i.Err.Error(),
			Targets: []targetView{}, origin: i.Origin,
		})
	}
	slices.SortStableFunc(s.Records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.origin.Message, b.origin.Message),
			cmp.Compare(a.origin.Record, b.origin.Record))
	})
	items := refresh.Debounce(trace.Targets)
	s.Merged = s.Targets - len(items)
	for _, it := range refresh.Fold(items, handler.FoldRules(table)) {
		s.Items = append(s.Items, newItem(it, trace.Changes))
		if it.InPlaceOfFiles() {
			s.Folded += len(it.Covered)
		}
	}
	return s
}

func newRecord(file string, c events.Change, match mapping.Match, fate handler.Fate) record {
	return record{
		Record: c.Origin.String(), Fate: string(fate), Kind: string(c.Kind),
		Bucket: c.Bucket, Key: c.Key, Rule: place(file, match.Rule), Reason: match.Ignored,
		Targets: newTargets(match.Targets), origin: c.Origin,
	}
}

func newItem(it refresh.Item, changes []events.Change) item {
	i := item{targetView: newItemView(it)}
	for _, file := range it.Covered {
		i.Covers = append(i.Covers, file.URL)
	}
	for _, record := range it.AllRecords() {
		i.Records = append(i.Records, changes[record].Origin.String())
	}
	i.Records = slices.Compact(i.Records)
	return i
}

// text shows the story; requests has the number of the request of each URL.
func (s story) text(p *page, requests map[targetView]int) {
	p.title("RECORDS: %d", len(s.Records))
	rows := [][]string{{"record", "change", "rule", "bucket", "key"}}
	for _, r := range s.Records {
		rows = append(rows, r.row())
	}
	if len(s.Records) > 0 {
		p.rows(rows)
	}
	if len(s.Items) == 0 {
		return
	}
	p.title("TARGETS: %s, %s, %s to refresh", plural(s.Targets, "target"),
		merged(s.Merged, s.Folded), plural(len(s.Items), "URL"))
	rows = [][]string{{"product", "type", "records", "request", "URL"}}
	for _, i := range s.Items {
		rows = append(rows, []string{
			named(i.Product, i.Site), i.Type, joinRecords(i.Records), numberOf(requests, i.targetView),
			withName(i.URL),
		})
		for _, url := range i.Covers {
			rows = append(rows, []string{"", "", "", "covers", withName(url)})
		}
	}
	p.rows(rows)
}

// merged says what became of targets that are not refreshed themselves.
func merged(merged, folded int) string {
	if folded == 0 {
		return fmt.Sprintf("%d merged", merged)
	}
	return fmt.Sprintf("%d merged, %d folded into directories", merged, folded)
}

func numberOf(requests map[targetView]int, t targetView) string {
	if n := requests[t]; n > 0 {
		return strconv.Itoa(n)
	}
	return "-"
}

// row is a line on a record, the name last.
func (r record) row() []string {
	if r.Bucket == "" {
		return []string{r.Record, r.Fate, "", "", r.Reason}
	}
	text := shown(r.Key)
	if r.Reason != "" {
		text += "  (" + r.Fate + ": " + r.Reason + ")"
	}
	return []string{r.Record, r.Kind, orDash(short(r.Rule)), shown(r.Bucket), text}
}

// joinRecords lists records, at most a few: a URL may have hundreds.
func joinRecords(records []string) string {
	const most = 4
	text := ""
	for i, r := range records {
		if i == most {
			return text + " and " + strconv.Itoa(len(records)-most) + " more"
		}
		if i > 0 {
			text += ", "
		}
		text += r
	}
	return text
}
