package events

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// summary has one line for each record, by list: "0 created my-site/a.txt",
// "1 ignored", "message 2 invalid: why".
func summary(b Batch) string {
	var s strings.Builder
	for _, c := range b.Changes {
		fmt.Fprintf(&s, "%v %s %s/%s\n", c.Origin, c.Kind, c.Bucket, c.Key)
	}
	for _, i := range b.Ignored {
		fmt.Fprintf(&s, "%v ignored\n", i.Origin)
	}
	for _, i := range b.Invalid {
		fmt.Fprintf(&s, "%v invalid: %v\n", i.Origin, i.Err)
	}
	return s.String()
}

// check decodes payload and compares the summary, a line of want for each line.
func check(t *testing.T, payload string, want ...string) Batch {
	t.Helper()
	batch, err := Decode([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(summary(batch), "\n"), "\n")
	if len(want) == 0 {
		want = []string{""}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
	return batch
}

// checkError decodes a payload that must be refused, and compares the end of the
// reason, which may have the envelopes before it.
func checkError(t *testing.T, payload, want string) {
	t.Helper()
	batch, err := Decode([]byte(payload))
	refused, ok := errors.AsType[*PayloadError](err)
	if !ok {
		t.Errorf("Decode(%.80q) = %d records, error %v; want a PayloadError: %s",
			payload, batch.Records(), err, want)
		return
	}
	if got := refused.Err.Error(); !strings.HasSuffix(got, want) {
		t.Errorf("Decode(%.80q)\n got %s\nwant %s", payload, got, want)
	}
}

func sample(tb testing.TB, name string) []byte {
	tb.Helper()
	payload, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}

// quote returns text as a JSON string.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(quoted)
}

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// put returns a record of OSS, given the JSON of its key.
func put(key string) string {
	return `{"eventName":"ObjectCreated:PutObject",` +
		`"oss":{"bucket":{"name":"b"},"object":{"key":` + key + `}}}`
}

const old = "my-site/www/docs/old-guide.html"

func TestSamples(t *testing.T) {
	index := func(origin string) string { return origin + " created my-site/www/docs/index.html" }
	for name, want := range map[string][]string{
		"oss-put-object.json":         {index("0")},
		"oss-delete-object.json":      {"0 removed " + old},
		"eventbridge-put-object.json": {index("0")},
		"smq-batch.json":              {index("message 0, record 0"), "message 1, record 0 created my-site/www/assets/img/图 1.png", "message 1, record 1 removed " + old, "message 2, record 0 ignored"},
		"mns-topic.json":              {index("0")},
		"s3-put.json":                 {"0 created my-site/www/docs/photo 1+2.jpg"},
		"s3-eventbridge.json":         {"0 created my-site/www/docs/photo 1+2.jpg"},
		"sqs-s3-batch.json":           {index("message 0, record 0"), "message 0, record 1 removed " + old, "message 1, record 0 created my-site/www/img/图 1.png", "message 2 ignored"},
		"sns-s3.json":                 {index("message 0, record 0")},
		"dead-letter.json":            {index("0"), "1 removed " + old},
		"timer-sweep.json":            {""},
		"invalid-record.json":         {index("0"), "2 created my-site/www/docs/install.html", "1 invalid: oss.object has no member key"},
	} {
		t.Run(name, func(t *testing.T) { check(t, string(sample(t, name)), want...) })
	}
}

func TestSampleInFull(t *testing.T) {
	want := Change{
		Kind: Created, Name: "ObjectCreated:PutObject", Region: "cn-hangzhou",
		Bucket: "my-site", Key: "www/docs/index.html",
		Time: time.Date(2026, 5, 12, 6, 45, 43, 0, time.UTC),
		Size: 14820, Delta: 312, HasDelta: true, Origin: Origin{Message: -1},
	}
	for _, name := range []string{
		"oss-put-object.json", "eventbridge-put-object.json", "mns-topic.json",
	} {
		batch, err := Decode(sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Change{want}, batch.Changes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSampleBurst(t *testing.T) {
	batch, err := Decode(sample(t, "oss-burst.json"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[Kind]int{}
	objects := map[string]int{}
	for _, c := range batch.Changes {
		kinds[c.Kind]++
		objects[c.Bucket+"/"+c.Key]++
	}
	if diff := cmp.Diff(map[Kind]int{Created: 52, Removed: 5, Modified: 1}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if len(batch.Ignored) != 4 || len(batch.Invalid) != 0 {
		t.Errorf("%d ignored, %d invalid; want 4 parts ignored, none invalid",
			len(batch.Ignored), len(batch.Invalid))
	}
	for _, key := range []string{
		"my-site/www/downloads/a+b.txt", "my-site/www/downloads/100%25.txt",
		"my-site/www/assets/img/图 1.png",
		"my-site/www/downloads/what?#now.txt", "my-site/www/downloads/[draft] notes.txt",
		"my-downloads/releases/latest.json",
	} {
		if objects[key] != 1 {
			t.Errorf("%q is there %d times, want once", key, objects[key])
		}
	}
	if got := objects["my-site/www/index.html"]; got != 2 {
		t.Errorf("www/index.html is there %d times, want 2: the sample shows merging", got)
	}
}

func TestSamplesAreTested(t *testing.T) {
	names, err := filepath.Glob("*.json")
	if err != nil || len(names) != 14 {
		t.Errorf("%d samples, want 14: is there a test for each? (%v)", len(names), err)
	}
}

func TestEmpty(t *testing.T) {
	for _, payload := range []string{
		`[]`, ` [ ] `, `{"events":[]}`, `{"Records":[]}`, "\ufeff[]", `"[]"`, inBase64(`{"events":[]}`),
		`{"requestPayload":"[]"}`,
	} {
		check(t, payload)
	}
}

func TestPayloadErrors(t *testing.T) {
	for payload, want := range map[string]string{
		``:                           "unexpected end of JSON input at byte 0",
		`{"events":[]} x`:            "invalid character 'x' after top-level value at byte 15",
		"\ufeff {\"events\":]":       "invalid character ']' looking for beginning of value at byte 15",
		`null`:                       "no known shape",
		`12`:                         "no known shape",
		`"hello"`:                    "invalid character 'h' looking for beginning of value at byte 1",
		`{}`:                         "no known shape: an object without members",
		`{"events":{}}`:              `"events" is not an array`,
		`{"events":null}`:            "events is null",
		`{"Records":{}}`:             `"Records" is not an array`,
		`{"events":[],"events":[]}`:  `member "events" is given twice`,
		`{"events":[],"Records":[]}`: `both "events" and "Records" are given`,
		`[1,null,{},"x",[]]`:         `no known shape: an array that begins with "1"`,
		`[[]]`:                       `no known shape: an array that begins with "[]"`,
		`{"specversion":"1.0"}`:      "the record has no member data",
		`{"messageBody":7}`:          "no known shape",
		`{"body":"{\"events\":[]}"}`: `no known shape: an object with the members "body"`,
		`{"source":"x","detail":{}}`: `no known shape: an object with the members "source", "detail"`,
		`{"Events":[],"n":1}`:        `no known shape: an object with the members "Events", "n"`,
		`{"records":[]}`:             `no known shape: an object with the members "records"`,
		`{"bucket":"b","key":"k"}`:   `an object with the members "bucket", "key"`,
		`{"oss":null,"events":null}`: "events is null",
		// A CloudEvent without its specversion, a message of Google's Pub/Sub, an event of Azure.
		`{"id":"1","source":"acs.oss","type":"oss:ObjectCreated:PutObject","data":{}}`:  `members "id", "source", "type", "data"`,
		`{"message":{"attributes":{"eventType":"OBJECT_FINALIZE"}},"subscription":"s"}`: `members "message", "subscription"`,
		`[{"topic":"t","subject":"s","eventType":"Microsoft.Storage.BlobCreated","data":{}},1]`: `no known shape: an array that begins with ` +
			`an object with the members "topic", "subject", "eventType", "data"`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9}`: `"g", "h", …`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8}`:       `"g", "h"`,
		strings.Repeat("[", 5000):                                 "unexpected end of JSON input at byte 5000",
		strings.Repeat("[", 2_000_000):                            "exceeded max depth at byte 10001",
		strings.Repeat("[", 5000) + strings.Repeat("]", 5000): `no known shape: an array that begins with "` +
			strings.Repeat("[", 80) + `"`,
	} {
		checkError(t, payload, want)
	}
}

func TestPayloadErrorText(t *testing.T) {
	_, err := Decode([]byte(`{"a":1}`))
	const want = `reading the event: no known shape: an object with the members "a"; it begins "{\"a\":1}". ` +
		"It must be a notification of OSS or S3, by itself or through EventBridge, " +
		"Simple Message Queue (MNS), SQS, SNS or Amazon EventBridge, a dead letter with one, " +
		`or the event of a timer with the payload "sweep"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if unknown, ok := errors.AsType[*shapeError](err); !ok || unknown.what == "" {
		t.Errorf("%#v does not wrap its reason", err)
	}
	checkError(t, string(sample(t, "invalid-payload.json")),
		`payload is "refresh everything"; the payload of a timer must be "sweep"`)
	_, err = Decode([]byte(strings.Repeat("x", 1000)))
	if start := err.(*PayloadError).Start; len(start) != 200 {
		t.Errorf("%d bytes are shown, want 200", len(start))
	}
}

// TestGivenTwice gives each member that is read twice: one of the two would be lost.
func TestGivenTwice(t *testing.T) {
	const object = `{"bucket":{"name":"b"},"object":{"key":"k","size":1,"deltaSize":1}}`
	for payload, members := range map[string]string{
		`{"events":[{"eventName":"PutObject","eventSource":"acs:oss","eventTime":"","region":"r","oss":` + object + `}]}`:             "events eventName eventSource eventTime region oss bucket object name key size deltaSize",
		`{"events":[{"eventName":"PutObject","oss":{"region":"r",` + object[1:] + `}]}`:                                               "region",
		`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","eventTime":"","awsRegion":"","s3":` + object + `}]}`:    "Records eventSource eventName eventTime awsRegion s3 bucket object name key size",
		`{"detail-type":"Object Created","source":"aws.s3","time":"","region":"","detail":` + object + `}`:                            "detail-type source time region detail bucket object name key",
		`{"specversion":"1.0","type":"oss:PutObject","source":"acs.oss","time":"","aliyunregionid":"","data":{"oss":` + object + `}}`: "specversion type source time aliyunregionid data oss",
		`{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"[]"}}]}`:                                                              "EventSource Sns Message",
		`{"Records":[{"eventSource":"aws:sqs","messageId":"m","body":"[]"}]}`:                                                         "eventSource messageId body",
		`{"body":"[]","attrs":{}}`:                                 "body attrs",
		`[{"messageBody":"[]"}]`:                                   "messageBody",
		`{"Message":"[]"}`:                                         "Message",
		`{"requestPayload":"[]"}`:                                  "requestPayload",
		`{"Service":"Amazon S3","Event":"s3:TestEvent"}`:           "Service Event",
		`{"triggerTime":"2026-11-25T03:30:00Z","payload":"sweep"}`: "triggerTime payload",
	} {
		if batch, err := Decode([]byte(payload)); err != nil || batch.Invalid != nil {
			t.Errorf("%s: %v, error %v", payload, batch.Invalid, err)
		}
		for member := range strings.FieldsSeq(members) {
			twice := strings.Replace(payload, `"`+member+`":`, `"`+member+`":0,"`+member+`":`, 1)
			batch, err := Decode([]byte(twice))
			if len(batch.Invalid) == 1 {
				err = batch.Invalid[0].Err
			}
			want := fmt.Sprintf("member %q is given twice", member)
			if err == nil || !strings.Contains(err.Error(), want) || len(batch.Changes) > 0 {
				t.Errorf("%s: error %v, want %s", twice, err, want)
			}
		}
	}
}

// TestEnvelopes nests notifications of topics in each other.
func TestEnvelopes(t *testing.T) {
	nested := func(depth int) string {
		payload := `{"events":[` + put(`"k"`) + `]}`
		for range depth {
			payload = `{"Message":` + quote(payload) + `}`
		}
		return payload
	}
	check(t, nested(4), "0 created b/k")
	checkError(t, nested(5), "more than 4 envelopes around it")
	batch := check(t, `[`+nested(4)+`]`, "message 0, record 0 created b/k")
	if batch.SQS {
		t.Error("an array is not an SQS batch")
	}
	deep, err := Decode([]byte(`[` + nested(1) + `,` + nested(5) + `]`))
	if err != nil || len(deep.Changes) != 1 || len(deep.Invalid) != 1 ||
		deep.Invalid[0].Origin.String() != "message 1" {
		t.Errorf("got %v, error %v; want one change, and message 1 invalid", summary(deep), err)
	}
}

// TestEnvelopesOfCloudEvents: the data of a CloudEvent is not an envelope, so that a
// queue with dead letters of a queue of topics can be read, but CloudEvents
// straight inside each other do count.
func TestEnvelopesOfCloudEvents(t *testing.T) {
	oss := `{"events":[` + put(`"k"`) + `]}`
	event := func(data string) string { return `{"specversion":"1.0","type":"t","data":` + data + `}` }
	message := func(text string) string { return `{"messageBody":` + quote(text) + `}` }
	batch := `[` + event(message(`{"Message":`+quote(oss)+`}`)) + `]`
	check(t, `[`+event(message(`{"requestPayload":`+quote(batch)+`}`))+`]`,
		"message 0, record 0 created b/k")

	nested := oss
	for range 5 {
		nested = event(nested)
	}
	check(t, nested, "0 created b/k")
	checkError(t, event(nested), "more than 4 envelopes around it")
	sqs := check(t,
		event(`{"Records":[{"eventSource":"aws:sqs","messageId":"m","body":`+quote(oss)+`}]}`),
		"message 0, record 0 created b/k")
	if sqs.SQS {
		t.Error("a CloudEvent is not answered with message ids")
	}
}

func TestOriginString(t *testing.T) {
	for want, o := range map[string]Origin{
		"3": {Message: -1, Record: 3}, "message 2, record 1": {Message: 2, Record: 1},
		"message 2": {Message: 2, Record: -1},
	} {
		if got := o.String(); got != want {
			t.Errorf("%#v is %q, want %q", o, got, want)
		}
	}
}

// TestRoutes sends awkward keys through every kind of envelope.
func TestRoutes(t *testing.T) {
	for _, key := range []string{
		"a+b%2Bc.txt", "100%25.txt", "图 1.png", "a\"\\/\b\f\n\r\t\x00😀\ufffd",
	} {
		for name, payload := range routes(key) {
			t.Run(name, func(t *testing.T) {
				batch, err := Decode([]byte(payload))
				if err != nil || batch.Records() != 1 || len(batch.Changes) != 1 {
					t.Fatalf("got %q, error %v; want one change", summary(batch), err)
				}
				if got := batch.Changes[0].Key; got != key {
					t.Errorf("key %q came out as %q", key, got)
				}
			})
		}
	}
}
