package events

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMessageIDs(t *testing.T) {
	const record = `{\"events\":[{\"eventName\":\"ObjectCreated:PutObject\",\"oss\":{\"bucket\":{\"name\":\"b\"},\"object\":{\"key\":\"k\"}}}]}`
	smq := func(id string) string {
		return fmt.Sprintf(`{"requestId":"r","messageId":%q,"messageBody":"%s"}`, id, record)
	}
	event := func(id string) string {
		return fmt.Sprintf(`{"specversion":"1.0","source":"MNS","type":"mns:Queue:SendMessage","data":%s}`, smq(id))
	}
	sqs := func(id string) string {
		return fmt.Sprintf(`{"eventSource":"aws:sqs","messageId":%q,"body":"{\"Records\":[]}"}`, id)
	}
	list := func(elements ...string) string { return "[" + strings.Join(elements, ",") + "]" }
	tests := map[string]struct {
		payload string
		want    []string
	}{
		"SMQ, raw data":             {list(smq("1"), smq("2")), []string{"1", "2"}},
		"SMQ, events":               {list(event("1"), event("2"), event("3")), []string{"1", "2", "3"}},
		"one event":                 {event("1"), []string{"1"}},
		"SQS":                       {`{"Records":` + list(sqs("1"), sqs("2")) + `}`, []string{"1", "2"}},
		"one without an id":         {list(smq("1"), smq("")), nil},
		"one that cannot be read":   {list(smq("1"), `{}`), nil},
		"no queue":                  {strings.ReplaceAll(record, `\"`, `"`), nil},
		"a message in a message":    {list(strings.Replace(smq("1"), record, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(smq("9")), 1)), []string{"1"}},
		"no id, one in its content": {list(strings.Replace(smq(""), record, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(smq("9")), 1)), []string{"9"}},
	}
	inside := func(outer string, inner string) string {
		return strings.Replace(outer, record, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(inner), 1)
	}
	several := fmt.Sprintf(`{"specversion":"1.0","data":%s}`, list(smq("1"), smq("2")))
	for name, payload := range map[string]string{
		"several messages in one that has no id":         list(several),
		"one without an id, before a message in another": list(smq(""), inside(smq("1"), smq("9"))),
		"one without an id, before several in another":   list(smq(""), several),
		"several, of which the first has no id":          list(fmt.Sprintf(`{"specversion":"1.0","data":%s}`, list(smq(""), smq("2")))),
	} {
		tests[name] = struct {
			payload string
			want    []string
		}{payload, nil}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			batch, err := Decode([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, batch.MessageIDs); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
