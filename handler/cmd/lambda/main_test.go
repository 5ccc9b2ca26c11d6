package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/runtimetest"
)

// The binary that ships is what these tests run.
var binary string

func TestMain(m *testing.M) { runtimetest.Main(m, ".", &binary) }

const table = `
rules:
  - bucket: my-site
    targets: [{domain: www.example.com}, {domain: img.example.com, product: cdn}]
`

func start(t *testing.T, api *aliyuntest.Server, table string, env ...string) *runtimetest.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	c := aliyuntest.TestCredential
	return runtimetest.NewTestLambda(t, runtimetest.Program{Path: binary, Env: append(env,
		"MAPPING_FILE="+file, "REFRESH_ENDPOINT="+api.URL,
		"ALIBABA_CLOUD_ACCESS_KEY_ID="+c.AccessKeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET="+c.AccessKeySecret,
		"ALIBABA_CLOUD_SECURITY_TOKEN="+c.SecurityToken,
	)})
}

// partial says that the event source mapping reports batch item failures.
const partial = "PARTIAL_BATCH=true"

func invoke(t *testing.T, p *runtimetest.Process, payload string) runtimetest.Result {
	t.Helper()
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// urls lists what was accepted for DCDN, without the domain.
func urls(api *aliyuntest.Server) []string {
	var list []string
	for _, a := range api.Accepted() {
		if path, ok := strings.CutPrefix(a.URL, "https://www.example.com/"); ok {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return list
}

// s3 is an S3 notification of one object; the key is as S3 encodes it.
func s3(key string) string {
	return fmt.Sprintf(`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"my-site"},"object":{"key":%q,"size":1}}}]}`, key)
}

// sqs is a batch of the bodies, whose messages are m0, m1 and so on.
func sqs(bodies ...string) string {
	var records []string
	for i, body := range bodies {
		quoted, _ := json.Marshal(body)
		records = append(records, fmt.Sprintf(`{"messageId":"m%d","receiptHandle":"r","body":%s,"eventSource":"aws:sqs","awsRegion":"eu-west-1"}`, i, quoted))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func sns(message string) string {
	quoted, _ := json.Marshal(message)
	return fmt.Sprintf(`{"Records":[{"EventSource":"aws:sns","Sns":{"Type":"Notification","Message":%s}}]}`, quoted)
}

func TestShapes(t *testing.T) {
	tests := map[string]struct {
		payload string
		want    []string
		answer  string
	}{
		"S3":                 {s3("a+b%2Bc.txt"), []string{"a%20b%2Bc.txt"}, `"refreshed":[{`},
		"SQS":                {sqs(s3("1.png"), s3("2.png")), []string{"1.png", "2.png"}, `{"batchItemFailures":[]}`},
		"SNS":                {sns(s3("%E5%9B%BE+1.png")), []string{"%E5%9B%BE%201.png"}, `"refreshed":[{`},
		"Amazon EventBridge": {`{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":"my-site"},"object":{"key":"a+b c.txt"}}}`, []string{"a%2Bb%20c.txt"}, `"refreshed":[{`},
		"test event":         {`{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-05-01T00:00:00.000Z","Bucket":"my-site","RequestId":"1","HostId":"1"}`, nil, `"ignored":1`},
		"test event in SQS":  {sqs(`{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"my-site"}`), nil, `{"batchItemFailures":[]}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := aliyuntest.NewTestServer(t, nil)
			result := invoke(t, start(t, api, table, partial), test.payload)
			if result.Err != nil || !strings.Contains(string(result.Response), test.answer) {
				t.Errorf("the answer is %s, %v; want %s", result.Response, result.Err, test.answer)
			}
			if diff := cmp.Diff(test.want, urls(api)); diff != "" {
				t.Errorf("refreshed (-want +got)\n%s", diff)
			}
		})
	}
}

// Of four messages, one with a URL that the API refuses and one that is
// garbage, the other two are refreshed and just those two come back.
func TestPartialBatchResponse(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{MalformedURLs: func(url string) bool { return strings.Contains(url, "bad") }})
	result := invoke(t, start(t, api, table, partial), sqs(s3("1.png"), s3("bad.png"), "garbage", s3("2.png")))
	if want := `{"batchItemFailures":[{"itemIdentifier":"m1"},{"itemIdentifier":"m2"}]}`; string(result.Response) != want {
		t.Errorf("the answer is %s, %v; want %s", result.Response, result.Err, want)
	}
	if diff := cmp.Diff([]string{"1.png", "2.png"}, urls(api)); diff != "" {
		t.Errorf("refreshed (-want +got)\n%s", diff)
	}
}

// Without PARTIAL_BATCH, Lambda would delete the messages that an answer names: the
// batch fails whole, says how that is mended, and what was accepted is not sent
// again when the messages come back.
func TestBatchFailsWhole(t *testing.T) {
	refuse := true
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{MalformedURLs: func(url string) bool {
		return refuse && strings.Contains(url, "bad")
	}})
	p := start(t, api, table)
	batch := sqs(s3("1.png"), s3("bad.png"), s3("2.png"))
	for range 2 {
		result := invoke(t, p, batch)
		if result.Err == nil || result.Err.Type != "RefreshIncomplete" {
			t.Fatalf("the answer is %s, %v; want the whole batch to fail", result.Response, result.Err)
		}
	}
	refuse = false
	if result := invoke(t, p, batch); result.Err != nil {
		t.Fatal(result.Err)
	}
	if diff := cmp.Diff([]string{"1.png", "2.png", "bad.png"}, urls(api)); diff != "" {
		t.Errorf("refreshed, each once (-want +got)\n%s", diff)
	}
	if n := strings.Count(p.Output(), "--function-response-types ReportBatchItemFailures"); n != 1 {
		t.Errorf("the log says %d times how to have only the failed messages again, want once", n)
	}
}

func TestSharedTargetFailsBothMessages(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{MalformedURLs: func(url string) bool { return strings.Contains(url, "bad") }})
	result := invoke(t, start(t, api, table, partial), sqs(s3("bad.png"), s3("1.png"), s3("bad.png")))
	if want := `{"batchItemFailures":[{"itemIdentifier":"m0"},{"itemIdentifier":"m2"}]}`; string(result.Response) != want {
		t.Errorf("the answer is %s, %v; want %s", result.Response, result.Err, want)
	}
}

func TestMessageWithoutIDFailsTheBatch(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	payload := strings.Replace(sqs(s3("1.png"), "garbage"), `"messageId":"m1",`, "", 1)
	result := invoke(t, start(t, api, table, partial), payload)
	if result.Err == nil || result.Err.Type != "RefreshIncomplete" {
		t.Errorf("the answer is %s, %v; want the whole batch to fail", result.Response, result.Err)
	}
}

func TestErrors(t *testing.T) {
	api := aliyuntest.NewTestServer(t, nil)
	tests := map[string]struct{ table, payload, errorType string }{
		"garbage":          {table, "garbage", "EventError"},
		"trailing garbage": {table, s3("a") + "x", "EventError"},
		"table":            {"rules:", s3("a"), "ConfigError"},
		"table, SQS":       {"rules:", sqs(s3("a")), "ConfigError"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, api, test.table)
			for range 2 { // the process survives
				result := invoke(t, p, test.payload)
				if result.Err == nil || result.Err.Type != test.errorType {
					t.Fatalf("the answer is %s, %v; want a %s", result.Response, result.Err, test.errorType)
				}
			}
		})
	}
}
