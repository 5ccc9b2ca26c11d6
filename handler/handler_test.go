package handler_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

const siteTable = `
rules:
  - bucket: site
    targets: [{domain: w0.example.com}]
`

// put is an event of n objects put into the bucket site.
func put(n int, more ...string) []byte {
	records := more
	for i := range n {
		records = append(records, fmt.Sprintf(`{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"site"},"object":{"key":"some/folder/file-%d.png"}}}`, i))
	}
	return []byte(`{"events":[` + strings.Join(records, ",") + `]}`)
}

// embedded returns the report in the text of an IncompleteError.
func embedded(t *testing.T, err error) (summary string, report handler.Report) {
	t.Helper()
	var incomplete *handler.IncompleteError
	if !errors.As(err, &incomplete) {
		t.Fatalf("the error is %v", err)
	}
	summary, body, _ := strings.Cut(err.Error(), "\n")
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatalf("%q is no report: %v", body, err)
	}
	return summary, report
}

func TestFailedAnswerIsShort(t *testing.T) {
	t.Parallel()
	invalid := strings.Repeat(`{"eventName":"ObjectCreated:PutObject"},`, 3000) + `{}`
	for name, payload := range map[string][]byte{"failed": put(10_000), "invalid": put(0, invalid), "both": put(10_000, invalid)} {
		l := newLab(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: -1}}, siteTable)
		report, err := l.handle(t, payload, 20*time.Second)
		quoted, _ := json.Marshal(err.Error())
		if len(quoted) > 8000 {
			t.Errorf("%s: the answer has %d bytes", name, len(quoted))
		}
		summary, short := embedded(t, err)
		if len(summary) > 300 {
			t.Errorf("%s: the first line is %q", name, summary)
		}
		listed := 0
		for _, g := range short.Failed {
			listed += len(g.URLs) + g.Omitted
		}
		if want := report.Targets; listed != want {
			t.Errorf("%s: %d URLs are listed or counted as omitted, want %d", name, listed, want)
		}
		if n := len(short.Invalid) + short.Omitted.Invalid; n != len(report.Invalid)+report.Omitted.Invalid || short.Omitted.Failed != 0 {
			t.Errorf("%s: %d invalid records are listed or counted as omitted, want %d; omitted: %+v", name, n, len(report.Invalid), short.Omitted)
		}
		logged := 0
		for _, line := range lines(t, l.log.take()) {
			if line.Msg == "failed" {
				logged += len(line.URLs)
			}
		}
		if logged != report.Targets {
			t.Errorf("%s: the log has %d failed URLs, want all %d", name, logged, report.Targets)
		}
	}
}

// A directory that is another target's path, or above it, is not refreshed in
// place of files, whichever of the two the files are of.
func TestNoTargetIsFoldedWhole(t *testing.T) {
	const table = `
rules:
  - {bucket: site, targets: [{domain: www.example.com}]}
  - {bucket: app, targets: [{domain: www.example.com, path: /app/}]}
  - {bucket: next, targets: [{domain: www.example.com, path: /next/v1/}]}
refresh: {on_quota_exceeded: directory}
`
	record := func(bucket, key string) string {
		return fmt.Sprintf(`{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":%q},"object":{"key":%q}}}`, bucket, key)
	}
	l := newLab(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: -1}}, table)
	payload := put(0, record("site", "app/0.png"), record("app", "0.png"), record("site", "app/1.png"), record("app", "img/2.png"), record("site", "lib/3.js"), record("site", "next/4.js"))
	report, _ := l.handle(t, payload, 20*time.Second)
	var refreshed []string
	for _, g := range report.Refreshed {
		refreshed = append(refreshed, g.URLs...)
	}
	slices.Sort(refreshed)
	want := []string{"https://www.example.com/app/img/", "https://www.example.com/lib/"}
	if !slices.Equal(refreshed, want) || report.Debounced != 1 {
		t.Errorf("%v are refreshed and %d targets debounced, want %v and 1", refreshed, report.Debounced, want)
	}
}

