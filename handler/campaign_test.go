package handler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

var (
	campaignRounds = flag.Uint64("campaign.rounds", 30, "how many rounds TestCampaign has; TestSweepCampaign has a thirtieth")
	campaignSeed   = flag.Uint64("campaign.seed", 1, "the first round's seed; each round adds one")
)

// campaignTable has every way to refresh: files with index pages and queries,
// of three products, directories over other files, and ignored queries.
const campaignTable = `
rules:
  - bucket: site
    targets:
      - {domain: w0.example.com, index: [index.html]}
      - {domain: w1.example.com, queries: ['v=2']}
      - {domain: c0.example.com, product: cdn}
      - {domain: e0.example.com, product: esa, site: 7}
  - bucket: site
    prefix: tree/
    targets:
      - {domain: w0.example.com}
      - {domain: w0.example.com, type: directory}
  - bucket: photos
    targets:
      - {domain: w2.example.com, type: ignore_params, queries: ['w=1']}
      - {domain: e1.example.com, product: esa, site: 8, type: ignore_params, force: true}
refresh: {on_quota_exceeded: %s, fold: %d, calls_per_second: {dcdn: 30, cdn: 50, esa: 30}}
`

// want lists the targets of a key, as product, type and URL: what the table
// above says, read by hand.
func want(bucket, key string) []string {
	if bucket == "photos" {
		return []string{
			"dcdn IgnoreParams https://w2.example.com/" + key, "esa IgnoreParams https://e1.example.com/" + key,
		}
	}
	if strings.HasPrefix(key, "tree/") {
		dir := key[:strings.LastIndex(key, "/")+1]
		return []string{"dcdn File https://w0.example.com/" + key, "dcdn Directory https://w0.example.com/" + dir}
	}
	encoded := strings.NewReplacer("[", "%5B", "]", "%5D").Replace(key)
	spellings := []string{encoded}
	if encoded != key {
		spellings = append(spellings, key) // brackets are bare in a raw link
	}
	var list []string
	for _, path := range spellings {
		list = append(list, "dcdn File https://w0.example.com/"+path, "dcdn File https://w1.example.com/"+path,
			"dcdn File https://w1.example.com/"+path+"?v=2", "cdn File https://c0.example.com/"+path,
			"esa File https://e0.example.com/"+path)
	}
	if dir, ok := strings.CutSuffix(key, "index.html"); ok {
		list = append(list, "dcdn File https://w0.example.com/"+dir)
	}
	return list
}

// A publish is one event and what must come of it.
type publish struct {
	payload  []byte
	targets  map[string]bool // as want gives them
	modified map[string]bool // of these, those with a change of metadata, which no Directory covers
}

// items counts what is left of the targets when those are merged into the
// Directories of the tree that can be.
func (p publish) items() int {
	n := 0
	for target := range p.targets {
		if !strings.HasPrefix(target, "dcdn File https://w0.example.com/tree/") || p.modified[target] {
			n++
		}
	}
	return n
}

func randomPublish(r *rand.Rand, most int) publish {
	p := publish{targets: map[string]bool{}, modified: map[string]bool{}}
	var records []string
	for range 1 + r.IntN(most) {
		bucket, key := randomObject(r)
		event := []string{"ObjectCreated:PutObject", "ObjectCreated:PutObject", "ObjectRemoved:DeleteObject", "ObjectModified:UpdateObjectMeta"}[r.IntN(4)]
		records = append(records, fmt.Sprintf(`{"eventName":%q,"eventTime":"2026-05-01T00:00:%02d.000Z","oss":{"bucket":{"name":%q},"object":{"key":%q}}}`, event, r.IntN(60), bucket, key))
		for _, target := range want(bucket, key) {
			p.targets[target] = true
			p.modified[target] = p.modified[target] || strings.HasPrefix(event, "ObjectModified")
		}
	}
	p.payload = []byte(`{"events":[` + strings.Join(records, ",") + `]}`)
	return p
}

func randomObject(r *rand.Rand) (bucket, key string) {
	switch r.IntN(10) {
	case 0:
		return "photos", fmt.Sprintf("p%d.jpg", r.IntN(50))
	case 1, 2:
		return "site", fmt.Sprintf("tree/t%d/f%d.css", r.IntN(5), r.IntN(50))
	case 3:
		return "site", fmt.Sprintf("d%d/index.html", r.IntN(10))
	case 4:
		return "site", fmt.Sprintf("d%d/f[%d].png", r.IntN(10), r.IntN(5))
	}
	return "site", fmt.Sprintf("d%d/f%d.png", r.IntN(10), r.IntN(100))
}

