package handler_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/deployment"
)

var update = flag.Bool("update", false, "rewrite testdata")

// watchTable is that of the README, and rules for what fails.
const watchTable = `
  - bucket: site
    targets: [{domain: w0.example.com}, {domain: forbidden.example.com}]
  - bucket: later
    targets: [{domain: w1.example.com}]
  - bucket: dirs
    targets: [{domain: w2.example.com, type: directory}]
`

// watched are the lines of a day and a half, in which all happens that a chart, an
// alert or a query of the READMEs is about: every sample, retries, a dry run that
// was left on, sweeps, and what is refused in every way.
func watched(t *testing.T) []logged {
	t.Helper()
	shipped, err := os.ReadFile(filepath.Join("..", "mapping", "testdata", "mapping.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	before, comment, _ := strings.Cut(string(shipped), "\n# The limits")
	table := before + watchTable + "# " + comment
	var unlisted atomic.Bool // the API refuses to list tasks
	l := newLab(t, &aliyuntest.Server{
		InMemory: true, Forbidden: []string{"forbidden.example.com"}, TaskTime: time.Minute, NoBareBrackets: true,
		TaskEnd: func(a aliyuntest.Accepted) string {
			if strings.Contains(a.URL, "never") {
				return aliyuntest.Failed
			}
			return aliyuntest.Complete
		},
		Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			switch {
			case unlisted.Load() && c.Action == "DescribeRefreshTasks":
				return aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"}
			case slices.ContainsFunc(c.URLs, func(url string) bool { return strings.Contains(url, "quota") }):
				return aliyuntest.Fault{Status: 400, Code: "QuotaExceeded.Refresh"}
			}
			return aliyuntest.Fault{}
		},
	}, table)
	one, invocations := 1, 0
	live := l.with(t, handler.Settings{MaxRetries: &one})
	dry := l.with(t, handler.Settings{MaxRetries: &one, DryRun: true})
	wrong := l.with(t, handler.Settings{MappingFile: filepath.Join(t.TempDir(), "none.yaml")})
	invoke := func(h *handler.Handler, payload []byte) {
		invocations++
		ctx := context.WithValue(t.Context(), requestID{}, fmt.Sprintf("invocation-%d", invocations))
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, _ = h.Handle(ctx, payload) // what came of it is in the log
	}
	samples, err := filepath.Glob(filepath.Join("..", "events", "*.json"))
	if err != nil || len(samples) < 10 {
		t.Fatal(len(samples), err)
	}
	for _, sample := range samples {
		payload, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		invoke(live, payload)
	}
	time.Sleep(time.Hour)
	for l.retry = range 2 {
		invoke(live, put(100))
	}
	l.retry = 0
	invoke(live, put(0, record("later", "quota.png"), record("later", "a[1].png"), record("dirs", "x/1.png"), record("nobody's", "k")))
	invoke(live, []byte(strings.ReplaceAll(string(put(0, record("later", "k"))), "ObjectCreated:PutObject", "ObjectLocked:Put")))
	invoke(wrong, put(1))
	invoke(live, put(0, record("later", "never.png")))
	for range 4 {
		time.Sleep(10 * time.Minute)
		invoke(live, []byte(timer))
	}
	unlisted.Store(true)
	invoke(live, []byte(timer))
	time.Sleep(2 * time.Hour)
	invoke(live, put(0, record("nobody's", "k")))
	for range 23 {
		time.Sleep(time.Hour)
		invoke(dry, put(2))
	}
	lines, err := readLines(l.log.take())
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// named returns all queries by what they are called.
func named(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for i, c := range deployment.Charts() {
		all[fmt.Sprintf("chart %d, %s", i+1, c.Title)] = c.Query
	}
	for path, burst := range map[string]bool{"": false, ", bursts": true} {
		for _, a := range deployment.Alerts(burst) {
			if path == "" || a.Burst != "" {
				all["alert "+a.Name+path] = a.Query
			}
		}
	}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		queries := regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
		if len(queries) < 2 {
			t.Errorf("%s has %d queries", name, len(queries))
		}
		for i, q := range queries {
			all[fmt.Sprintf("%s, query %d", name, i+1)] = strings.Join(strings.Fields(q[1]), " ")
		}
	}
	return all
}

// Every message, field and value that a chart, an alert or a query of the READMEs
// names is one that a real line has, and what they find stands in a file.
func TestQueriesFindWhatIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := watched(t)
		longest := 0
		for _, l := range lines {
			longest = max(longest, len(l.text))
		}
		if longest < 3000 {
			t.Errorf("the longest line has %d bytes: none is longer than SQL sees without an index of ours", longest)
		}
		var results strings.Builder
		queries := named(t)
		for _, name := range slices.Sorted(maps.Keys(queries)) {
			q, err := parse(queries[name])
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, fault := range q.untrue(lines) {
				t.Errorf("%s: %s", name, fault)
			}
			if !strings.HasPrefix(name, "README") {
				results.WriteString("## " + name + "\n\n" + q.table(q.run(lines)) + "\n")
			}
		}
		golden := filepath.Join("testdata", "queries.md")
		if *update {
			if err := os.WriteFile(golden, []byte(results.String()), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), results.String()); diff != "" {
			t.Errorf("what the queries find has changed; -update writes it (-before +now)\n%s", diff)
		}
	})
}

