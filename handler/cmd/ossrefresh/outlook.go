package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"oss-cdn-refresh/handler/forecast"
)

// An outlook is what a forecast has found out.
type outlook struct {
	Mapping string           `json:"mapping"`
	Bucket  string           `json:"bucket"`
	Prefix  string           `json:"prefix"`
	Batch   int              `json:"batch"`           // events an invocation sees; 0: all of a publish
	Result  *forecast.Result `json:"forecast"`        // null: the log only
	Spent   *forecast.Spend  `json:"spent,omitempty"` // by the function's log

	guessed bool   // the quota, though the table has sites of ESA
	written string // the name of the page; "" if none was asked for

	listed bool // the history is of listings, which tell how files were uploaded
	quota  forecast.Quota
}

// spread is how far the past told of what followed. It was measured on the
// publishing histories of 35 sites.
const spread = "A record of the past, not a promise: of 661 windows of 90 days on 35 sites," +
	" half were followed by 0.55 to 1.77 times as much."

// planned says what must be known of sites of ESA.
const planned = "A site of ESA has the quota of its plan: give it with --quota," +
	" as ossrefresh quota --product esa shows it."

func (o outlook) text(p *page) {
	if r := o.Result; r != nil {
		p.line("%s on %s, %s, %s to %s", o.Mapping,
			countPublishes(r.Publishes), plural(len(r.Spend.Days), "day"), r.First, r.Last)
		if r.Unmatched > 0 {
			p.line("%s of files are of no rule", plural(r.Unmatched, "change"))
		}
		o.spendText(p, r)
		p.title("STALE after any publish: %s (all URLs of all objects cached for ever, 404s too)",
			staleText(r.Spend))
		o.proposalText(p, r)
	}
	if o.Spent != nil {
		o.spentText(p)
	}
	if o.guessed {
		p.line("")
		p.line("%s", planned)
	}
	if o.Result != nil {
		p.line("")
		p.line("%s", spread)
	}
	if o.written != "" {
		p.line("")
		p.line("The page is in %s: open it in a browser.", o.written)
	}
}

func (o outlook) spendText(p *page, r *forecast.Result) {
	how := "if only changed files are uploaded"
	if o.listed {
		how = "as files were uploaded"
	}
	p.title("SPEND, %s", how)
	p.rows(aligned(spendRows(r.Spend, r.Quota), 1, 2, 3))
	needlessText(p, r.Spend)
	p.title("SPEND, if every file is uploaded each time (cp -r, or cp -u after a CI checkout)")
	p.rows(aligned(spendRows(r.Everything, r.Quota), 1, 2, 3))
	needlessText(p, r.Everything)
	p.title("URLs a day")
	for _, line := range plot(r.Spend.Days, r.Quota.URLs) {
		p.line("%s", line)
	}
}

func needlessText(p *page, s forecast.Spend) {
	if s.Needless > 0 {
		p.line("  needless, since the content was what it was before: %s of the URLs",
			thousands(s.Needless))
	}
}

func spendRows(s forecast.Spend, q forecast.Quota) [][]string {
	rows := [][]string{{"", "median day", "worst day", "in all", "days over the quota"}}
	add := func(name string, t forecast.Tally, quota int) {
		rows = append(rows, []string{
			name, thousands(t.MedianDay), thousands(t.WorstDay), thousands(t.Total),
			fmt.Sprintf("%d of %d (%s a day)", t.DaysOver, len(s.Days), thousands(quota)),
		})
	}
	add("urls", s.URLs, q.URLs)
	add("directories", s.Directories, q.Directories)
	if s.Queries.Total > 0 {
		add("with every query", s.Queries, forecast.QueriesQuota)
	}
	return rows
}

func staleText(s forecast.Spend) string {
	text := plural(s.Stale, "URL")
	if s.Early > 0 {
		text += fmt.Sprintf(", and %s more %s", thousands(s.Early), early)
	}
	if s.Example != "" {
		text += ", such as " + s.Example
	}
	return text
}