// randomServer makes an API with a fault in some of its calls.
func randomServer(r *rand.Rand, rate float64) *aliyuntest.Server {
	s := &aliyuntest.Server{InMemory: true, PathInQuery: r.IntN(10) == 0, NoIgnoreParams: r.IntN(5) == 0, PushTaskID: r.IntN(2) == 0}
	s.NoBareBrackets = r.IntN(3) == 0
	unknown := "nothing"
	switch r.IntN(8) {
	case 6:
		unknown = []string{"/d1/f3.png", "//w1.", "//"}[r.IntN(3)]
	case 0:
		s.Quota.URLs = 1 + r.IntN(300)
	case 1:
		s.Quota.Directories = -1 + 2*r.IntN(2)
	case 2:
		s.Limits.URLsPerRequest = 20 + r.IntN(200)
	case 3:
		s.Forbidden = []string{fmt.Sprintf("w%d.example.com", r.IntN(3))}
	case 4:
		s.MalformedURLs = func(url string) bool { return strings.HasSuffix(url, "7.png") }
	}
	seed := r.Uint64()
	s.Fault = func(c aliyuntest.Call) aliyuntest.Fault {
		r := rand.New(rand.NewPCG(seed, uint64(c.N)))
		if r.Float64() < rate {
			return randomFault(r)
		}
		if strings.Contains(strings.Join(c.URLs, "\n"), unknown) {
			return aliyuntest.Fault{Status: 409, Code: "Nobody.KnowsThis"}
		}
		return aliyuntest.Fault{}
	}
	return s
}

func randomFault(r *rand.Rand) aliyuntest.Fault {
	faults := []aliyuntest.Fault{
		{Status: 400, Code: "Throttling.User"},
		{Status: 429, Code: "TooManyRequests"},
		{Status: 400, Code: "TooMany.Refresh"},
		{Status: 503, Code: "ServiceUnavailable"},
		{Status: 500, Body: "<html>", ContentType: "text/html"},
		{Status: 502, Body: "<html>", Accept: true},
		{Empty: true},
		{Body: `{"Refresh`},
		{Body: `{"Refresh`, Accept: true},
		{NoRequestID: true},
		{NoIDs: true},
		{DropBefore: true},
		{DropAfter: true},
		{SlowBody: 20 * time.Millisecond},
		{Repeat: time.Duration(1+r.IntN(300)) * time.Millisecond, Accept: true},
		{Body: `{"Code":"Throttling.User","Message":"denied","RequestId":"x","RefreshTaskId":"5"}`},
		{Body: `{"RequestId":"y","RefreshTaskId":"5","success":false}`},
		{Body: `{"RequestId":0,"RefreshTaskId":"5"}`},
		{Body: `{"RequestId":"z","Message":"failed"}`},
		{Body: `[]`},
		{Status: 400, Code: "invaliddomain.locked "},
		{OddCode: 7, Status: 500},
		{Hang: true},
		{HangAfter: true},
	}
	if r.IntN(50) == 0 { // rarely, since these end the invocation's attempts
		faults = []aliyuntest.Fault{{Status: 400, Code: "Odd"}, {Status: 404, Code: "InvalidAccessKeyId.Inactive"}, {Status: 400, Code: "OperationDenied"}, {Redirect: "/"}}
	}
	return faults[r.IntN(len(faults))]
}

// A lab is a handler with its API and its log.
type lab struct {
	*handler.Handler
	api   *aliyuntest.Server
	log   *lockedBuffer
	retry int // how often the platform has delivered the event before

	table    string // its file
	platform handler.Platform
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// take returns what was written and forgets it.
func (b *lockedBuffer) take() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := bytes.Clone(b.Bytes())
	b.Reset()
	return text
}

type requestID struct{}

func newLab(t *testing.T, api *aliyuntest.Server, table string) *lab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := api.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	l := &lab{api: api, log: new(lockedBuffer), table: file}
	client := aliyun.NewClient(aliyun.Endpoint(api.URL))
	if api.InMemory {
		client.DialWith(api.Dial)
	}
	c := aliyuntest.TestCredential
	credentials := aliyun.Credentials{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret, SecurityToken: c.SecurityToken}
	l.platform = handler.Platform{
		API:       func(context.Context) refresh.Refresher { return client.With(credentials) },
		Tasks:     func(context.Context) refresh.TaskLister { return client.With(credentials) },
		RequestID: func(ctx context.Context) string { id, _ := ctx.Value(requestID{}).(string); return id },
		Retry:     func(context.Context) int { return l.retry },
	}
	l.Handler = l.with(t, handler.Settings{})
	return l
}

// handle handles a payload in the time.
func (l *lab) handle(t *testing.T, payload []byte, timeout time.Duration) (*handler.Report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	report, err := l.Handle(ctx, payload)
	if ctx.Err() != nil {
		t.Error("the answer came after the deadline")
	}
	return report, err
}

