package handler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// No line of the log is longer than Simple Log Service analyses, however long the
// keys are, and all URLs are in it.
func TestLogLinesAreShort(t *testing.T) {
	t.Parallel()
	const table = `
rules:
  - bucket: site
    targets:
      - {domain: w0.example.com, spellings: canonical}
      - {domain: w1.example.com, spellings: canonical}
  - {bucket: dirs, targets: [{domain: w2.example.com, spellings: canonical}, {domain: w2.example.com, type: directory, spellings: canonical}]}
`
	var records []string
	for i := range 300 {
		long := strings.Repeat("图\"\\\u202e", 90) + fmt.Sprint(i)
		for _, bucket := range []string{"site", "dirs", "elsewhere"} {
			records = append(records, record(bucket, long))
		}
		records = append(records, fmt.Sprintf(`{"eventName":"ObjectCreated:%s"}`, strings.Repeat("图", 900)))
	}
	for name, server := range map[string]*aliyuntest.Server{
		"accepted": {Quota: aliyuntest.Quota{URLs: 1 << 20}},
		"failed":   {Quota: aliyuntest.Quota{URLs: -1}},
		"verbose": {Quota: aliyuntest.Quota{URLs: 1 << 20}, Fault: func(aliyuntest.Call) aliyuntest.Fault {
			return aliyuntest.Fault{Status: 400, Code: "OperationDenied", Message: strings.Repeat("\u009b", 5000)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var report *handler.Report
			var log []byte
			synctest.Test(t, func(t *testing.T) {
				server.InMemory = true
				l := newLab(t, server, table)
				report, _ = l.handle(t, put(0, records...), 20*time.Second)
				log = l.log.take()
			})
			urls, n, objects := 0, 0, 0
			for text := range bytes.Lines(log) {
				if len(text) > 16<<10 {
					t.Fatalf("a line has %d bytes: %.300s…", len(text), text)
				}
				var line struct {
					Msg           string
					N             int
					URLs, Objects []string
				}
				if err := json.Unmarshal(text, &line); err != nil {
					t.Fatalf("%.300s…: %v", text, err)
				}
				switch line.Msg {
				case "refreshed", "failed":
					urls, n = urls+len(line.URLs), n+line.N
				case "unmatched":
					objects += len(line.Objects)
				}
			}
			if want := report.Targets - report.Debounced; urls < want || n != urls || objects != 300 {
				t.Errorf("%d URLs, counted as %d, and %d unmatched objects are in the log; want %d or more and 300", urls, n, objects, want)
			}
		})
	}
}

// record is of an object that was put into a bucket.
func record(bucket, key string) string {
	quoted, _ := json.Marshal(key)
	return fmt.Sprintf(`{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":%q},"object":{"key":%s}}}`, bucket, quoted)
}

// A log that cannot be written fails the invocation: it is the only record.
func TestUnwrittenLogFailsTheInvocation(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full to write to: ", err)
	}
	defer full.Close()
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	h := l.with(t, handler.Settings{Output: full})
	report, err := h.Handle(t.Context(), put(3))
	var logError *handler.LogError
	if !errors.As(err, &logError) || report == nil || handler.ErrorType(err) != "LogError" {
		t.Errorf("the error is %v", err)
	}
	if n := len(l.api.Accepted()); n != 3 {
		t.Errorf("%d URLs were refreshed, want 3", n)
	}
	l.retry = 1 // what was accepted is known
	if _, err := h.Handle(t.Context(), put(3)); err == nil || len(l.api.Accepted()) != 3 {
		t.Errorf("the retry submitted %d URLs; %v", len(l.api.Accepted())-3, err)
	}
}

// A log that nobody reads does not keep the invocation from answering in time.
func TestUnreadLogDoesNotDelayTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		defer read.Close()
		go io.CopyN(io.Discard, read, 64<<10) // what a pipe of the system holds
		l := newLab(t, &aliyuntest.Server{InMemory: true, Quota: aliyuntest.Quota{URLs: 1 << 20}}, siteTable)
		h := l.with(t, handler.Settings{Output: write})
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		_, err := h.Handle(ctx, put(3000))
		if err == nil || ctx.Err() != nil {
			t.Errorf("the answer is %v, in time: %t", err, ctx.Err() == nil)
		}
	})
}

// with returns another handler for the lab's API, table, log and retries, but for
// what the settings say.
func (l *lab) with(t *testing.T, settings handler.Settings) *handler.Handler {
	t.Helper()
	if settings.MappingFile == "" {
		settings.MappingFile = l.table
	}
	if settings.Output == nil {
		settings.Output = l.log
	}
	return handler.New(settings, l.platform)
}

// The report line says which try this is, and whether it is the last.
func TestReportLineCountsTries(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	three := 3
	h := l.with(t, handler.Settings{MaxRetries: &three})
	for l.retry = range 4 {
		if _, err := h.Handle(t.Context(), put(1)); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`"retry":%d,"last":%t`, l.retry, l.retry == 3)
		if log := string(l.log.take()); !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
}

// Where the table says so, a record of no rule fails the invocation.
func TestUnmatchedMayFail(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{}, siteTable+"refresh: {unmatched: fail}\n")
	_, err := l.handle(t, put(1, record("other", "x")), time.Second)
	summary, report := embedded(t, err)
	if want := "1 record was of no rule of the table; 1 URL was refreshed"; summary != want {
		t.Errorf("the first line is %q, want %q", summary, want)
	}
	if len(report.UnmatchedRecords) != 1 || report.UnmatchedRecords[0] != (handler.Unmatch{Record: "0", Bucket: "other", Key: "x"}) {
		t.Errorf("unmatched records: %+v", report.UnmatchedRecords)
	}
	if _, err := l.handle(t, []byte(`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"other"}`), time.Second); err != nil {
		t.Errorf("a test message: %v", err)
	}
}