func (o outlook) proposalText(p *page, r *forecast.Result) {
	if len(r.Proposals) == 0 {
		return
	}
	p.title("WHAT WOULD SPEND LESS")
	rows := [][]string{
		{"", "urls", "dirs", "calls", "worst day", "days over", "saved", "stale", ""},
	}
	for _, it := range r.Proposals {
		rows = append(rows, []string{
			it.Name, thousands(it.URLs.Total), thousands(it.Directories.Total), thousands(it.Calls),
			thousands(it.URLs.WorstDay), strconv.Itoa(it.DaysOver), percent(it.Saved),
			thousands(it.Stale), remark(it),
		})
	}
	p.rows(aligned(rows, 1, 2, 3, 4, 5, 6, 7))
}

// early says when a 404 of a new object is cached.
const early = "if asked for before the first upload"

// remark is what else there is to say of a proposal.
func remark(p forecast.Proposal) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case p.Refused && p.Stale == 0:
		add("not advised: leaves %s stale %s, such as %s", plural(p.Early, "URL"), early, p.Example)
	case p.Refused && p.Early > 0:
		add("not advised: leaves URLs such as %s stale, and %s more %s", p.Example, thousands(p.Early), early)
	case p.Refused:
		add("not advised: leaves URLs such as %s stale", p.Example)
	case p.Saved < 0:
		add("costs more, and leaves less stale")
	}
	if p.Everything {
		add("if you upload everything today")
	}
	if p.Dropped > 0 {
		add("asks the origin for %s URLs that had not changed", thousands(p.Dropped))
	}
	return strings.Join(parts, "; ")
}

func (o outlook) spentText(p *page) {
	p.title("REALLY SPENT, by the function's log")
	p.rows(aligned(spendRows(*o.Spent, o.quota), 1, 2, 3))
	if o.Result == nil {
		p.title("URLs a day")
		for _, line := range plot(o.Spent.Days, o.quota.URLs) {
			p.line("%s", line)
		}
		return
	}
	urls := map[string]int{}
	for _, day := range o.Result.Spend.Days {
		urls[day.Day] = day.URLs
	}
	foreseen, spent, days := 0, 0, 0
	for _, day := range o.Spent.Days {
		if n, both := urls[day.Day]; both {
			foreseen, spent, days = foreseen+n, spent+day.URLs, days+1
		}
	}
	p.line("  on %s of both: %s URLs by the log, %s by the forecast",
		plural(days, "day"), thousands(spent), thousands(foreseen))
}

// failure tells that the quota would not have sufficed.
func (o outlook) failure() error {
	spend, what := o.Spent, "was exceeded"
	if o.Result != nil {
		spend, what = &o.Result.Spend, "would have been exceeded"
	}
	if spend.DaysOver == 0 {
		return nil
	}
	return fmt.Errorf("the quota %s on %d of %s", what, spend.DaysOver, plural(len(spend.Days), "day"))
}