// untrue says what of the query no line has.
func (q query) untrue(lines []logged) []string {
	var faults []string
	for _, msg := range q.msgs {
		only := query{msgs: []string{msg}}
		if len(only.searched(lines)) == 0 {
			faults = append(faults, "no line has msg "+msg)
		}
	}
	searched, found := q.searched(lines), q.found(lines)
	if len(found) == 0 {
		faults = append(faults, "no line is found")
	}
	for _, pattern := range q.likes {
		if !slices.ContainsFunc(searched, func(l logged) bool { return pattern.MatchString(l.text) }) {
			faults = append(faults, fmt.Sprintf("no line matches %s", pattern))
		}
	}
	for _, pattern := range q.extracts {
		for _, l := range found {
			got := pattern.FindStringSubmatch(l.text)
			if want := l.value(pattern); got == nil || got[1] != want {
				faults = append(faults, fmt.Sprintf("%s finds %q where the line has %q: %.200s", pattern, got, want, l.text))
				break
			}
		}
	}
	return faults
}

var fieldName = regexp.MustCompile(`"(\w+)":`)

// value is what the line's JSON has in the field that a pattern names last. A
// pattern may name the object before that the field is in.
func (l logged) value(pattern *regexp.Regexp) string {
	names := fieldName.FindAllStringSubmatch(pattern.String(), -1)
	fields := l.fields
	if inner, ok := fields[names[0][1]].(map[string]any); ok {
		fields = inner
	}
	value, there := fields[names[len(names)-1][1]]
	if !there {
		return "nothing"
	}
	if text, ok := value.(string); ok {
		return text
	}
	data, _ := json.Marshal(value)
	return string(data)
}

// table shows rows.
func (q query) table(rows [][]any) string {
	var b strings.Builder
	head, rule := "|", "|"
	for _, c := range q.columns {
		head, rule = head+" "+c.name+" |", rule+"---|"
	}
	b.WriteString(head + "\n" + rule + "\n")
	for _, row := range rows {
		b.WriteString("|")
		for _, value := range row {
			fmt.Fprintf(&b, " %v |", value)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// A chart has its columns, and each alert fires in that day and a half.
func TestChartsAndAlerts(t *testing.T) {
	for _, c := range deployment.Charts() {
		q, err := parse(c.Query)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Concat(c.X, c.Y) {
			if q.column(name) < 0 {
				t.Errorf("%s has no column %s", c.Title, name)
			}
		}
		if len(c.X) == 0 || len(c.Y) == 0 || c.Since <= 0 || c.Type != "table" && c.Type != "line" {
			t.Errorf("%+v", c)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		lines := watched(t)
		for _, burst := range []bool{false, true} {
			for _, a := range deployment.Alerts(burst) {
				q, err := parse(a.Query)
				if err != nil {
					t.Fatal(err)
				}
				fired, silent := 0, 0
				for end := lines[0].time; end.Before(time.Now().Add(a.Every)); end = end.Add(a.Every) {
					window := slices.DeleteFunc(slices.Clone(lines), func(l logged) bool {
						return l.time.After(end) || l.time.Before(end.Add(-a.Since))
					})
					rows := q.run(window)
					if len(rows) != 1 || q.column("c") != 0 || len(rows[0]) != 1 {
						t.Fatalf("alert %s: %v", a.Name, rows)
					}
					if c, _ := rows[0][0].(int64); c > 0 {
						fired++
					} else {
						silent++
					}
				}
				if fired == 0 || silent == 0 || a.Since < a.Every {
					t.Errorf("alert %s (bursts %t): it fired %d times, and %d times it did not", a.Name, burst, fired, silent)
				}
			}
		}
	})
}
