package events

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// routes returns a payload of each shape, each with one object of this key.
func routes(key string) map[string]string {
	record := put(quote(key))
	oss := `{"events":[` + record + `]}`
	object := func(key string) string {
		return `{"bucket":{"name":"b"},"object":{"key":` + quote(key) + `}}`
	}
	s3 := `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put",` +
		`"s3":` + object(url.QueryEscape(key)) + `}]}`
	amazon := `{"detail-type":"Object Created","source":"aws.s3","detail":` + object(key) + `}`
	event := `{"specversion":"1.0","type":"oss:ObjectCreated:PutObject","data":%s}`
	queue := `{"requestId":"r","messageId":"m","messageBody":%s}`
	sqs := `{"Records":[{"eventSource":"aws:sqs","messageId":"m","body":%s}]}`
	note := `{"Type":"Notification","Message":%s}`
	return map[string]string{
		"oss":                  oss,
		"oss record":           record,
		"oss text":             quote(oss),
		"oss Base64":           inBase64(oss),
		"event":                fmt.Sprintf(event, record),
		"event, text":          fmt.Sprintf(event, quote(record)),
		"event, list":          fmt.Sprintf(event, oss),
		"array":                `[` + fmt.Sprintf(event, record) + `]`,
		"array of text":        `[` + quote(fmt.Sprintf(event, record)) + `]`,
		"array of records":     `[` + record + `]`,
		"queue":                `[` + fmt.Sprintf(event, fmt.Sprintf(queue, quote(oss))) + `]`,
		"queue, Base64":        `[` + fmt.Sprintf(event, fmt.Sprintf(queue, quote(inBase64(oss)))) + `]`,
		"queue, raw":           `[` + fmt.Sprintf(queue, quote(oss)) + `]`,
		"topic":                fmt.Sprintf(note, quote(oss)),
		"topic, Base64":        fmt.Sprintf(note, quote(inBase64(oss))),
		"stream":               `{"attrs":{},"body":` + quote(oss) + `}`,
		"s3":                   s3,
		"amazon":               amazon,
		"s3 in sqs":            fmt.Sprintf(sqs, quote(s3)),
		"amazon in sqs":        fmt.Sprintf(sqs, quote(amazon)),
		"s3 in sns in sqs":     fmt.Sprintf(sqs, quote(fmt.Sprintf(note, quote(s3)))),
		"s3 in sns":            `{"Records":[{"EventSource":"aws:sns","Sns":` + fmt.Sprintf(note, quote(s3)) + `}]}`,
		"dead letter":          `{"requestPayload":` + quote(oss) + `}`,
		"dead letter, object":  `{"requestPayload":` + oss + `}`,
		"dead letter of queue": `{"requestPayload":` + quote(`[`+fmt.Sprintf(queue, quote(inBase64(oss)))+`]`) + `}`,
	}
}

// FuzzRoutes: a key that is put into a payload comes out of it, once.
func FuzzRoutes(f *testing.F) {
	for _, key := range []string{
		"a+b%2Bc.txt", "100%25.txt", "图 1.png", `\"\u`, "\u2028<&>", "😀",
		"\ufffd", "{}[],:",
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if key == "" || !utf8.ValidString(key) {
			t.Skip("not a key")
		}
		for name, payload := range routes(key) {
			batch, err := Decode([]byte(payload))
			if err != nil || batch.Records() != 1 || len(batch.Changes) != 1 || batch.Changes[0].Key != key {
				t.Errorf("%s: key %q came out as %q, error %v", name, key, summary(batch), err)
			}
		}
	})
}

// FuzzDecode: no payload breaks the decoder, and each record of a list is counted.
func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob("*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		f.Add(sample(f, name))
	}
	for _, payload := range routes("k") {
		f.Add([]byte(payload))
	}
	for _, payload := range []string{
		`{"events":[{},null,1,"",[]]}`, `{"events":[],"events":[{}]}`,
		`[[["\"]"]]]`, `{"a":"\\","events":["\\\""]}`,
	} {
		f.Add([]byte(payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		batch, err := Decode(payload)
		if err != nil && batch.Records() != 0 {
			t.Errorf("%d records beside the error %v", batch.Records(), err)
		}
		for _, c := range batch.Changes {
			if c.Bucket == "" || c.Key == "" || c.Kind == "" || !utf8.ValidString(c.Bucket+c.Key) {
				t.Errorf("incomplete change %+v", c)
			}
		}
		var native map[string]json.RawMessage
		var list []json.RawMessage
		if json.Unmarshal(payload, &native) != nil || json.Unmarshal(native["events"], &list) != nil ||
			list == nil {
			return
		}
		if err == nil && batch.Records() != len(list) {
			t.Errorf("%d records of a list of %d", batch.Records(), len(list))
		}
		if err != nil && len(native) == 1 && !strings.Contains(err.Error(), "twice") {
			t.Errorf("refusing a native payload: %v", err)
		}
	})
}