// aligned puts the cells of some columns at their right end.
func aligned(rows [][]string, columns ...int) [][]string {
	for _, column := range columns {
		width := 0
		for _, row := range rows {
			width = max(width, utf8.RuneCountInString(row[column]))
		}
		for _, row := range rows {
			padding := strings.Repeat(" ", width-utf8.RuneCountInString(row[column]))
			row[column] = padding + row[column]
		}
	}
	return rows
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// thousands writes 12,345.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// plot draws the URLs of days as bars, with the quota as a line. Where there are
// more days than columns, a bar is the worst of several.
func plot(days []forecast.Day, quota int) []string {
	const rows, columns = 6, 60
	bars := make([]int, min(len(days), columns))
	for i, d := range days {
		bar := i * len(bars) / len(days)
		bars[bar] = max(bars[bar], d.URLs)
	}
	if len(bars) == 0 {
		return nil
	}
	top := max(slices.Max(bars), quota, 1)
	line := quota * rows / top // the row at whose lower end the quota is
	if quota > 0 && line == rows {
		line = rows - 1
	}
	label := func(row int) string {
		switch {
		case row == line:
			return thousands(quota) + " ┼"
		case row == rows-1:
			return thousands(top) + " ┤"
		}
		return "┤"
	}
	var lines []string
	width := max(len(thousands(top)), len(thousands(quota))) + len(" ") + 3
	for row := rows - 1; row >= 0; row-- {
		text := label(row)
		text = strings.Repeat(" ", width-utf8.RuneCountInString(text)) + text
		for _, n := range bars {
			switch {
			case n*rows >= (row+1)*top:
				text += "█"
			case n*rows > row*top && n > 0:
				text += string([]rune("▁▂▃▄▅▆▇█")[min(7, (n*rows*8-row*top*8)/top)])
			case row == line:
				text += "╌"
			default:
				text += " "
			}
		}
		lines = append(lines, strings.TrimRight(text, " "))
	}
	first, last := days[0].Day, days[len(days)-1].Day
	foot := strings.Repeat(" ", width) + first
	if gap := len(bars) - len(first) - len(last); gap > 0 {
		foot += strings.Repeat(" ", gap) + last
	} else if last != first {
		foot += " to " + last
	}
	return append(lines, foot)
}

//go:embed forecast.html
var pageText string

var pageTemplate = template.Must(template.New("forecast").Funcs(template.FuncMap{
	"thousands": thousands, "plural": plural, "publishes": countPublishes,
}).Parse(pageText))

// writePage writes a page that needs nothing else.
func (o outlook) writePage(name string) error {
	if o.Result == nil {
		return misuse(fmt.Errorf("--html: the page shows a forecast, and there is no history"),
			"give one of --git, --git-log and --inventory")
	}
	var text strings.Builder
	if err := pageTemplate.Execute(&text, o.page()); err != nil {
		return fmt.Errorf("making the page: %w", err)
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

// A pageData is what the page is made of.
type pageData struct {
	outlook
	How    string
	Spread string
	Plan   string // of sites of ESA, if it has to be known
	Series []series
}

// A series is one way to refresh, as the page draws it.
type series struct {
	Name     string         `json:"name"`
	Advice   string         `json:"advice"`
	Remark   string         `json:"remark"`
	On       bool           `json:"on"` // at first
	Refused  bool           `json:"refused"`
	Saved    string         `json:"saved"`
	DaysOver int            `json:"days_over"`
	Stale    int            `json:"stale"`
	URLs     int            `json:"urls"`
	Worst    int            `json:"worst"`
	Dirs     int            `json:"dirs"`
	Calls    int            `json:"calls"`
	Days     map[string]int `json:"days"` // URLs by day
}

func (o outlook) page() pageData {
	r := o.Result
	d := pageData{outlook: o, How: "changed files uploaded", Spread: spread}
	if o.listed {
		d.How = "as uploaded"
	}
	if o.guessed {
		d.Plan = planned
	}
	d.Series = []series{
		newSeries(d.How, r.Spend), newSeries("every file uploaded each time", r.Everything),
	}
	d.Series[0].On = true
	best := -1
	for i, p := range r.Proposals {
		s := newSeries(p.Name, p.Spend)
		s.Advice, s.Remark, s.Refused, s.Saved = p.Advice, remark(p), p.Refused, percent(p.Saved)
		d.Series = append(d.Series, s)
		if !p.Refused && !p.Everything && (best < 0 || p.Saved > r.Proposals[best].Saved) {
			best = i
		}
	}
	if best >= 0 {
		d.Series[2+best].On = true
	}
	return d
}

func newSeries(name string, s forecast.Spend) series {
	all := series{
		Name: name, DaysOver: s.DaysOver, Stale: s.Stale,
		URLs: s.URLs.Total, Worst: s.URLs.WorstDay,
		Dirs: s.Directories.Total, Calls: s.Calls, Days: map[string]int{},
	}
	for _, day := range s.Days {
		all.Days[day.Day] = day.URLs
	}
	return all
}