func TestRefusalsAreShort(t *testing.T) {
	long := strings.Repeat("\x00\"é", 40_000)
	for _, err := range []error{&handler.ConfigError{Err: errors.New(long)}, &handler.EventError{Err: errors.New(long)}} {
		quoted, _ := json.Marshal(err.Error())
		if len(quoted) > 8000 || len(quoted) < 2000 {
			t.Errorf("%s: the answer has %d bytes", handler.ErrorType(err), len(quoted))
		}
	}
}

func TestListsAreNeverNull(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	report, err := l.handle(t, []byte(`[]`), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(report)
	want := `"invalid":[],"mapped":0,"targets":0,"debounced":0,"folded":0,"requests":0,"failed_urls":0,`
	if !strings.Contains(string(text), want) || !strings.Contains(string(text), `"refreshed":[],"failed":[],"dry_run":false}`) {
		t.Errorf("the empty report is %s", text)
	}
}

func TestInvalidRecordFailsTheInvocationAndNotTheOthers(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	_, err := l.handle(t, put(1, `{"eventName":"ObjectCreated:PutObject","oss":{}}`), time.Second)
	summary, report := embedded(t, err)
	if want := "1 record was invalid; 1 URL was refreshed"; summary != want {
		t.Errorf("the first line is %q, want %q", summary, want)
	}
	if len(report.Invalid) != 1 || report.Invalid[0].Record != "0" || len(l.api.Accepted()) != 1 {
		t.Errorf("invalid %+v, accepted %+v", report.Invalid, l.api.Accepted())
	}
}

func TestSamePayloadAgainSubmitsTheRest(t *testing.T) {
	refuse := true
	l := newLab(t, &aliyuntest.Server{Fault: func(c aliyuntest.Call) aliyuntest.Fault {
		if refuse && strings.Contains(strings.Join(c.URLs, " "), "file-149.") {
			return aliyuntest.Fault{Redirect: "/"}
		}
		return aliyuntest.Fault{}
	}}, siteTable)
	payload := put(150)
	first, err := l.handle(t, payload, 5*time.Second)
	if err == nil || len(first.Refreshed) != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	accepted := len(l.api.Accepted())
	refuse, l.retry = false, 1
	second, err := l.handle(t, payload, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(l.api.Accepted()); n != 150 || second.Requests != 1 {
		t.Errorf("%d URLs were submitted in all, of which %d at first, with %d requests the second time", n, accepted, second.Requests)
	}
	if second.Refreshed[0].TaskID != first.Refreshed[0].TaskID {
		t.Errorf("the second report has the task %q first, want the earlier %q", second.Refreshed[0].TaskID, first.Refreshed[0].TaskID)
	}
	if !second.Refreshed[0].Recalled || second.Refreshed[1].Recalled {
		t.Errorf("the groups are %+v, want the first recalled", second.Refreshed)
	}
	// It succeeded, so that the same payload once more is news.
	if third, err := l.handle(t, payload, 5*time.Second); err != nil || third.Requests != 2 {
		t.Errorf("the third time: %+v, %v", third, err)
	}
}

func TestInvalidRecordDoesNotMakeRetriesSubmitAgain(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	for l.retry = range 3 {
		report, err := l.handle(t, put(100, `{}`), time.Second)
		if err == nil || len(report.Refreshed) != 1 || len(report.Refreshed[0].URLs) != 100 {
			t.Fatalf("%+v, %v", report, err)
		}
	}
	if n := len(l.api.Accepted()); n != 100 {
		t.Errorf("%d URLs were submitted for 100", n)
	}
}

func TestOneCodeMayHaveSeveralReasons(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{Fault: func(c aliyuntest.Call) aliyuntest.Fault {
		return aliyuntest.Fault{Status: 400, Code: "InvalidObjectPath.Malformed", Message: fmt.Sprintf("reason %d.", c.N%2)}
	}}, siteTable)
	report, _ := l.handle(t, put(2), time.Second)
	if len(report.Failed) != 1 || len(report.Failed[0].URLs) != 2 || !strings.Contains(report.Failed[0].Error, "reason 0.") || !strings.Contains(report.Failed[0].Error, "reason 1.") {
		t.Errorf("%d groups, the first with the error %q", len(report.Failed), report.Failed[0].Error)
	}
}

func TestAnotherEventForTheSameURLIsRefreshed(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{Forbidden: []string{"w1.example.com"}}, siteTable+"  - {bucket: other, targets: [{domain: w1.example.com}]}\n")
	bad := `{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"other"},"object":{"key":"x"}}}`
	for range 2 { // a failed invocation, and another event for its URL
		if _, err := l.handle(t, put(1, bad), 5*time.Second); err == nil {
			t.Fatal("a forbidden domain was refreshed")
		}
		bad += " "
	}
	if n := len(l.api.Accepted()); n != 2 {
		t.Errorf("%d URLs were submitted, want the same one twice", n)
	}
}

