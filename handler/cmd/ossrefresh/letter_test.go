package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/mapping"
)

func TestSplitLetters(t *testing.T) {
	one, two := `{"a":1}`, `{"b":2}`
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tests := map[string]string{
		"JSON lines":    one + "\n" + two + "\n",
		"no separator":  one + two,
		"array":         "[" + one + "," + two + "]",
		"Base64":        encode(one + two),
		"wrapped":       encode(one + two)[:8] + "\n" + encode(one + two)[8:],
		"Base64 lines":  encode(one) + "\n\n" + encode(two),
		"Base64 arrays": encode("[" + one + "," + two + "]"),
		"mark":          "\ufeff" + one + "\r\n\r\n" + two,
		"Base64 mark":   encode("\ufeff" + one + two),
		"mark, wrapped": "\ufeff" + encode(one + two)[:8] + "\n" + encode(one + two)[8:],
		"both":          encode(one) + "\n" + two,
	}
	for name, text := range tests {
		var got []string
		for _, l := range splitLetters("f", []byte(text)) {
			got = append(got, fmt.Sprint(l.name, " ", string(l.raw), " ", l.err))
		}
		if diff := cmp.Diff([]string{"f#1 " + one + " <nil>", "f#2 " + two + " <nil>"}, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// A line that cannot be read stops no other.
func TestSplitUnreadable(t *testing.T) {
	one, pretty := `{"a":1}`, "{\n  \"b\": [\n    2\n  ]\n}"
	encoded := base64.StdEncoding.EncodeToString([]byte(one))
	tests := []struct {
		text string
		want []string
	}{
		{one + "\n!\n" + one, []string{"f#1", "f:2 it is neither", "f#3"}},
		{"\n" + `{"a":"` + "\n" + pretty + "\n" + one[:3] + "\n" + one, []string{"f:2 it is not valid JSON", "f#2", "f:8 it is not valid JSON", "f#4"}},
		{one + " x\n" + one, []string{"f#1", "f:1 it is neither", "f#3"}},
		{encoded + "\n" + encoded[:5] + "\n" + encoded, []string{"f#1", "f:2 it is neither", "f#3"}},
		{"aGVsbG8=\n" + encoded, []string{"f:1 it is neither", "f#2"}},
		{"null\n[" + one + ",null]", []string{"f:1 it is neither", "f#2", "f#3"}},
	}
	for _, tt := range tests {
		var got []string
		for _, l := range splitLetters("f", []byte(tt.text)) {
			if l.err != nil {
				l.name += " " + l.err.Error()
			}
			got = append(got, l.name)
		}
		if !slices.EqualFunc(got, tt.want, func(got, want string) bool {
			return got == want || strings.Contains(want, " ") && strings.HasPrefix(got, want)
		}) {
			t.Errorf("%q is %q, want %q", tt.text, got, tt.want)
		}
	}
}

// A letter that lists what its event does not ask for is replayed whole, and says
// so: whoever may write to the queue must not have any URL refreshed.
func TestLetterIsNotTrusted(t *testing.T) {
	table, err := mapping.Parse("table", []byte("rules: [{bucket: b, targets: [{domain: www.example.com}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	group := `{"product":"dcdn","type":"File","code":"TooMany.Refresh","urls":["https://www.example.com/0"]}`
	for _, tt := range []struct {
		old, new string
		whole    bool
	}{
		{"", "", false},
		{"dcdn", "x", true},
		{"File", "x", true},
		{"https://", "", true},
		{"https://", "http://", true},
		{"/0", "/1", true},
		{"/0", `/0\nhttps://evil.example/all/`, true},
		{"www.example.com", "evil.example", true},
		{"www.example.com", "user@www.example.com:99", true},
		{"File", "Directory", true},
		{"/0", "/", true},
	} {
		event := strings.TrimSuffix(strings.TrimSpace(deadLetter(0, 1)), "}")
		answer, _ := json.Marshal(map[string]string{
			"errorType":    "RefreshIncomplete",
			"errorMessage": "any text\n" + `{"failed_urls":1,"failed":[` + strings.Replace(group, tt.old, tt.new, 1) + `]}`,
		})
		l := letter{raw: []byte(event + `,"responsePayload":` + string(answer) + "}")}
		if read, err := l.read(table); err != nil || read.whole != tt.whole || (len(read.notes) > 0) != tt.whole || len(read.targets) != 1 {
			t.Errorf("%q for %q: the whole event: %t, want %t; %v", tt.new, tt.old, read.whole, tt.whole, err)
		}
	}
}

// deadLetter is a line with a letter about n objects of bucket b, whose keys
// are numbers.
func deadLetter(first, n int) string {
	var records []string
	for i := range n {
		records = append(records, fmt.Sprintf(`{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","oss":{"bucket":{"name":"b"},"object":{"key":"%d"}}}`, first+i))
	}
	payload, _ := json.Marshal(`{"events":[` + strings.Join(records, ",") + `]}`)
	return fmt.Sprintf("{\"requestPayload\":%s}\n", payload)
}

// tableOfB writes a mapping table for bucket b.
func tableOfB(t *testing.T) (file string) {
	file = filepath.Join(t.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte("rules: [{bucket: b, targets: [{domain: www.example.com}]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// environment is one that leads to the API.
func environment(api *aliyuntest.Server) (getenv func(string) string) {
	variables := map[string]string{
		"REFRESH_ENDPOINT":                api.URL,
		"ALIBABA_CLOUD_ACCESS_KEY_ID":     aliyuntest.TestCredential.AccessKeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET": aliyuntest.TestCredential.AccessKeySecret,
		"ALIBABA_CLOUD_SECURITY_TOKEN":    aliyuntest.TestCredential.SecurityToken,
	}
	return func(name string) string { return variables[name] }
}

// Each URL is sent once, whichever letters ask for it.
func TestReplaySendsEachURLOnce(t *testing.T) {
	t.Parallel()
	api := aliyuntest.NewTestServer(t, nil)
	var letters strings.Builder
	for i := range 5 {
		letters.WriteString(deadLetter(i*300, 400))
	}
	var stdout, stderr bytes.Buffer
	status := run([]string{"replay", "--live", "--json", "--mapping", tableOfB(t), "-"},
		strings.NewReader(letters.String()), &stdout, &stderr, environment(api))
	var got replay
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, stderr.String())
	}
	seen := map[string]int{}
	for _, a := range api.Accepted() {
		seen[a.URL]++
	}
	for i := range 1600 {
		if url := fmt.Sprintf("https://www.example.com/%d", i); seen[url] != 1 {
			t.Fatalf("%s was sent %d times", url, seen[url])
		}
	}
	for _, l := range got.Letters {
		if l.State != "done" || l.URLs != 400 || l.Left != 0 {
			t.Errorf("letter %+v, want it done", l)
		}
	}
}

// What was removed comes first in a replay too, and is not left to a Directory.
func TestReplayOrder(t *testing.T) {
	var records []string
	for _, r := range []struct{ event, key string }{
		{"Created:PutObject", "a.png"},
		{"Created:PutObject", "p1.html"},
		{"Removed:DeleteObject", "secret1.pdf"},
		{"Removed:DeleteObject", "secret2.pdf"},
	} {
		records = append(records, fmt.Sprintf(`{"eventName":"Object%s","eventSource":"acs:oss","oss":{"bucket":{"name":"b"},"object":{"key":"%s"}}}`, r.event, r.key))
	}
	const answer = "5 URLs were not refreshed\n" + `{"failed_urls":5,"failed":[{"product":"dcdn","type":"File","code":"QuotaExceeded.Refresh","urls":[
"https://www.example.com/secret1.pdf","https://www.example.com/secret2.pdf","https://www.example.com/p1.html","https://www.example.com/a.png"]},
{"product":"dcdn","type":"Directory","code":"QuotaExceeded.Refresh","urls":["https://www.example.com/"]}]}`
	letter, _ := json.Marshal(map[string]any{
		"requestPayload":  `{"events":[` + strings.Join(records, ",") + `]}`,
		"responsePayload": map[string]string{"errorType": "RefreshIncomplete", "errorMessage": answer},
	})
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: 3}})
	file := filepath.Join(t.TempDir(), "table.yaml")
	const table = "rules: [{bucket: b, targets: [{domain: www.example.com}, {domain: www.example.com, type: directory}]}]"
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	run([]string{"replay", "--live", "--json", "--mapping", file, "-"}, bytes.NewReader(letter), &stdout, &stderr, environment(api))
	var got replay
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || len(got.Letters) != 1 || len(got.Failed) != 1 {
		t.Fatalf("%v: %s%s", err, stdout.String(), stderr.String())
	}
	if l := got.Letters[0]; l.From != "what failed" || l.URLs != 5 || l.Left != len(got.Failed[0].URLs) {
		t.Errorf("letter %+v, want 5 URLs of what failed, and %q left", l, got.Failed[0].URLs)
	}
	var accepted []string
	for _, a := range api.Accepted() {
		accepted = append(accepted, strings.TrimPrefix(a.URL, "https://www.example.com/"))
	}
	for _, want := range []string{"secret1.pdf", "secret2.pdf", ""} {
		if !slices.Contains(accepted, want) {
			t.Errorf("accepted is %q, want %q too", accepted, want)
		}
	}
}

// Whatever a letter holds, reading it does not panic, and each target can be
// submitted.
func FuzzLetter(f *testing.F) {
	// Small ones: the fuzzer would spend its time on making a large one smaller.
	sample := []byte(`{"requestPayload":"{\"events\":[{\"eventName\":\"ObjectCreated:PutObject\",\"eventSource\":\"acs:oss\",\"oss\":{\"bucket\":{\"name\":\"my-site\"},\"object\":{\"key\":\"a\"}}}]}"}`)
	f.Add(sample)
	f.Add([]byte(base64.StdEncoding.EncodeToString(sample)))
	f.Add([]byte(`{"requestPayload":"","responsePayload":{"errorType":"RefreshIncomplete","errorMessage":"1 URL was not refreshed\n{\"failed_urls\":1,\"failed\":[{\"product\":\"cdn\",\"type\":\"File\",\"urls\":[\"https://a/\"]}]}"}}`))
	table, err := mapping.Parse("table", []byte("rules: [{bucket: my-site, targets: [{domain: www.example.com}]}]"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, l := range splitLetters("f", data) {
			read, err := l.read(table)
			if err != nil && len(read.targets) > 0 {
				t.Errorf("%s: %v, and yet it has targets", l.name, err)
			}
			for _, wanted := range read.targets {
				if wanted.Product != mapping.DCDN && wanted.Product != mapping.CDN || wanted.Domain == "" || !strings.Contains(wanted.URL, wanted.Domain) {
					t.Errorf("%s: target %+v cannot be submitted", l.name, wanted)
				}
			}
		}
	})
}

func TestReportWithOmissions(t *testing.T) {
	c, _ := fromReport(handler.Report{Invalid: []handler.Invalid{{Record: "0", Error: "no key"}}, Omitted: handler.Omitted{Invalid: 3}}, nil)
	if len(c.notes) != 2 || !strings.Contains(c.notes[1], "3 more records") {
		t.Errorf("notes %q, want one of the record and one of 3 more", c.notes)
	}
}
