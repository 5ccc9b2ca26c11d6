package handler_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// letterOf is a dead letter about the payload, with the answer as an object or
// as text, as platforms write either.
func letterOf(t *testing.T, payload []byte, answer any) []byte {
	t.Helper()
	letter, err := json.Marshal(map[string]any{
		"requestContext": map[string]string{"requestId": "r"},
		"requestPayload": string(payload), "responsePayload": answer,
	})
	if err != nil {
		t.Fatal(err)
	}
	return letter
}

// A letter that the function's own error makes lists what failed, or says that
// it does not.
func TestLetterListsWhatFailed(t *testing.T) {
	for _, records := range []int{1, 10, 50, 5000} {
		l := newLab(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: -1}}, siteTable)
		payload := put(records, `{}`)
		report, err := l.handle(t, payload, 20*time.Second)
		if err == nil || report.FailedURLs != records {
			t.Fatalf("%d URLs failed, want %d; %v", report.FailedURLs, records, err)
		}
		answer := map[string]string{"errorType": handler.ErrorType(err), "errorMessage": err.Error()}
		text, _ := json.Marshal(answer)
		for _, shape := range []any{answer, string(text)} {
			letter, err := handler.ReadLetter(letterOf(t, payload, shape))
			if err != nil {
				t.Fatal(err)
			}
			batch, err := letter.Decode()
			if err != nil || batch.Records() != records+1 {
				t.Errorf("the event has %d records, want %d; %v", batch.Records(), records+1, err)
			}
			if whole := records < 5000; (letter.Failed != nil) != whole {
				t.Fatalf("%d failed URLs are all listed: %t, want %t", records, letter.Failed != nil, whole)
			}
			if letter.Failed == nil {
				continue
			}
			listed := 0
			for _, g := range letter.Failed.Failed {
				listed += len(g.URLs)
			}
			if listed != records || len(letter.Failed.Invalid) != 1 {
				t.Errorf("%d URLs and %d invalid records are listed, want %d and 1", listed, len(letter.Failed.Invalid), records)
			}
		}
	}
}

// An answer counts only where it lists everything that failed.
func TestLetterWithAnotherAnswer(t *testing.T) {
	group := `{"product":"dcdn","type":"File","code":"TooMany.Refresh","urls":["https://www.example.com/a"]}`
	body := func(urls int, groups ...string) string {
		return fmt.Sprintf(`{"failed_urls":%d,"failed":[%s]}`, urls, strings.Join(groups, ","))
	}
	tests := map[string]struct {
		errorType, message string
		want               bool
	}{
		"whole":         {"RefreshIncomplete", "any text\n" + body(1, group), true},
		"only invalid":  {"RefreshIncomplete", "any text\n" + body(0), true},
		"cut URLs":      {"RefreshIncomplete", "any text\n" + body(2, group), false},
		"cut text":      {"RefreshIncomplete", "any text\n" + body(1, group)[:40], false},
		"no report":     {"RefreshIncomplete", "1 of 2 targets failed", false},
		"no count":      {"RefreshIncomplete", "1 URL was not refreshed\n" + `{"failed":[` + group + `]}`, false},
		"another error": {"EventError", "any text\n" + body(1, group), false},
	}
	for name, tt := range tests {
		answer := map[string]string{"errorType": tt.errorType, "errorMessage": tt.message}
		letter, err := handler.ReadLetter(letterOf(t, []byte(`[]`), answer))
		if err != nil || (letter.Failed != nil) != tt.want {
			t.Errorf("%s: it lists everything: %t, want %t; %v", name, letter.Failed != nil, tt.want, err)
		}
	}
	for _, text := range []string{``, `[]`, `{}`, `{"events":[]}`, `{"requestPayload":null}`, `{"requestContext":{"condition":"Success"},"requestPayload":"[]"}`} {
		if _, err := handler.ReadLetter([]byte(text)); err == nil {
			t.Errorf("%q is read as a dead letter", text)
		}
	}
}

// Records of no rule are to be refreshed once the table has a rule for them, so a
// letter about them lists less than what failed.
func TestLetterWithUnmatchedRecords(t *testing.T) {
	payload := put(1, record("renamed", "x.png"))
	l := newLab(t, &aliyuntest.Server{}, siteTable+"refresh: {unmatched: fail}\n")
	_, err := l.handle(t, payload, time.Second)
	answer := map[string]string{"errorType": handler.ErrorType(err), "errorMessage": err.Error()}
	letter, err := handler.ReadLetter(letterOf(t, payload, answer))
	if err != nil || letter.Failed != nil {
		t.Errorf("%+v is all that failed; %v", letter.Failed, err)
	}
}