func TestWarnings(t *testing.T) {
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	unknown := `{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"unknown"},"object":{"key":"x"}}}`
	dots := `{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"site"},"object":{"key":"a/../b"}}}`
	report, err := l.handle(t, put(0, unknown, dots), time.Second)
	if err != nil || report.Unmatched != 1 || report.Ignored != 1 || report.Targets != 0 {
		t.Errorf("%+v, %v", report, err)
	}
	log := string(l.log.take())
	for _, want := range []string{`"objects":["unknown/x"]`, `"objects":["site/a/../b"]`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
}

func TestDeadLetterLoopIsLoggedAndDone(t *testing.T) {
	letter := func(payload string) string {
		quoted, _ := json.Marshal(payload)
		return fmt.Sprintf(`{"timestamp":1,"requestContext":{"requestId":"1","condition":"RetriesExhausted"},"requestPayload":%s,"responseContext":{"statusCode":200}}`, quoted)
	}
	l := newLab(t, &aliyuntest.Server{}, siteTable)
	report, err := l.handle(t, []byte(letter(string(put(1)))), time.Second)
	if err != nil || len(l.api.Accepted()) != 1 {
		t.Errorf("a dead letter: %+v, %v", report, err)
	}
	l.log.take()
	report, err = l.handle(t, []byte(letter(letter(string(put(1))))), time.Second)
	if err != nil || len(l.api.Accepted()) != 1 {
		t.Errorf("a dead letter inside one: %+v, %v", report, err)
	}
	if log := string(l.log.take()); !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, "its own destination") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}

// However many codes an API has, and whatever is in its texts, the error fits into a
// dead letter.
func TestErrorOfManyCodesIsShort(t *testing.T) {
	retryable := false
	report := &handler.Report{Invalid: []handler.Invalid{}, Refreshed: []handler.Group{}}
	for i := range 20 {
		for _, text := range []string{`"`, "\\", "\u00a0", "图"} {
			report.Failed = append(report.Failed, handler.Group{
				Product: "dcdn", Type: "File", Code: fmt.Sprint(strings.Repeat(text, 120), i), Retryable: &retryable,
				Error: strings.Repeat(text, 1000), RequestID: strings.Repeat(text, 120), URLs: []string{"https://w0.example.com/"},
			})
			report.FailedURLs++
		}
	}
	err := &handler.IncompleteError{Report: report}
	if quoted, _ := json.Marshal(err.Error()); len(quoted) > 8000 {
		t.Errorf("the error has %d bytes", len(quoted))
	}
	if summary, short := embedded(t, err); len(summary) > 2000 || len(short.Failed)+short.Omitted.Failed != 80 {
		t.Errorf("%d groups are listed and %d omitted, of 80; the first line is %s", len(short.Failed), short.Omitted.Failed, summary)
	}
}
