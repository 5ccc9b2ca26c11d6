package aliyuntest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// once is a Fault of the first call.
func once(f Fault) func(Call) Fault {
	return func(c Call) Fault {
		if c.N > 0 {
			return Fault{}
		}
		return f
	}
}

func TestFaultAnswers(t *testing.T) {
	const id = "E5BD4B50-7A02-493A-AE0B-000000000000"
	apiError := func(code any, message string) map[string]any {
		return map[string]any{"Code": code, "Message": message, "RequestId": id}
	}
	tests := []struct {
		name     string
		fault    Fault
		status   int
		kind     string // content type
		fields   map[string]any
		body     string // where there are no fields
		accepted int
	}{
		{name: "none", status: 200, fields: map[string]any{"RefreshTaskId": "95248880", "RequestId": id}, accepted: 1},
		{name: "code", fault: Fault{Code: "Throttling.User", Message: "slow down"}, status: 400, fields: apiError("Throttling.User", "slow down")},
		{name: "status", fault: Fault{Status: 503}, status: 503, fields: apiError("ServiceUnavailable", "Service Unavailable")},
		{name: "accepted error", fault: Fault{Status: 500, Accept: true}, status: 500, fields: apiError("InternalServerError", "Internal Server Error"), accepted: 1},
		{name: "odd code", fault: Fault{OddCode: 42}, status: 400, fields: apiError(42.0, "Bad Request")},
		{name: "html", fault: Fault{Status: 502, Body: "<html>", ContentType: "text/html"}, status: 502, kind: "text/html", body: "<html>"},
		{name: "truncated", fault: Fault{Body: `{"RequestId":"E5`, Accept: true}, status: 200, body: `{"RequestId":"E5`, accepted: 1},
		{name: "empty", fault: Fault{Empty: true}, status: 200},
		{name: "redirect", fault: Fault{Redirect: "http://b.com/"}, status: 307},
		{name: "redirect with status", fault: Fault{Redirect: "http://b.com/", Status: 302}, status: 302},
		{name: "no ids", fault: Fault{NoIDs: true}, status: 200, fields: map[string]any{"RequestId": id}, accepted: 1},
		{name: "no request id", fault: Fault{NoRequestID: true}, status: 200, fields: map[string]any{"RefreshTaskId": "95248880"}, accepted: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewTestServer(t, &Server{Fault: once(tt.fault)})
			a := s.send(t, refreshing("http://a.com/"))
			delete(a.fields, "HostId")
			delete(a.fields, "Recommend")
			if diff := cmp.Diff(tt.fields, a.fields); diff != "" {
				t.Error(diff)
			}
			if tt.fields == nil && a.body != tt.body {
				t.Errorf("got body %q, want %q", a.body, tt.body)
			}
			if tt.kind == "" {
				tt.kind = contentJSON
			}
			if a.StatusCode != tt.status || a.Header.Get("Content-Type") != tt.kind || a.Header.Get("Location") != tt.fault.Redirect {
				t.Errorf("got %d %v", a.StatusCode, a.Header)
			}
			if got := s.Calls()[0]; got.Status != tt.status || got.Code != a.code() {
				t.Errorf("recorded %d %q, want %d %q", got.Status, got.Code, tt.status, a.code())
			}
			if got := len(s.Accepted()); got != tt.accepted {
				t.Errorf("accepted %d URLs, want %d", got, tt.accepted)
			}
		})
	}
}

func TestFaultsWithoutAnswer(t *testing.T) {
	tests := []struct {
		name     string
		fault    Fault
		accepted int
	}{
		{"drop before", Fault{DropBefore: true}, 0},
		{"drop after", Fault{DropAfter: true}, 1},
		{"hang", Fault{Hang: true}, 0},
		{"hang after", Fault{HangAfter: true}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := NewTestServer(t, &Server{Fault: func(Call) Fault {
				if tt.fault.Hang || tt.fault.HangAfter {
					cancel() // the client loses patience
				}
				return tt.fault
			}})
			r := refreshing("http://a.com/").signed(t, s.URL)
			if a, err := exchange(r.WithContext(ctx)); err == nil {
				t.Errorf("got an answer: %v", a)
			}
			if got := len(s.Accepted()); got != tt.accepted {
				t.Errorf("accepted %d URLs, want %d", got, tt.accepted)
			}
			if got := s.Calls(); len(got) != 1 || got[0].Status != 0 {
				t.Errorf("recorded %v, want one call without a status", got)
			}
		})
	}
}

func TestHangLastsUntilTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ended := &Server{Fault: once(Fault{Hang: true})}, false
		ctx, cancel := context.WithCancel(t.Context())
		r := refreshing("http://a.com/").signed(t, "").WithContext(ctx)
		go func() {
			defer func() { ended = recover() == http.ErrAbortHandler }()
			s.ServeHTTP(httptest.NewRecorder(), r)
		}()
		time.Sleep(time.Hour)
		if ended {
			t.Error("ended while the client was there")
		}
		cancel()
		synctest.Wait()
		if !ended {
			t.Error("did not end when the client went")
		}
	})
}

// Nothing but the Fault may be wrong with the call: a call that is not signed
// never gets there, one that is refused accepts nothing.
func TestFaultComesAfterAuthentication(t *testing.T) {
	asked := 0
	s := NewTestServer(t, &Server{Quota: Quota{URLs: -1}, Fault: func(Call) Fault {
		asked++ // guarded by the server's lock
		return Fault{Accept: true, Status: 500}
	}})
	c := refreshing("http://a.com/")
	c.credential = &Credential{AccessKeyID: "unknown"}
	if a := s.send(t, c); a.code() != "InvalidAccessKeyId.NotFound" || asked != 0 {
		t.Errorf("got %q, asked %d times", a.code(), asked)
	}
	if a := s.send(t, refreshing("http://a.com/")); a.StatusCode != 500 || len(s.Accepted()) != 0 || asked != 1 {
		t.Errorf("got %d, accepted %v, asked %d times", a.StatusCode, s.Accepted(), asked)
	}
}

// timedWriter notes when each part of a body is written.
type timedWriter struct {
	*httptest.ResponseRecorder
	parts map[string]time.Time
}

func (w timedWriter) Write(b []byte) (int, error) {
	w.parts[string(b)] = time.Now()
	return w.ResponseRecorder.Write(b)
}

func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Fault: once(Fault{Body: "abcde", SlowBody: time.Minute})}
		w := timedWriter{httptest.NewRecorder(), map[string]time.Time{}}
		start := time.Now()
		s.ServeHTTP(w, refreshing("http://a.com/").signed(t, ""))
		want := map[string]time.Time{"ab": start, "cde": start.Add(time.Minute)}
		if diff := cmp.Diff(want, w.parts); diff != "" || !w.Flushed {
			t.Errorf("flushed: %v; %s", w.Flushed, diff)
		}
	})
}
