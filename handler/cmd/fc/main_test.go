package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/runtimetest"
)

// The binary that ships is what these tests run.
var binary string

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8") // they wait more than they compute; -parallel wins
	runtimetest.Main(m, ".", &binary)
}

const table = `
rules:
  - bucket: my-site
    prefix: www/
    targets:
      - {domain: www.example.com, strip_prefix: www/, index: [index.html]}
      - {domain: img.example.com, product: cdn}
`

// start runs the function against the API, with the table and more
// environment.
func start(t *testing.T, api *aliyuntest.Server, table string, env ...string) *runtimetest.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append([]string{"MAPPING_FILE=" + file, "REFRESH_ENDPOINT=" + api.URL}, env...)
	return runtimetest.NewTestFunctionCompute(t, runtimetest.Program{Path: binary, Env: env})
}

func invocation(payload string) runtimetest.Invocation {
	c := aliyuntest.TestCredential
	return runtimetest.Invocation{
		Payload: []byte(payload),
		Timeout: 10 * time.Second,
		Credentials: runtimetest.Credentials{
			AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret, SecurityToken: c.SecurityToken,
		},
	}
}

func invoke(t *testing.T, p *runtimetest.Process, in runtimetest.Invocation) runtimetest.Result {
	t.Helper()
	result, err := p.Invoke(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func report(t *testing.T, result runtimetest.Result) handler.Report {
	t.Helper()
	if result.Err != nil {
		t.Fatalf("the function answered with %s: %s", result.Err.Type, result.Err.Message)
	}
	var r handler.Report
	if err := json.Unmarshal(result.Response, &r); err != nil {
		t.Fatalf("the answer %q is no report: %v", result.Response, err)
	}
	return r
}

// event is a native OSS event of the keys, each put or, with a "-" before it,
// deleted.
func event(keys ...string) string {
	var records []string
	for _, key := range keys {
		name := "ObjectCreated:PutObject"
		if rest, ok := strings.CutPrefix(key, "-"); ok {
			name, key = "ObjectRemoved:DeleteObject", rest
		}
		quoted, _ := json.Marshal(key)
		records = append(records, fmt.Sprintf(`{"eventName":%q,"eventSource":"acs:oss","oss":{"bucket":{"name":"my-site"},"object":{"key":%s,"size":5,"deltaSize":1}}}`, name, quoted))
	}
	return `{"events":[` + strings.Join(records, ",") + `]}`
}

func accepted(api *aliyuntest.Server) []string {
	var urls []string
	for _, a := range api.Accepted() {
		urls = append(urls, a.Product+" "+a.Type+" "+a.URL)
	}
	slices.Sort(urls)
	return urls
}

// lines returns the function's log lines with the message.
func lines(t *testing.T, p *runtimetest.Process, msg string) []map[string]any {
	t.Helper()
	var found []map[string]any
	scanner := bufio.NewScanner(strings.NewReader(p.Output()))
	scanner.Buffer(nil, 10<<20)
	for scanner.Scan() {
		var line map[string]any
		if json.Unmarshal(scanner.Bytes(), &line) == nil && line["msg"] == msg {
			found = append(found, line)
		}
	}
	return found
}

func TestRefreshesAndReports(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	p := start(t, api, table)
	in := invocation(event("www/docs/index.html", "www/图 1.png", "-www/a+b.txt", "www/图 1.png", "elsewhere.txt"))
	in.RequestID = "11111111-2222"
	r := report(t, invoke(t, p, in))

	want := []string{
		"cdn File https://img.example.com/www/%E5%9B%BE%201.png",
		"cdn File https://img.example.com/www/a%2Bb.txt",
		"cdn File https://img.example.com/www/docs/index.html",
		"dcdn File https://www.example.com/%E5%9B%BE%201.png",
		"dcdn File https://www.example.com/a%2Bb.txt",
		"dcdn File https://www.example.com/docs/",
		"dcdn File https://www.example.com/docs/index.html",
	}
	if diff := cmp.Diff(want, accepted(api)); diff != "" {
		t.Errorf("what the API accepted (-want +got)\n%s", diff)
	}
	type counts struct{ Records, Ignored, Unmatched, Mapped, Targets, Debounced, Requests int }
	got := counts{r.Records, r.Ignored, r.Unmatched, r.Mapped, r.Targets, r.Debounced, r.Requests}
	if diff := cmp.Diff(counts{Records: 5, Unmatched: 1, Mapped: 4, Targets: 9, Debounced: 2, Requests: 2}, got); diff != "" {
		t.Errorf("counts (-want +got)\n%s", diff)
	}
	if r.RequestID != in.RequestID || len(r.Refreshed) != 2 || r.Refreshed[0].TaskID == "" || r.Refreshed[0].RequestID == "" {
		t.Errorf("report %+v lacks an id", r)
	}
	for msg, n := range map[string]int{"refreshed": 2, "report": 1, "unmatched": 1, "failed": 0} {
		if got := lines(t, p, msg); len(got) != n {
			t.Errorf("%d lines %q in the log, want %d", len(got), msg, n)
		}
	}
}

// Requests name the program's version.
func TestUserAgent(t *testing.T) {
	agents := make(chan string, 1)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case agents <- r.UserAgent():
		default:
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"Code":"InvalidAccessKeyId.NotFound","RequestId":"r"}`)
	}))
	defer api.Close()
	p := start(t, &aliyuntest.Server{URL: api.URL}, table)
	invoke(t, p, invocation(event("www/a.png")))
	if got := <-agents; !regexp.MustCompile(`^oss-cdn-refresh/(v\d|0-)`).MatchString(got) {
		t.Errorf("the User-Agent is %q", got)
	}
}

func TestFailureTellsWhatAndWhy(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Domains: []string{"www.example.com"}})
	p := start(t, api, table, "LOG_LEVEL=error")
	result := invoke(t, p, invocation(event("www/a.png")))
	if result.Err == nil || result.Err.Type != "RefreshIncomplete" {
		t.Fatalf("the answer is %s %v, want a RefreshIncomplete", result.Response, result.Err)
	}
	line, body, _ := strings.Cut(result.Err.Message, "\n")
	if want := "1 URL was not refreshed (1 InvalidDomain.NotFound); 1 URL was refreshed"; line != want {
		t.Errorf("the first line is %q, want %q", line, want)
	}
	var r handler.Report
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Failed) != 1 || len(r.Failed[0].URLs) != 1 || r.Failed[0].URLs[0] != "https://img.example.com/www/a.png" || *r.Failed[0].Retryable {
		t.Errorf("failed: %+v", r.Failed)
	}
	for msg, n := range map[string]int{"refreshed": 1, "failed": 1, "report": 1} {
		if got := lines(t, p, msg); len(got) != n {
			t.Errorf("%d lines %q in the log whatever LOG_LEVEL is, want %d", len(got), msg, n)
		}
	}
}

func TestErrorTypes(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	tests := map[string]struct {
		table, payload, errorType, text string
		env                             []string
	}{
		"no table":         {"rules: 3", event("www/a"), "ConfigError", "table.yaml:1:", nil},
		"no truth value":   {table, event("www/a"), "ConfigError", `DRY_RUN: "maybe"`, []string{"DRY_RUN=maybe"}},
		"no level":         {table, event("www/a"), "ConfigError", `LOG_LEVEL: "loud"`, []string{"LOG_LEVEL=loud"}},
		"plain HTTP":       {table, event("www/a"), "ConfigError", `plain HTTP to "example.com"`, []string{"REFRESH_ENDPOINT=http://example.com"}},
		"garbage":          {table, "garbage", "EventError", `"garbage"`, nil},
		"a timer":          {table, `{"triggerTime":"2026-05-01T00:00:00Z"}`, "EventError", "triggerTime", nil},
		"no key":           {table, `{"events":[{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"my-site"}}}]}`, "RefreshIncomplete", "1 record was invalid", nil},
		"events no array":  {table, `{"events":{}}`, "EventError", "events", nil},
		"nothing at all":   {table, ``, "EventError", "", nil},
		"trailing garbage": {table, event("www/a") + "x", "EventError", "", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, api, test.table, test.env...)
			for range 2 { // the process survives
				result := invoke(t, p, invocation(test.payload))
				if result.Err == nil || result.Err.Type != test.errorType || !strings.Contains(result.Err.Message, test.text) {
					t.Fatalf("the answer is %s %v, want a %s with %q", result.Response, result.Err, test.errorType, test.text)
				}
			}
		})
	}
	if got := accepted(api); len(got) > 0 {
		t.Errorf("refreshed all the same: %v", got)
	}
}

func TestDryRunCallsNothing(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	p := start(t, api, table, "DRY_RUN=true")
	in := invocation(event("www/a.png"))
	in.Credentials = runtimetest.Credentials{}
	r := report(t, invoke(t, p, in))
	if !r.DryRun || r.Requests != 0 || len(r.Refreshed) != 2 || r.Refreshed[0].TaskID != "" {
		t.Errorf("report: %+v", r)
	}
	if n := len(api.Calls()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestTwoInvocationsAtOnce(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Latency: 50 * time.Millisecond})
	p := start(t, api, table)
	var group sync.WaitGroup
	for i := range 2 {
		group.Go(func() {
			key := fmt.Sprintf("www/%d.png", i)
			result, err := p.Invoke(t.Context(), invocation(event(key)))
			if err != nil || result.Err != nil || !strings.Contains(string(result.Response), fmt.Sprintf("/%d.png", i)) {
				t.Errorf("%s: %s, %v, %v", key, result.Response, result.Err, err)
			}
		})
	}
	group.Wait()
	if n := len(accepted(api)); n != 4 {
		t.Errorf("%d URLs were accepted, want 4", n)
	}
}

func TestOneConnectionForWarmInvocations(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	p := start(t, api, strings.ReplaceAll(table, "product: cdn", "product: dcdn"))
	for i := range 20 {
		report(t, invoke(t, p, invocation(event(fmt.Sprintf("www/%d.png", i)))))
	}
	if n := api.Connections(); n != 1 {
		t.Errorf("%d connections for 20 invocations, want 1", n)
	}
}

func TestCredentialsAreThoseOfTheInvocation(t *testing.T) {
	second := aliyuntest.Credential{AccessKeyID: "STS.second", AccessKeySecret: "s2", SecurityToken: "t2"}
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Credentials: []aliyuntest.Credential{aliyuntest.TestCredential, second}})
	p := start(t, api, table, "ALIBABA_CLOUD_ACCESS_KEY_ID=stale", "ALIBABA_CLOUD_ACCESS_KEY_SECRET=stale")
	in := invocation(event("www/a.png"))
	report(t, invoke(t, p, in))
	in.Credentials = runtimetest.Credentials{AccessKeyID: second.AccessKeyID, AccessKeySecret: second.AccessKeySecret, SecurityToken: second.SecurityToken}
	report(t, invoke(t, p, in))
	calls := api.Calls()
	if first, last := calls[0].AccessKeyID, calls[len(calls)-1].AccessKeyID; first != aliyuntest.TestCredential.AccessKeyID || last != second.AccessKeyID {
		t.Errorf("signed with %q and then %q", first, last)
	}
	in.Credentials = runtimetest.Credentials{AccessKeyID: "STS.unknown", AccessKeySecret: "unknown", SecurityToken: "unknown-token"}
	result := invoke(t, p, in)
	if result.Err == nil || !strings.Contains(result.Err.Message, "InvalidAccessKeyId.NotFound") || !strings.Contains(result.Err.Message, `"retryable":true`) {
		t.Errorf("an unknown key: %v", result.Err)
	}
}

// No secret may show in what the function prints or answers, whatever goes
// wrong on the way: its SDK signs in the URL.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	faults := map[string]*aliyuntest.Server{
		"dropped":    {Fault: func(aliyuntest.Call) aliyuntest.Fault { return aliyuntest.Fault{DropBefore: true} }},
		"timed out":  {Fault: func(aliyuntest.Call) aliyuntest.Fault { return aliyuntest.Fault{Hang: true} }},
		"redirected": {Fault: func(aliyuntest.Call) aliyuntest.Fault { return aliyuntest.Fault{Redirect: "http://127.0.0.1:1/"} }},
		"signature":  {Credentials: []aliyuntest.Credential{{AccessKeyID: aliyuntest.TestCredential.AccessKeyID, AccessKeySecret: "other", SecurityToken: aliyuntest.TestCredential.SecurityToken}}},
		"accepted":   {},
		"repeated in text": {Fault: func(aliyuntest.Call) aliyuntest.Fault {
			c := aliyuntest.TestCredential
			return aliyuntest.Fault{Status: 400, Code: "Odd", Message: "token=" + c.SecurityToken + " " + strings.NewReplacer(" ", "%20", "+", "%2b", "/", "%2f", "=", "%3d", "~", "~", "*", "%2a").Replace(c.SecurityToken) + " " + c.AccessKeySecret}
		}},
		"refused": nil,
	}
	for name, server := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := &aliyuntest.Server{URL: "http://" + closed.Addr().String()}
			if server != nil {
				api = aliyuntest.NewTestServer(t, server)
			}
			p := start(t, api, table, "LOG_LEVEL=debug", "DEBUG=sdk")
			in := invocation(event("www/a.png"))
			in.Timeout = 2 * time.Second
			result := invoke(t, p, in)
			text := p.Output() + string(result.Response)
			if result.Err != nil {
				text += result.Err.Message
			}
			for _, secret := range secrets() {
				if strings.Contains(text, secret) {
					t.Errorf("%q shows in\n%s", secret, text)
				}
			}
			if strings.Contains(text, "Signature=") {
				t.Errorf("a signature shows in\n%s", text)
			}
		})
	}
}

// secrets are parts of the test credential that no form of escaping changes,
// and that nothing else holds.
func secrets() []string {
	return []string{"secret/key", "secret%2Fkey", "secret%2fkey", "secret%252Fkey", "token+/", "token%2B%2F", "token%2b%2f", "token%252B"}
}

func TestSurvivesFreezing(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	p := start(t, api, table)
	report(t, invoke(t, p, invocation(event("www/a.png"))))
	if err := p.Freeze(); err != nil {
		t.Skipf("freezing a process: %v", err)
	}
	api.CloseClientConnections()
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	report(t, invoke(t, p, invocation(event("www/b.png"))))
	if n := len(accepted(api)); n != 4 {
		t.Errorf("%d URLs were accepted, want 4", n)
	}
}
