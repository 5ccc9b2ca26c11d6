package events

import "testing"

func TestCloudEvent(t *testing.T) {
	const oss = `"oss":{"bucket":{"name":"b"},"object":{"key":"k"}}`
	event := func(kind, data string) string {
		return `{"specversion":"1.0","type":"` + kind + `","time":"2026-05-12T14:45:43+08:00","aliyunregionid":"cn-hangzhou","aliyunpublishtime":"2026-05-12T14:45:44.179PRC","data":` + data + `}`
	}
	batch := check(t, event("oss:ObjectRemoved:DeleteObject", `{`+oss+`}`), "0 removed b/k")
	if c := batch.Changes[0]; c.Name != "oss:ObjectRemoved:DeleteObject" || c.Region != "cn-hangzhou" || c.Time.Hour() != 6 {
		t.Errorf("got %+v, want name, region and time of the event", c)
	}
	check(t, event("oss:ObjectRemoved:DeleteObject", put(`"k"`)), "0 created b/k")
	check(t, event("oss:ObjectRemoved:DeleteObject", quote(`{`+oss+`}`)), "0 removed b/k")
	check(t, event("custom", put(`"k"`)), "0 created b/k")
	for _, test := range []struct{ kind, name, want string }{ // a name without its group is worth less than the event's type
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
	check(t, event("oss:ObjectCreated:PutObject", `{}`), "0 invalid: bucket.name is missing")
	check(t, event("oss:ObjectCreated:PutObject", `{"eventName":1,`+oss+`}`), `0 invalid: eventName is not a string: "1"`)
	checkError(t, event("oss:ObjectCreated:PutObject", `"text"`), `reading data "text"`)
	checkError(t, event("ecs:Instance:StateChange", `{"state":"Running"}`), `reading data "{\"state\":\"Running\"}": no known shape`)
	checkError(t, event("oss:ObjectCreated:PutObject", `{},"data":{}`), `member "data" is given twice`)
}

func TestArray(t *testing.T) {
	event := `{"specversion":"1.0","type":"oss:ObjectCreated:PutObject","data":` + put(`"k"`) + `}`
	list := `{"events":[` + put(`"l"`) + `,null]}`
	check(t, `[`+event+`,`+quote(event)+`,`+list+`,`+quote(list)+`,`+put(`"m"`)+`]`,
		"message 0 created b/k", "message 1 created b/k", "message 2, record 0 created b/l", "message 3, record 0 created b/l", "message 4 created b/m",
		"message 2, record 1 invalid: the record is not an object", "message 3, record 1 invalid: the record is not an object")
	check(t, `[1,`+event+`,"x",{}]`, "message 1 created b/k",
		`message 0 invalid: no known shape: "1"`, `message 2 invalid: no known shape: "x"`, `message 3 invalid: no known shape: "{}"`)
}

// TestArrayUnknownInMessage: a message with a batch in which nothing is known is
// one that cannot be read, whatever stands in the batch.
func TestArrayUnknownInMessage(t *testing.T) {
	check(t, `[{"messageBody":"[1,2,{}]"},`+put(`"k"`)+`]`, "message 1 created b/k", `message 0 invalid: reading messageBody "[1,2,{}]": no known shape`)
}

// TestArrayInMessage: each record of a batch inside a message has a place of its own.
func TestArrayInMessage(t *testing.T) {
	inner := `[` + put(`"k"`) + `,{"events":[` + put(`"l"`) + `,` + put(`"m"`) + `]},7,` + put(`"n"`) + `]`
	check(t, `[{"messageBody":`+quote(inner)+`}]`, "message 0, record 0 created b/k", "message 0, record 1 created b/l", "message 0, record 2 created b/m",
		"message 0, record 4 created b/n", `message 0, record 3 invalid: no known shape: "7"`)
}