// More targets than memory has room for are handled in parts: each URL once,
// removals first.
func TestHugeEventIsHandledInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, hugeEvent)
}

func hugeEvent(t *testing.T) {
	var table, domains strings.Builder
	table.WriteString("rules:\n  - bucket: b\n    targets:\n")
	for d := range 100 {
		fmt.Fprintf(&table, "      - {domain: d%d.example.com, spellings: canonical}\n", d)
	}
	table.WriteString("refresh: {limits: {urls_per_domain: 1000}}\n" + domains.String())
	var records []string
	for i := range 700 {
		name := "ObjectCreated:PutObject"
		if i%7 == 0 {
			name = "ObjectRemoved:DeleteObject"
		}
		records = append(records, strings.Replace(record("b", fmt.Sprintf("%d.png", i%650)), "ObjectCreated:PutObject", name, 1))
	}
	l := newLab(t, &aliyuntest.Server{
		InMemory: true, Quota: aliyuntest.Quota{URLs: 1 << 30}, Limits: aliyuntest.Limits{URLsPerDomain: 1000},
	}, table.String())
	report, err := l.handle(t, put(0, records...), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if report.Targets != 70_000 || report.Debounced != 5000 || report.FailedURLs != 0 {
		t.Errorf("%d targets, %d debounced, want 70000 and 5000", report.Targets, report.Debounced)
	}
	seen := map[string]int{}
	for _, a := range l.api.Accepted() {
		seen[a.URL]++
	}
	for url, n := range seen {
		if n != 1 {
			t.Fatalf("%s was refreshed %d times", url, n)
		}
	}
	listed := 0
	for _, g := range report.Refreshed {
		listed += len(g.URLs) + g.Omitted
	}
	if len(seen) != 65_000 || listed != 65_000 {
		t.Errorf("%d URLs were refreshed and %d are listed or omitted, want 65000", len(seen), listed)
	}
}

// The time for the report of a huge event is kept free for all its parts, and none
// of them uses up the time of those before it.
func TestHugeEventAnswersInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var table strings.Builder
		table.WriteString("rules:\n  - bucket: site\n    targets:\n")
		for d := range 100 {
			fmt.Fprintf(&table, "      - {domain: d%d.example.com, spellings: canonical}\n", d)
		}
		l := newLab(t, &aliyuntest.Server{InMemory: true, Fault: func(aliyuntest.Call) aliyuntest.Fault {
			return aliyuntest.Fault{Hang: true}
		}}, table.String())
		begin := time.Now()
		report, _ := l.handle(t, put(900), time.Minute)
		if report.FailedURLs != 90_000 {
			t.Errorf("%d URLs failed, want 90000", report.FailedURLs)
		}
		// 5 % of a minute, and 0.1 ms for each URL.
		if took := time.Since(begin); took > 48100*time.Millisecond || took < 40*time.Second {
			t.Errorf("the submission took %v of a minute, which leaves %v to report 90,000 URLs", took, time.Minute-took)
		}
	})
}

// What an uploader, a queue or an API may put into a line does not make it longer
// than Simple Log Service analyses, nor steer a terminal, at any level.
func TestForeignTextInTheLog(t *testing.T) {
	odd := strings.Repeat("\u00a0\x7f", 4000)
	record := func(event, bucket, key string) string {
		quoted, _ := json.Marshal([]string{event, bucket, key})
		var list []json.RawMessage
		_ = json.Unmarshal(quoted, &list)
		return fmt.Sprintf(`{"eventName":%s,"oss":{"bucket":{"name":%s},"object":{"key":%s}}}`, list[0], list[1], list[2])
	}
	l := newLab(t, &aliyuntest.Server{}, `
rules: [{bucket: site, exclude: ['**/*.map'], targets: [{domain: w0.example.com}]}]
`)
	l.platform.API = func(context.Context) refresh.Refresher { return oddAPI{odd} }
	h := l.with(t, handler.Settings{LogLevel: slog.LevelDebug})
	_, err := h.Handle(t.Context(), put(1,
		record("ObjectCreated:"+odd, "site", odd+".map"), record("ObjectCreated:PutObject", odd, odd),
		record("ObjectLocked:"+odd, odd, odd), record("ObjectCreated:PutObject", "site", "x/../"+odd)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for text := range bytes.Lines(l.log.take()) {
		var line struct{ Msg string }
		if bytes.Contains(text, []byte(`"msg":"call"`)) {
			continue // of texts that the client of the API has cut
		}
		if err := json.Unmarshal(text, &line); err != nil || len(text) > 16<<10 || bytes.ContainsAny(text, "\x7f\u00a0") {
			t.Errorf("a line has %d bytes: %.200s…", len(text), text)
		}
		seen[line.Msg] = true
	}
	for _, msg := range []string{"ignored", "unknown_event", "unmatched", "refreshed"} {
		if !seen[msg] {
			t.Errorf("no line %q was written", msg)
		}
	}
}

// oddAPI accepts everything, with odd words.
type oddAPI struct{ odd string }

func (a oddAPI) Refresh(context.Context, refresh.Call) (refresh.Receipt, error) {
	return refresh.Receipt{TaskID: a.odd, RequestID: a.odd}, nil
}
