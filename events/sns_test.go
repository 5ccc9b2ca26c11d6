package events

import "testing"

func TestSNS(t *testing.T) {
	sns := func(message string) string {
		return `{"EventSource":"aws:sns","Sns":{"Message":` +
			message + `}}`
	}
	batch := check(t,
		`{"Records":[`+sns(quote(`{"Records":[`+s3Put(`"k"`)+`]}`))+`,`+sns(`"hi!"`)+
			`,{"EventSource":"aws:sns","Sns":[]},{"EventSource":"aws:sns"},{"EventSource":"aws:sns","Sns":{"message":"x"}}]}`,
		"message 0, record 0 created b/k",
		`message 1 invalid: reading Sns.Message "hi!": invalid character 'h' looking for beginning of value at byte 1`,
		`message 2 invalid: Sns is not an object: "[]"`,
		"message 3 invalid: the record has no member Sns", "message 4 invalid: Sns has no member Message")
	if batch.SQS {
		t.Error("SNS is not SQS")
	}
}