// A line is what the log says of a group.
type line struct {
	Msg, Product, Type, Code, Invocation string
	URLs, Covered                        []string
	Refreshed, Failed                    int
}

// decode reads the log's lines with a message.
func decode[T any](t *testing.T, log []byte, msg string) []T {
	t.Helper()
	var list []T
	for text := range bytes.Lines(log) {
		var head struct{ Msg string }
		var one T
		if err := json.Unmarshal(text, &head); err != nil {
			t.Fatalf("a log line %q: %v", text, err)
		}
		if head.Msg != msg {
			continue
		}
		if err := json.Unmarshal(text, &one); err != nil {
			t.Fatalf("a log line %q: %v", text, err)
		}
		list = append(list, one)
	}
	return list
}

func lines(t *testing.T, log []byte) []line {
	t.Helper()
	var list []line
	for text := range bytes.Lines(log) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil && l.Msg != "report" {
			t.Fatalf("a log line %q: %v", text, err)
		}
		list = append(list, l)
	}
	return list
}

// account checks the promise: each target of the publish is in exactly one of
// refreshed and failed, in the log; what is refreshed was accepted; something
// failed if and only if the invocation did; the counts add up. It returns what
// was refreshed.
func account(t *testing.T, p publish, log []byte, api *aliyuntest.Server, report *handler.Report, err error) map[string]bool {
	t.Helper()
	accepted := map[string]bool{}
	for _, a := range api.Accepted() {
		accepted[a.Product+" "+a.Type+" "+a.URL] = true
	}
	refreshed, fate := map[string]bool{}, map[string]int{}
	failed, refused, urls, made := 0, 0, 0, 0
	instead := false // something is refreshed in place of a target that failed
	for _, l := range lines(t, log) {
		for _, url := range l.URLs {
			name := l.Product + " " + l.Type + " " + url
			switch l.Msg {
			case "refreshed":
				if !accepted[name] {
					t.Errorf("%s is reported as refreshed and was not accepted", name)
				}
				refreshed[name] = true
			case "failed":
				failed++
			case "refused_spelling":
				if !api.NoBareBrackets || !strings.Contains(url, "[") {
					t.Errorf("%s is reported as a refused spelling", name)
				}
				refused++
			default:
				continue
			}
			fate[name]++
			urls++
			if l.Type == "Directory" && !p.targets[name] {
				made++
			}
			instead = instead || l.Msg == "failed" && l.Type != "File"
		}
		for _, url := range l.Covered {
			fate[l.Product+" File "+url]++
			refreshed[l.Product+" File "+url] = l.Msg == "refreshed"
		}
	}
	for target := range p.targets {
		if fate[target] != 1 {
			t.Errorf("%s is in %d groups", target, fate[target])
		}
	}
	var incomplete *handler.IncompleteError
	if (failed > 0) != errors.As(err, &incomplete) {
		t.Errorf("%d failed, and the error is %v", failed, err)
	}
	if refused != report.RefusedSpellings || failed != report.FailedURLs {
		t.Errorf("the report counts %d refused spellings and %d failed URLs, the log %d and %d",
			report.RefusedSpellings, report.FailedURLs, refused, failed)
	}
	if report.Records != report.Ignored+report.Unmatched+len(report.Invalid)+report.Mapped {
		t.Errorf("records do not add up: %+v", report)
	}
	if left := report.Targets - report.Debounced; left != urls-made+report.Folded && !instead {
		t.Errorf("%d of %d targets are left after the debounce, and %d URLs, %d of them directories made in place of %d files",
			left, report.Targets, urls, made, report.Folded)
	}
	if left := report.Targets - report.Debounced; left != p.items() {
		t.Errorf("%d of %d targets are left after the debounce, want %d", left, report.Targets, p.items())
	}
	return refreshed
}

// Whatever is published and whatever the API does to it, nothing is lost and
// nothing is claimed that is not so; and when the platform sends the payload
// again, only the rest is submitted.
func TestCampaign(t *testing.T) {
	t.Parallel()
	for seed := *campaignSeed; seed < *campaignSeed+*campaignRounds; seed++ {
		synctest.Test(t, func(t *testing.T) { campaign(t, seed) })
		if t.Failed() {
			t.Fatalf("again: go test -run 'TestCampaign$' ./handler -campaign.seed %d -campaign.rounds 1", seed)
		}
	}
}

