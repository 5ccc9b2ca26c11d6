package events

import "testing"

func TestSQS(t *testing.T) {
	sqs := func(id, body string) string {
		return `{"eventSource":"aws:sqs","messageId":"` + id + `","body":` + body + `}`
	}
	two := quote(`{"Records":[` + s3Put(`"k"`) + `,` + s3Put(`"l"`) + `]}`)
	note := quote(`{"Type":"Notification","Message":` + two + `}`)
	batch := check(t,
		`{"Records":[`+sqs("A", two)+`,`+sqs("B", `"hello"`)+`,`+sqs("C", note)+
			`,{"eventSource":"aws:kinesis","messageId":"D"},`+sqs("E", `null`)+`]}`,
		"message 0, record 0 created b/k", "message 0, record 1 created b/l",
		"message 2, record 0 created b/k", "message 2, record 1 created b/l",
		`message 1 invalid: reading body "hello": invalid character 'h' looking for beginning of value at byte 1`,
		`message 3 invalid: eventSource is "aws:kinesis": this service is not read; send event notifications of OSS (acs:oss) or S3 (aws:s3)`, "message 4 invalid: body is null")
	if !batch.SQS {
		t.Error("the batch is not marked as one of SQS")
	}
	ids := ""
	for _, c := range batch.Changes {
		ids += c.Origin.MessageID
	}
	for _, i := range batch.Invalid {
		ids += i.Origin.MessageID
	}
	if ids != "AACCBDE" {
		t.Errorf("ids of the messages are %q", ids)
	}
}

func TestSQSInDeadLetter(t *testing.T) {
	batch := check(t,
		`{"requestPayload":{"Records":[{"eventSource":"aws:sqs","body":`+
			quote(`{"Records":[`+s3Put(`"k"`)+`]}`)+`}]}}`, "message 0, record 0 created b/k")
	if batch.SQS {
		t.Error("a dead letter is not answered with message ids")
	}
}
