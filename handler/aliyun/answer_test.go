package aliyun

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// What an answer with a status of success means: an acceptance, a refusal, or
// neither. Wanted is the task id of an acceptance, "no CODE CLASS" for a refusal
// and "doubt CODE [TASK]" for the rest.
func TestAnswersThatAreNotRefusedByTheirStatus(t *testing.T) {
	tests := []struct{ body, want string }{
		{`{"RequestId":"r","RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","RefreshTaskId":"5,6"}`, "5,6"},
		{`{"RequestId":"r","RefreshTaskId":95248880123456789}`, "95248880123456789"},
		{`{"RequestId":"r","PushTaskId":"5"}`, "5"},
		{`{"RequestId":"r","RefreshTaskId":"","PushTaskId":"5"}`, "5"},
		{`{"RequestId":12,"RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r"}`, ""},
		{`{"RequestId":"r","RefreshTaskId":null}`, ""},
		{`{"RequestId":"r","Code":"","Message":"","RefreshTaskId":""}`, ""},
		{`{"RequestId":"r","Code":"OK","RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","Code":" ok ","RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","Code":200,"RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","code":"200","RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","Code":0,"RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","Code":null,"RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","Message":"accepted","RefreshTaskId":"5"}`, "5"},
		{`{"RequestId":"r","Success":true,"RefreshTaskId":"5"}`, "5"},

		{`{"RequestId":"r","Code":"Throttling.User","RefreshTaskId":"5"}`, "no Throttling.User again"},
		{`{"RequestId":"r","Code":"Throttling.User","RefreshTaskId":[]}`, "no Throttling.User again"},
		{`{"RequestId":"r","code":"Throttling"}`, "no Throttling again"},
		{`{"RequestId":"r","Code":"","CODE":"Throttling"}`, "no Throttling again"},
		{`{"Code":"QuotaExceeded.Refresh"}`, "no QuotaExceeded.Refresh quota"},
		{`{"RequestId":"r","Code":"Odd","RefreshTaskId":"5"}`, "no Odd unknown"},
		{`{"RequestId":"r","Code":"Odd"}`, "no Odd unknown"},
		{`{"RequestId":"r","Code":404}`, "no 404 unknown"},
		{`{"RequestId":"r","Success":false}`, "no SuccessFalse unknown"},
		{`{"RequestId":"r","success":"False","RefreshTaskId":"5"}`, "no SuccessFalse unknown"},
		{`{"RequestId":"r","Code":"OK","Success":false}`, "no SuccessFalse unknown"},

		{`{"RequestId":"r","Message":"failed"}`, "doubt NoTaskId"},
		{`{"RequestId":"r","message":"failed"}`, "doubt NoTaskId"},
		{`{"RequestId":"r","Code":"OK"}`, "doubt NoTaskId"},
		{`{"RequestId":"r","RefreshTaskId":[]}`, "doubt NoTaskId"},
		{`{"RequestId":"r","RefreshTaskId":{}}`, "doubt NoTaskId"},
		{`{"RequestId":"r","RefreshTaskId":0}`, "doubt NoTaskId"},
		{`{"RequestId":"r","RefreshTaskId":false}`, "doubt NoTaskId"},
		{`{"RequestId":"r","RefreshTaskId":" "}`, "doubt NoTaskId"},
		{`{"RequestId":"r","Code":{},"RefreshTaskId":"5"}`, "doubt OddCode 5"},
		{`{"RequestId":"r","Code":false}`, "doubt OddCode"},
		{`{"RequestId":"r","CODE":"OK","Code":[],"code":0,"RefreshTaskId":"5"}`, "doubt OddCode 5"},
		{`{"RequestId":"r","RefreshTaskId":"5","Code":[` + strings.Repeat("1,", 50_000) + `1]}`, "doubt OddCode 5"},
		{`{"RefreshTaskId":"5"}`, "doubt NoRequestId 5"},
		{`{"RequestId":0,"RefreshTaskId":"5"}`, "doubt NoRequestId 5"},
		{`{"RequestId":{},"RefreshTaskId":"5"}`, "doubt NoRequestId 5"},
		{`{"RequestId":[]}`, "doubt NoRequestId"},
		{`{"RequestId":false}`, "doubt NoRequestId"},
		{`{"RequestId":" "}`, "doubt NoRequestId"},
		{`{}`, "doubt NoRequestId"},
		{`null`, "doubt HTTP200"},
		{`[]`, "doubt HTTP200"},
		{`{"RequestId":"r","Refr`, "doubt HTTP200"},
		{`<html>`, "doubt HTTP200"},
	}
	for _, test := range tests {
		api := always(t, aliyuntest.Fault{Body: test.body})
		receipt, err := caller(api).Refresh(t.Context(), call("dcdn", photo))
		got := receipt.TaskID
		var e *refresh.Error
		if errors.As(err, &e) && e.Doubt != nil {
			got = strings.TrimSpace(fmt.Sprintf("doubt %s %s", e.Code, e.Doubt.TaskID))
			if e.Class != refresh.Again {
				t.Errorf("%s: the class is %v, want %v", test.body, e.Class, refresh.Again)
			}
		} else if e != nil {
			got = fmt.Sprintf("no %s %v", e.Code, e.Class)
		}
		if got != test.want {
			t.Errorf("%.200s: got %q (%v), want %q", test.body, got, err, test.want)
		}
	}
}

