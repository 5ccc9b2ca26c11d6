package events

import (
	"fmt"
	"strings"
	"testing"
)

func TestCloudEvent(t *testing.T) {
	const oss = `"oss":{"bucket":{"name":"b"},"object":{"key":"k"}}`
	event := func(kind, data string) string {
		return `{"specversion":"1.0","type":"` + kind +
			`","time":"2026-05-12T14:45:43+08:00","aliyunregionid":"cn-hangzhou",` +
			`"aliyunpublishtime":"2026-05-12T14:45:44.179PRC","data":` + data + `}`
	}
	batch := check(t, event("oss:ObjectRemoved:DeleteObject", `{`+oss+`}`), "0 removed b/k")
	if c := batch.Changes[0]; c.Name != "oss:ObjectRemoved:DeleteObject" ||
		c.Region != "cn-hangzhou" || c.Time.Hour() != 6 {
		t.Errorf("got %+v, want name, region and time of the event", c)
	}
	check(t, event("oss:ObjectRemoved:DeleteObject", put(`"k"`)), "0 created b/k")
	check(t, event("oss:ObjectRemoved:DeleteObject", quote(`{`+oss+`}`)), "0 removed b/k")
	check(t, event("custom", put(`"k"`)), "0 created b/k")
	// A name without its group says less than the event's type.
	for _, test := range []struct{ kind, name, want string }{
		{"oss:ObjectRemoved:DeleteObject", "PutObject", "0 removed b/k"},
		{"oss:ObjectCreated:New", "New", "0 created b/k"},
		{"oss:ObjectRemoved:DeleteObject", "ObjectCreated:PutObject", "0 created b/k"},
		{"oss:DeleteObject", "PutObject", "0 created b/k"},
		{"mns:Queue:SendMessage", "PutObject", "0 created b/k"},
		{"custom", "PutObject", "0 created b/k"},
	} {
		check(t, event(test.kind, `{"eventName":"`+test.name+`",`+oss+`}`), test.want)
	}
	check(t, event("oss:BucketCreated:PutBucket", `null`), "0 ignored")
	check(t, event("oss:BucketCreated:PutBucket", `{}`), "0 ignored")
	read := check(t, event("oss:ObjectDownloaded:GetObject", `{`+oss+`}`), "0 ignored").Ignored[0]
	if read.Name != "oss:ObjectDownloaded:GetObject" || read.Bucket != "b" || read.Key != "k" {
		t.Errorf("ignored as %+v, want its name, bucket and key", read)
	}
	check(t, `{"specversion":"1.0","source":"acs.oss","data":`+put(`"k"`)+`}`, "0 created b/k")
	check(t, `{"specversion":"1.0","source":"custom","data":`+put(`"k"`)+`}`, "0 created b/k")
	check(t, event("oss:ObjectCreated:PutObject", `{}`), "0 invalid: data has no member oss")
	check(t, event("oss:ObjectCreated:PutObject", `{"eventName":1,`+oss+`}`),
		`0 invalid: data.eventName is not a string: "1"`)
	checkError(t, event("oss:ObjectCreated:PutObject", `"text"`), `reading data "text": `+
		"invalid character 'e' in literal true (expecting 'r') at byte 2")
	checkError(t, event("ecs:Instance:StateChange", `{"state":"Running"}`),
		`no known shape: a CloudEvent with no source and type "ecs:Instance:StateChange"`)
	checkError(t, event("oss:ObjectCreated:PutObject", `{"oss":{},"Records":[]}`),
		`reading data: both "oss" and "Records" are given`)
	checkError(t, event("oss:ObjectCreated:PutObject", `{},"data":{}`), `member "data" is given twice`)
}