func campaign(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	policy := []string{"fail", "directory"}[r.IntN(2)]
	fold := []int{0, 1, 4, 20}[r.IntN(4)]
	l := newLab(t, randomServer(r, r.Float64()/2), fmt.Sprintf(campaignTable, policy, fold))
	p := randomPublish(r, 1+r.IntN(400))
	repeats := []string{"count", "id", "stream", "no"}[r.IntN(4)] // how the event comes again
	payload := p.payload
	if repeats == "stream" {
		payload = inMessages(p.payload)
	}
	var before map[string]bool
	requests := 0
	for try := range 3 {
		ctx := context.WithValue(t.Context(), requestID{}, fmt.Sprint(try))
		switch repeats {
		case "count":
			l.retry = try
		case "id":
			ctx = context.WithValue(t.Context(), requestID{}, "the same")
		}
		sent := len(l.api.Accepted())
		ctx, cancel := context.WithTimeout(ctx, 2500*time.Millisecond)
		report, err := l.Handle(ctx, payload)
		if ctx.Err() != nil {
			t.Error("the answer came after the deadline")
		}
		cancel()
		if report == nil {
			t.Fatal(err)
		}
		requests += report.Requests
		if calls := len(l.api.Calls()); requests < calls { // one that was given up may not arrive
			t.Errorf("%d requests are reported, %d arrived", requests, calls)
		}
		refreshed := account(t, p, l.log.take(), l.api, report, err)
		for _, a := range l.api.Accepted()[sent:] {
			if repeats != "no" && before[a.Product+" "+a.Type+" "+a.URL] {
				t.Errorf("%s was submitted again", a.URL)
			}
		}
		if err == nil {
			return
		}
		before = refreshed
	}
}

// inMessages is the event in two messages of a queue, as a stream delivers them.
func inMessages(payload []byte) []byte {
	var event struct{ Events []json.RawMessage }
	_ = json.Unmarshal(payload, &event)
	var messages []map[string]string
	for i, some := range [][]json.RawMessage{event.Events[:len(event.Events)/2], event.Events[len(event.Events)/2:]} {
		body, _ := json.Marshal(map[string]any{"events": some})
		messages = append(messages, map[string]string{"requestId": "r", "messageId": fmt.Sprint(i), "messageBody": string(body)})
	}
	text, _ := json.Marshal(messages)
	return text
}

// At up to 3 in 10 failing calls and with time enough, all is refreshed.
func TestCampaignWithTime(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString("rules:\n  - bucket: b\n    targets:\n")
	for d := range 14 {
		fmt.Fprintf(&table, "      - {domain: d%d.example.com}\n", d)
	}
	var records []string
	for i := range 700 {
		records = append(records, fmt.Sprintf(`{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"b"},"object":{"key":"f%d.png"}}}`, i))
	}
	payload := []byte(`{"events":[` + strings.Join(records, ",") + `]}`)
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(t, &aliyuntest.Server{
				InMemory: true,
				Quota:    aliyuntest.Quota{URLs: 1 << 20},
				Fault: func(c aliyuntest.Call) aliyuntest.Fault {
					r := rand.New(rand.NewPCG(seed, uint64(c.N)))
					if r.Float64() < 0.7 {
						return aliyuntest.Fault{}
					}
					return []aliyuntest.Fault{
						{Status: 400, Code: "Throttling.User"},
						{Status: 400, Code: "QuotaPerMinuteExceeded.Refresh"},
						{DropAfter: true},
						{Hang: true},
						{Status: 500, Body: "<html>"},
						{Empty: true},
					}[r.IntN(6)]
				},
			}, table.String())
			report, err := l.handle(t, payload, 40*time.Second)
			if err != nil {
				t.Errorf("%d of %d targets: %v", report.Targets-report.Debounced, report.Targets, err)
			}
		})
	}
}

// Fifty invocations at once share connections, the calls a second and the
// memory of what was accepted, and each accounts for its own.
func TestCampaignOfManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, campaignOfManyAtOnce)
}

func campaignOfManyAtOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(*campaignSeed, 50))
	l := newLab(t, randomServer(r, 0.2), fmt.Sprintf(campaignTable, "fail", 4))
	type done struct {
		publish
		report *handler.Report
		err    error
	}
	all := make([]done, 50)
	var group sync.WaitGroup
	for i := range all {
		all[i].publish = randomPublish(rand.New(rand.NewPCG(*campaignSeed, uint64(i))), 20)
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), requestID{}, fmt.Sprint(i)), 8*time.Second)
			defer cancel()
			all[i].report, all[i].err = l.Handle(ctx, all[i].payload)
		})
	}
	group.Wait()
	byInvocation := map[string][][]byte{}
	log := l.log.take()
	for text := range bytes.Lines(log) {
		var l line
		json.Unmarshal(text, &l) // a report's fields have other types; its invocation is text
		byInvocation[l.Invocation] = append(byInvocation[l.Invocation], text)
	}
	for i, d := range all {
		account(t, d.publish, bytes.Join(byInvocation[fmt.Sprint(i)], nil), l.api, d.report, d.err)
	}
}