// The reason of a doubt is in its text, with what the API said.
func TestDoubtSaysWhy(t *testing.T) {
	api := always(t, aliyuntest.Fault{Body: `{"RequestId":"r-1","Message":"try later"}`})
	e := refused(t, caller(api), call("dcdn", photo))
	const want = `RefreshDcdnObjectCaches: NoTaskId: the answer has no task id, but says "try later"; ` +
		`whether the API accepted the request is unknown (request id r-1)`
	if e.Error() != want || e.Doubt.RequestID != "r-1" {
		t.Errorf("the error is\n%q, want\n%q", e.Error(), want)
	}
}

// A proxy that sends every answer twice makes each call see the answer of the
// one before it. No call takes that for its own.
func TestAnswerOfAnotherCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
			InMemory: true,
			Latency:  10 * time.Millisecond,
			Fault: func(aliyuntest.Call) aliyuntest.Fault {
				return aliyuntest.Fault{Repeat: time.Millisecond}
			},
		})
		c := caller(api)
		first, err := c.Refresh(t.Context(), call("dcdn", photo))
		if err != nil {
			t.Fatal(err)
		}
		e := refused(t, c, call("dcdn", photo+"?2")) // sent before the repetition comes
		if e.Code != "RepeatedAnswer" || e.Class != refresh.Again || e.Doubt != nil || e.RequestID != first.RequestID {
			t.Errorf("the error is %+v, want RepeatedAnswer", e)
		}
		third, err := c.Refresh(t.Context(), call("dcdn", photo+"?3"))
		if err != nil || third.RequestID == first.RequestID {
			t.Errorf("the third call: %+v, %v", third, err)
		}
		if n := api.Connections(); n != 2 {
			t.Errorf("%d connections, want 2: the first one is not used again", n)
		}
	})
}

// A connection is known beneath TLS too.
func TestAnswerOfAnotherCallOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"RequestId":"always the same","RefreshTaskId":"5"}`)
	}))
	defer server.Close()
	client := NewClient(Endpoint(server.URL))
	client.transport.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	c := client.With(plainKey)
	for _, want := range []string{"", "RepeatedAnswer", ""} {
		code := ""
		if _, err := c.Refresh(t.Context(), call("dcdn", photo)); err != nil {
			code = err.(*refresh.Error).Code
		}
		if code != want {
			t.Errorf("got %q, want %q", code, want)
		}
	}
}

func TestRepeatedRequestIDs(t *testing.T) {
	var seen requestIDs
	for i := range 200 {
		if seen.repeats(fmt.Sprint(i)) {
			t.Fatalf("%d is said to have come before", i)
		}
		if i > 0 && !seen.repeats(fmt.Sprint(i-1)) {
			t.Fatalf("%d came before", i-1)
		}
	}
	if !seen.repeats("136") || seen.repeats("135") {
		t.Error("want the last 64 ids to be remembered")
	}
}

// What the API calls itself is shown in one line.
func TestForeignNamesAreOneLine(t *testing.T) {
	const body = `{"Code":"Odd\nCode","Message":"图 a\u202eb","RequestId":"r\u001b[2J"}`
	api := always(t, aliyuntest.Fault{Status: 400, Body: body})
	e := refused(t, caller(api), call("dcdn", photo))
	if e.Code != `"Odd\nCode"` || e.Message != `"图 a\u202eb"` || e.RequestID != `"r\x1b[2J"` {
		t.Errorf("code %s, message %s, request id %s", e.Code, e.Message, e.RequestID)
	}
}

func TestLongHeadersAreRefused(t *testing.T) {
	c := raw(func(string) string {
		return "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 100<<10) +
			"\r\nContent-Length: 17\r\n\r\n{\"RequestId\":\"1\"}"
	})
	if e := refused(t, c, call("dcdn", photo)); e.Class != refresh.Again || e.Code != "ConnectionBroken" {
		t.Errorf("the error is %+v", e)
	}
}
