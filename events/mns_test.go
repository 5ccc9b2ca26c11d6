package events

import (
	"encoding/base64"
	"testing"
)

func TestQueue(t *testing.T) {
	const queue = `{"requestId":"r","messageId":"m","messageBody":`
	list := `{"events":[` + put(`"k"`) + `,` + put(`"图"`) + `]}`
	check(t, `[`+queue+`"hello"},`+queue+quote(list)+`},`+queue+`null},`+queue+`"aGVsbG8="}]`,
		"message 1, record 0 created b/k", "message 1, record 1 created b/图",
		`message 0 invalid: reading messageBody "hello": invalid character 'h' looking for beginning of value at byte 1`,
		`message 2 invalid: messageBody is null`,
		`message 3 invalid: reading messageBody "aGVsbG8=": invalid character 'a' looking for beginning of value at byte 1`)
}

func TestQueueSpoiltKey(t *testing.T) {
	list := `{"events":[` + put("\"\xff\"") + `,` + put(`"\ud83d"`) + `,` + put(`"k"`) + `]}`
	check(t, `[{"messageBody":"`+inBase64(list)+`"}]`, "message 0, record 2 created b/k",
		`message 0, record 0 invalid: oss.object.key is not UTF-8: "\xff"`,
		`message 0, record 1 invalid: oss.object.key is not UTF-8: "\xed\xa0\xbd"`)
}

func TestTopic(t *testing.T) {
	list := `{"events":[` + put(`"k"`) + `]} ` // with the space, Base64 is padded
	for _, body := range []string{
		list, inBase64(list),
		base64.RawStdEncoding.EncodeToString([]byte(list)), inBase64("\ufeff" + list),
		inBase64(list) + "\n",
	} {
		check(t, `{"TopicOwner":"1","Message":`+quote(body)+
			`,"PublishTime":1550216302888,"TopicName":"t"}`, "0 created b/k")
		check(t, `{"body":`+quote(body)+`,"attrs":{"Extend":"x"}}`, "0 created b/k")
		check(t, `{"attrs":null,"body":`+quote(body)+`}`, "0 created b/k")
		check(t, body, "0 created b/k")
	}
	check(t, `{"body":`+list+`,"attrs":{}}`, "0 created b/k")
	checkError(t, `{"Message":"hello"}`, `reading Message "hello": `+
		"invalid character 'h' looking for beginning of value at byte 1")
	checkError(t, `{"attrs":{}}`, "the record has no member body")
}

// TestHTTPRequest: whoever can send a request must not be able to ask for refreshes.
func TestHTTPRequest(t *testing.T) {
	checkError(t, `{"version":"v1","rawPath":"/","headers":{},"isBase64Encoded":false,"body":`+
		quote(`{"events":[`+put(`"k"`)+`]}`)+`}`,
		`an object with the members "version", "rawPath", "headers", "isBase64Encoded", "body"`)
}
