package events

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// s3Put returns a record of S3, given the JSON of its key.
func s3Put(key string) string {
	return `{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"r",` +
		`"eventTime":"2026-05-12T06:45:43.000Z",` +
		`"s3":{"bucket":{"name":"b"},"object":{"key":` + key + `,"size":5}}}`
}

func TestS3(t *testing.T) {
	batch := check(t,
		`{"Records":[`+s3Put(`"a+b%2Bc.txt"`)+`,`+s3Put(`"50%"`)+`,`+s3Put(`"%ff"`)+`,`+s3Put(`null`)+
			`,null,{"eventSource":"aws:dynamodb"},`+s3Put(`"%E5%9B%BE"`)+`]}`,
		"0 created b/a b+c.txt", "6 created b/图",
		`1 invalid: decoding s3.object.key "50%": invalid URL escape "%"`,
		`2 invalid: s3.object.key is not UTF-8: "\xff"`, "3 invalid: s3.object.key is null",
		"4 invalid: the record is not an object",
		`5 invalid: eventSource is "aws:dynamodb": this service is not read; send event notifications of OSS (acs:oss) or S3 (aws:s3)`)
	c := batch.Changes[0]
	if batch.SQS || c.Region != "r" || c.Size != 5 || c.HasDelta || c.New() ||
		!c.Time.Equal(time.Date(2026, 5, 12, 6, 45, 43, 0, time.UTC)) {
		t.Errorf("got %+v, SQS %v", c, batch.SQS)
	}
	check(t, `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectTagging:Put"}]}`, "0 ignored")
	for key, want := range map[string]string{
		`"a+%E5%9B%BE"`: "a 图", `"50%"`: "", `"%ff"`: "", `7`: "",
	} {
		payload := strings.ReplaceAll(`{"Records":[`+s3Put(key)+`]}`,
			"ObjectCreated:Put", "ObjectTagging:Put")
		if i := check(t, payload, "0 ignored").Ignored[0]; i.Bucket != "b" || i.Key != want ||
			i.Name != "ObjectTagging:Put" || i.Unknown {
			t.Errorf("ignored as %+v, want the key %q", i, want)
		}
	}
	acl := strings.ReplaceAll(`{"Records":[`+s3Put(`"www/report.pdf"`)+`]}`,
		"ObjectCreated:Put", "ObjectAcl:Put")
	check(t, acl, "0 modified b/www/report.pdf")
	check(t, `{"Records":[{"eventSource":"aws:s3","EventSource":"aws:s3"}]}`,
		`0 invalid: member "EventSource" is given twice`)
}

// TestS3DecodedKey: form-decoding can turn valid UTF-8 into bytes that are not.
func TestS3DecodedKey(t *testing.T) {
	for key, want := range map[string]string{
		"%ff": `"\xff"`, "a%C3": `"a\xc3"`, "%ED%A0%BD": `"\xed\xa0\xbd"`,
	} {
		check(t, `{"Records":[`+s3Put(quote(key))+`]}`, "0 invalid: s3.object.key is not UTF-8: "+want)
	}
}

func TestAmazonEventBridge(t *testing.T) {
	event := func(name, key string) string {
		return `{"detail-type":` + name +
			`,"source":"aws.s3","time":"2026-05-12T06:45:43Z","region":"r",` +
			`"detail":{"bucket":{"name":"b"},"object":{"key":` + key + `}}}`
	}
	c := check(t, event(`"Object Created"`, `"a b+c%20.txt"`), "0 created b/a b+c%20.txt").Changes[0]
	if c.Name != "Object Created" || c.Region != "r" || c.Time.Minute() != 45 {
		t.Errorf("got %+v", c)
	}
	check(t, event(`"Object Deleted"`, `"k"`), "0 removed b/k")
	check(t, event(`"Object ACL Updated"`, `"k"`), "0 modified b/k")
	check(t, event(`"Object Renamed"`, `"k"`), "0 created b/k") // new: a refresh too many is cheap
	for _, name := range []string{
		"Object Restore Initiated", "Object Restore Completed", "Object Restore Expired",
		"Object Tags Added",
		"Object Tags Deleted", "Object Storage Class Changed", "Object Access Tier Changed",
	} {
		want := Ignored{
			Origin: Origin{Message: -1}, Name: name, Bucket: "b", Key: "k",
			Reason: `event "` + name + `" does not change what a CDN serves`,
		}
		got := check(t, event(quote(name), `"k"`), "0 ignored").Ignored
		if diff := cmp.Diff([]Ignored{want}, got); diff != "" {
			t.Errorf("ignored (-want +got):\n%s", diff)
		}
		check(t, event(quote(name), `7`), "0 ignored")
	}
	check(t, event(`""`, `"k"`), "0 invalid: detail-type is empty")
	check(t, `{"detail-type":"Object Created","source":"aws.s3"}`,
		"0 invalid: the record has no member detail")
	check(t, `{"detail-type":"Object Created","source":"aws.s3","detail":{"key":"k"}}`,
		"0 invalid: detail has no member bucket")
	checkError(t, `{"detail-type":"Object Created","detail":{}}`,
		"an event of Amazon EventBridge with no source; "+
			`only "aws.s3" is read`)
	check(t, event(`"Object Created"`, `"\udc00"`),
		`0 invalid: detail.object.key is not UTF-8: "\xed\xb0\x80"`)
	check(t, event(`7`, `"k"`), `0 invalid: detail-type is not a string: "7"`)
	checkError(t, `{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}`,
		`no known shape: an event of Amazon EventBridge with source "aws.events"; only "aws.s3" is read`)
}