// TestCloudEventNotOfOSS has events that are none of OSS, or not in its shape.
func TestCloudEventNotOfOSS(t *testing.T) {
	for event, want := range map[string]string{
		// The members of OSS's record without the record.
		`{"source":"acs.oss","type":"oss:ObjectCreated:PutObject","data":{"bucket":{"name":"b"},"object":{"key":"k","size":1}}}`: "data has no member oss",
		`{"source":"acs.oss","type":"oss:ObjectCreated:PutObject","data":{"eventName":"PutObject","s3":{}}}`:                     "data has no member oss",
		`{"source":"acs.oss","type":"oss:ObjectRemoved:DeleteObject","data":{"oss":{"object":{"key":"k"}}}}`:                     "data.oss has no member bucket",
		`{"source":"acs.oss","type":"oss:ObjectRemoved:DeleteObject","data":{"oss":{"bucket":{"name":"b"},"object":{}}}}`:        "data.oss.object has no member key",
		`{"source":"acs.oss","type":"oss:ObjectRemoved:DeleteObject","data":{"oss":[]}}`:                                         `data.oss is not an object: "[]"`,
		`{"source":"acs.oss","type":"oss:ObjectCreated:PutObject"}`:                                                              "the record has no member data",
		`{"source":"acs.oss","type":"oss:ObjectCreated:PutObject","data_base64":"e30="}`:                                         "the record has no member data",
		`{"source":"acs.oss","type":"oss:ObjectCreated:PutObject","data":null}`:                                                  "data is null",
		`{"source":"acs.oss","type":"oss:ObjectCreated:PutObject","data":7}`:                                                     `data is not an object: "7"`,
		`{"source":"acs.oss","data":{"bucket":"b"}}`:                                                                             "data has no member eventName",
		// Names and services that are not OSS's.
		`{"source":"acs.oss","type":"PutTheObject","data":{}}`:                               `event "PutTheObject" is not one of OSS or S3, whose names look like "ObjectCreated:PutObject"`,
		`{"source":"custom","type":"custom","data":{"oss":{}}}`:                              `event "custom" is not one of OSS or S3, whose names look like "ObjectCreated:PutObject"`,
		`{"type":"tos:ObjectCreated:Put","data":{"oss":{}}}`:                                 `event "tos:ObjectCreated:Put" is not one of OSS or S3, whose names look like "ObjectCreated:PutObject"`,
		`{"source":"acs.oss","data":{"eventName":"PutObject","eventSource":"obs","oss":{}}}`: `eventSource is "obs": this service is not read; send event notifications of OSS (acs:oss) or S3 (aws:s3)`,
	} {
		event = `{"specversion":"1.0",` + event[1:]
		check(t, event, "0 invalid: "+want)
		check(t, `[`+event+`]`, "message 0 invalid: "+want)
	}
	for event, want := range map[string]string{
		`{"source":"//storage.googleapis.com/projects/_/buckets/b","type":"google.cloud.storage.object.v1.finalized","data":{"bucket":"b","name":"k"}}`: `source "//storage.googleapis.com/projects/_/buckets/b" and type "google.cloud.storage.object.v1.finalized"`,
		`{"source":"cos.cloud.tencent","type":"cos:created:PutObject","data":{"cos":{},"event":{}}}`:                                                    `source "cos.cloud.tencent" and type "cos:created:PutObject"`,
		`{"source":"/subscriptions/s","type":"Microsoft.Storage.BlobCreated","data":{"api":"PutBlob","url":"https://a.example.com/b/k"}}`:               `source "/subscriptions/s" and type "Microsoft.Storage.BlobCreated"`,
		`{"source":"acs.ecs","type":"ecs:ActionTrail:ApiCall","data":{"eventName":"StopInstance"}}`:                                                     `source "acs.ecs" and type "ecs:ActionTrail:ApiCall"`,
		`{"source":"acs.actiontrail","type":"oss:ActionTrail:ApiCall","data":{"eventName":"PutObject","serviceName":"Oss"}}`:                            `source "acs.actiontrail" and type "oss:ActionTrail:ApiCall"`,
		`{"source":"my.app","type":"oss:ObjectCreated:PutObject","data":{"bucket":"b","key":"k"}}`:                                                      `source "my.app" and type "oss:ObjectCreated:PutObject"`,
		`{"data":{"bucket":"b","key":"k"}}`: "a CloudEvent with no source and no type",
	} {
		event = `{"specversion":"1.0",` + event[1:]
		checkError(t, event, want)
		check(t, `[`+event+`,`+put(`"k"`)+`]`, "message 1 created b/k",
			"message 0 invalid: no known shape: a CloudEvent with "+
				strings.TrimPrefix(want, "a CloudEvent with "))
	}
}

// TestCloudEventActionTrail: what ActionTrail records of OSS has an event of OSS
// beside it. The record names the service that recorded it, and no object.
func TestCloudEventActionTrail(t *testing.T) {
	const event = `{"specversion":"1.0","source":"acs.oss","type":"oss:%s","data":{"eventName":%s,
		"eventSource":"oss-cn-hangzhou.aliyuncs.com","serviceName":"Oss","requestParameters":{"bucketName":"b"}}}`
	for _, name := range []string{`"PutObject"`, `"DeleteMultipleObjects"`, `null`} {
		batch := check(t, fmt.Sprintf(event, "ActionTrail:ApiCall", name), "0 ignored")
		if i := batch.Ignored[0]; i.Name != "oss:ActionTrail:ApiCall" || i.Unknown {
			t.Errorf("ignored as %+v, want the event's type", i)
		}
	}
	check(t, fmt.Sprintf(event, "ObjectCreated:PutObject", `"PutObject"`),
		`0 invalid: eventSource is "oss-cn-hangzhou.aliyuncs.com": records of ActionTrail are not read; send the event notifications of OSS`)
}

func TestArray(t *testing.T) {
	event := `{"specversion":"1.0","type":"oss:ObjectCreated:PutObject","data":` + put(`"k"`) + `}`
	list := `{"events":[` + put(`"l"`) + `,null]}`
	check(t, `[`+event+`,`+quote(event)+`,`+list+`,`+quote(list)+`,`+put(`"m"`)+`]`,
		"message 0 created b/k", "message 1 created b/k", "message 2, record 0 created b/l",
		"message 3, record 0 created b/l", "message 4 created b/m",
		"message 2, record 1 invalid: the record is not an object",
		"message 3, record 1 invalid: the record is not an object")
	check(t, `[1,`+event+`,"x",{}]`, "message 1 created b/k",
		`message 0 invalid: no known shape: "1"`, `message 2 invalid: no known shape: "x"`,
		`message 3 invalid: no known shape: an object without members`)
}

// TestArrayUnknownInMessage: a message with a batch in which nothing is known is
// one that cannot be read, however long the batch is.
func TestArrayUnknownInMessage(t *testing.T) {
	check(t, `[{"messageBody":"[1,2,{}]"},`+put(`"k"`)+`]`, "message 1 created b/k",
		`message 0 invalid: reading messageBody "[1,2,{}]": no known shape: an array that begins with "1"`)
}

// TestArrayInMessage: each record of a batch inside a message has a place of its own.
func TestArrayInMessage(t *testing.T) {
	list := `{"events":[` + put(`"l"`) + `,` + put(`"m"`) + `]}`
	inner := `[` + put(`"k"`) + `,` + list + `,7,` + put(`"n"`) + `]`
	check(t, `[{"messageBody":`+quote(inner)+`}]`, "message 0, record 0 created b/k",
		"message 0, record 1 created b/l", "message 0, record 2 created b/m",
		"message 0, record 4 created b/n", `message 0, record 3 invalid: no known shape: "7"`)
}
