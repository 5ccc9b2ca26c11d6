package events

import (
	"testing"
	"time"
)

// s3Put returns a record of S3, given the JSON of its key.
func s3Put(key string) string {
	return `{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"r","eventTime":"2026-05-12T06:45:43.000Z","s3":{"bucket":{"name":"b"},"object":{"key":` + key + `,"size":5}}}`
}

func TestS3(t *testing.T) {
	batch := check(t, `{"Records":[`+s3Put(`"a+b%2Bc.txt"`)+`,`+s3Put(`"50%"`)+`,`+s3Put(`"%ff"`)+`,`+s3Put(`null`)+`,null,{"eventSource":"aws:dynamodb"},`+s3Put(`"%E5%9B%BE"`)+`]}`,
		"0 created b/a b+c.txt", "6 created b/图",
		`1 invalid: decoding object.key "50%": invalid URL escape "%"`, `2 invalid: object.key is not UTF-8: "\xff"`, "3 invalid: object.key is missing",
		"4 invalid: the record is not an object", `5 invalid: eventSource is "aws:dynamodb", not aws:s3, aws:sqs or aws:sns`)
	c := batch.Changes[0]
	if batch.SQS || c.Region != "r" || c.Size != 5 || c.HasDelta || c.New() || !c.Time.Equal(time.Date(2026, 5, 12, 6, 45, 43, 0, time.UTC)) {
		t.Errorf("got %+v, SQS %v", c, batch.SQS)
	}
	check(t, `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectTagging:Put"}]}`, "0 ignored")
	check(t, `{"Records":[{"eventSource":"aws:s3","EventSource":"aws:s3"}]}`, `0 invalid: member "EventSource" is given twice`)
}

// TestS3DecodedKey: form-decoding can make text that is no key of what was one.
func TestS3DecodedKey(t *testing.T) {
	for key, want := range map[string]string{
		"%ff": `"\xff"`, "a%C3": `"a\xc3"`, "%ED%A0%BD": `"\xed\xa0\xbd"`,
	} {
		check(t, `{"Records":[`+s3Put(quote(key))+`]}`, "0 invalid: object.key is not UTF-8: "+want)
	}
}

func TestAmazonEventBridge(t *testing.T) {
	event := func(name, key string) string {
		return `{"detail-type":` + name + `,"source":"aws.s3","time":"2026-05-12T06:45:43Z","region":"r","detail":{"bucket":{"name":"b"},"object":{"key":` + key + `}}}`
	}
	c := check(t, event(`"Object Created"`, `"a b+c%20.txt"`), "0 created b/a b+c%20.txt").Changes[0]
	if c.Name != "Object Created" || c.Region != "r" || c.Time.Minute() != 45 {
		t.Errorf("got %+v", c)
	}
	check(t, event(`"Object Deleted"`, `"k"`), "0 removed b/k")
	check(t, event(`"Object Tags Added"`, `"k"`), "0 ignored")
	check(t, event(`"Object Created"`, `"\udc00"`), `0 invalid: object.key is not UTF-8: "\xed\xb0\x80"`)
	check(t, event(`7`, `"k"`), `0 invalid: detail-type is not a string: "7"`)
	checkError(t, `{"detail-type":"Scheduled Event","source":"aws.events","detail":{}}`, "no known shape")
}

func TestS3TestEvent(t *testing.T) {
	const test = `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}`
	check(t, test, "0 ignored")
	check(t, `{"Records":[{"eventSource":"aws:sqs","body":`+quote(test)+`}]}`, "message 0 ignored")
}
