package events

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDeadLetterLoop(t *testing.T) {
	letter := func(payload string) string {
		return `{"timestamp":"2026","requestPayload":` + payload + `}`
	}
	once := letter(quote(`{"events":[` + put(`"k"`) + `]}`))
	check(t, once, "0 created b/k")

	loop := check(t, letter(quote(once)), "0 ignored")
	if diff := cmp.Diff([]Origin{{Message: -1}}, loop.Loops); diff != "" {
		t.Errorf("loops (-want +got):\n%s", diff)
	}
	queued := check(t, letter(quote(`[`+quote(put(`"l"`))+`,{"messageBody":`+quote(once)+`}]`)),
		"message 0 created b/l", "message 1 ignored")
	if diff := cmp.Diff([]Origin{{Message: 1, Record: -1}}, queued.Loops); diff != "" {
		t.Errorf("loops (-want +got):\n%s", diff)
	}
	two := check(t, `[`+once+`,`+once+`]`,
		"message 0, record 0 created b/k", "message 1, record 0 created b/k")
	if two.Loops != nil {
		t.Errorf("loops %v, want none: neither letter is inside the other", two.Loops)
	}
}

func TestDeadLetterErrors(t *testing.T) {
	checkError(t, `{"requestPayload":"hello"}`, `reading requestPayload "hello": `+
		"invalid character 'h' looking for beginning of value at byte 1")
	checkError(t, `{"requestPayload":7}`, `reading requestPayload "7": no known shape`)
	checkError(t, `{"requestPayload":null}`, "requestPayload is null")
}