// TestCloudTrail: what CloudTrail records has no event of S3 beside it, unless the
// bucket sends them; it must not be ignored.
func TestCloudTrail(t *testing.T) {
	const detail = `"detail":{"eventSource":"s3.amazonaws.com","eventName":"PutObject",` +
		`"requestParameters":{"bucketName":"b","key":"k"}}`
	for _, name := range []string{
		"AWS API Call via CloudTrail", "AWS Service Event via CloudTrail",
		"AWS Insight via CloudTrail", "object created", "Objects",
	} {
		check(t, `{"version":"0","detail-type":`+quote(name)+`,"source":"aws.s3",`+detail+`}`,
			`0 invalid: detail-type is `+quote(name)+
				`, which is not read; let the bucket itself send events such as "Object Created" to Amazon EventBridge`)
	}
	const record = `{"eventVersion":"1.08","eventSource":"s3.amazonaws.com","eventName":"PutObject"}`
	check(t, `{"Records":[`+record+`]}`,
		`0 invalid: eventSource is "s3.amazonaws.com": records of CloudTrail are not read; send the event notifications of S3`)
}

// TestS3Likes has records of services that write what looks like S3's.
func TestS3Likes(t *testing.T) {
	record := func(source, member string) string {
		return `{"Records":[{` + source + `"eventName":"ObjectCreated:Put",` + member +
			`:{"bucket":{"name":"b"},"object":{"key":"a+b%2B.txt"}}}]}`
	}
	check(t, record(`"eventSource":"minio:s3",`, `"s3"`), "0 created b/a b+.txt")
	check(t, `{"EventName":"s3:ObjectCreated:Put","Key":"b/a+b.txt","Records":[{"eventSource":"minio:s3","awsRegion":"",
		"eventName":"s3:ObjectRemoved:Delete","s3":{"bucket":{"name":"b"},"object":{"key":"a+b.txt"}}}]}`, "0 removed b/a b.txt")
	const notRead = ": this service is not read; send event notifications of OSS (acs:oss) or S3 (aws:s3)"
	for source, want := range map[string]string{
		`"ceph:s3"`:  `eventSource is "ceph:s3"` + notRead,
		`"ctyun:s3"`: `eventSource is "ctyun:s3"` + notRead,
		`"OBS"`:      `eventSource is "OBS"` + notRead,
		`"acs:oss"`:  `eventSource is "acs:oss" in "Records": records of OSS belong in "events"`,
		`7`:          `eventSource is not a string: "7"`,
		`null`:       `eventSource is null`,
		`""`:         `eventSource is empty`,
	} {
		check(t, record(`"eventSource":`+source+`,`, `"s3"`), "0 invalid: "+want)
	}
	check(t, record("", `"s3"`),
		`0 invalid: the record has no member eventSource, only "eventName", "s3"`)
	check(t, record("", `"tos"`),
		`0 invalid: the record has no member eventSource, only "eventName", "tos"`)
	check(t, `{"Records":[{"cos":{},"event":{"eventName":"cos:ObjectCreated:Post","eventSource":"qcs::cos"}}]}`,
		`0 invalid: the record has no member eventSource, only "cos", "event"`)
	check(t, `{"Records":[{}]}`, `0 invalid: the record has no member eventSource`)
	check(t, `{"Records":[{"eventSource":"aws:s3"}]}`, `0 invalid: the record has no member eventName`)
	check(t, `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectLifecycle:Expiration:Current"}]}`,
		`0 invalid: event "ObjectLifecycle:Expiration:Current" is not one of OSS or S3, `+
			`whose names look like "ObjectCreated:PutObject"`)
	check(t, record(`"eventSource":"aws:s3",`, `"obs"`), `0 invalid: the record has no member s3`)
}

func TestS3TestEvent(t *testing.T) {
	const test = `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`
	check(t, test, "0 ignored")
	check(t, `{"Records":[{"eventSource":"aws:sqs","body":`+quote(test)+`}]}`, "message 0 ignored")
}
