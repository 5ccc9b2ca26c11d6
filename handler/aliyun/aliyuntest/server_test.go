package aliyuntest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/google/go-cmp/cmp"
)

type parameters = map[string]string

// call is a request for the vendor's SDK to sign, so that the server's reading
// of the protocol is checked against another.
type call struct {
	action, version string // RefreshDcdnObjectCaches and the version of its product, where empty
	method          string // POST where empty
	form, query     parameters
	credential      *Credential // nil: TestCredential
}

// refreshing is a call that refreshes URLs as files.
func refreshing(urls ...string) call {
	return call{form: parameters{"ObjectPath": strings.Join(urls, "\n")}}
}

// signed returns the request to a server at base.
func (c call) signed(tb testing.TB, base string) *http.Request {
	tb.Helper()
	q := new(requests.RpcRequest)
	c = c.orDefault()
	q.InitWithApiInfo("", c.version, c.action, "", "")
	q.Method, q.FormParams = c.method, c.form
	for name, value := range c.query {
		q.QueryParams[name] = value
	}
	provider := credentials.NewStaticSTSCredentialsProvider(
		c.credential.AccessKeyID, c.credential.AccessKeySecret, c.credential.SecurityToken)
	if err := auth.Sign(q, nil, "cn-hangzhou", provider); err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequestWithContext(tb.Context(), q.Method, base+q.BuildQueries(), bytes.NewReader(q.GetContent()))
	for name, value := range q.Headers {
		r.Header.Set(name, value)
	}
	return r
}

func (c call) orDefault() call {
	if c.action == "" {
		c.action = "RefreshDcdnObjectCaches"
	}
	if c.version == "" {
		c.version = "2018-05-10"
		if strings.Contains(c.action, "Dcdn") {
			c.version = "2018-01-15"
		}
	}
	if c.method == "" {
		c.method = requests.POST
	}
	if c.credential == nil {
		c.credential = &TestCredential
	}
	return c
}

// reply is an answer as the client sees it.
type reply struct {
	*http.Response
	body   string
	fields map[string]any // nil where the body is not a JSON object
}

func replyOf(res *http.Response) (reply, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	a := reply{Response: res, body: string(body)}
	if json.Unmarshal(body, &a.fields) != nil {
		a.fields = nil
	}
	return a, err
}

// code returns the error code, "" for none.
func (a reply) code() string {
	code, _ := a.fields["Code"].(string)
	return code
}

// exchange sends a request over the network, without following redirects.
func exchange(r *http.Request) (reply, error) {
	r.RequestURI = "" // httptest.NewRequest sets it
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return reply{}, err
	}
	return replyOf(res)
}

// send sends a call over the network and fails the test if there is no answer.
func (s *Server) send(tb testing.TB, c call) reply {
	tb.Helper()
	a, err := exchange(c.signed(tb, s.URL))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// handle has the server answer without a network, for the tests of time.
func (s *Server) handle(tb testing.TB, r *http.Request) reply {
	tb.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	a, err := replyOf(w.Result())
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func TestRouting(t *testing.T) {
	tests := []struct {
		name   string
		call   call
		path   string
		status int
		code   string
	}{
		{name: "dcdn", call: refreshing("http://a.com/"), status: 200},
		{name: "cdn", call: call{action: "RefreshObjectCaches", form: parameters{"ObjectPath": "http://a.com/"}}, status: 200},
		{name: "get", call: call{method: "GET", query: parameters{"ObjectPath": "http://a.com/"}}, status: 200},
		{name: "post with query", call: call{query: parameters{"ObjectPath": "http://a.com/"}}, status: 200},
		{name: "unknown action", call: call{action: "RefreshDcdn"}, status: 404, code: "InvalidAction.NotFound"},
		{name: "action of the other product", call: call{version: "2018-05-10"}, status: 404, code: "InvalidAction.NotFound"},
		{name: "unknown version", call: call{version: "2014-11-11"}, status: 404, code: "InvalidVersion"},
		{name: "unknown path", call: refreshing("http://a.com/"), path: "v1", status: 404, code: "InvalidAction.NotFound"},
		{name: "put", call: call{method: "PUT"}, status: 400, code: "UnsupportedHTTPMethod"},
		{name: "xml", call: call{form: parameters{"Format": "XML"}}, status: 400, code: "InvalidParameter.Format"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewTestServer(t, nil)
			r := tt.call.signed(t, s.URL)
			r.URL.Path += tt.path
			a, err := exchange(r)
			if err != nil {
				t.Fatal(err)
			}
			if a.StatusCode != tt.status || a.code() != tt.code {
				t.Errorf("got %d %q, want %d %q", a.StatusCode, a.code(), tt.status, tt.code)
			}
			if got := s.Calls()[0]; got.Status != tt.status || got.Code != tt.code {
				t.Errorf("recorded %d %q, want %d %q", got.Status, got.Code, tt.status, tt.code)
			}
		})
	}
}

func TestCallsRecordWhatArrived(t *testing.T) {
	s := NewTestServer(t, nil)
	s.send(t, call{
		action: "RefreshObjectCaches",
		form:   parameters{"ObjectPath": "http://a.com/1\r\na.com/2", "ObjectType": "IgnoreParams"},
	})
	got := s.Calls()[0]
	got.Time = time.Time{}
	want := Call{
		Product: "cdn", Action: "RefreshObjectCaches", Type: "IgnoreParams",
		URLs:        []string{"http://a.com/1", "a.com/2"},
		AccessKeyID: TestCredential.AccessKeyID, ObjectPathIn: "form", Status: 200,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	accepted := []Accepted{
		{Product: "cdn", Type: "IgnoreParams", URL: "http://a.com/1", TaskID: "95248880"},
		{Product: "cdn", Type: "IgnoreParams", URL: "a.com/2", TaskID: "95248880"},
	}
	if diff := cmp.Diff(accepted, s.Accepted()); diff != "" {
		t.Error(diff)
	}
}

// A gateway's own limits come before the API's, and are answered in HTML.
func TestGatewayLimits(t *testing.T) {
	tests := []struct {
		name   string
		call   call
		status int
	}{
		{"query", call{query: parameters{"ObjectPath": "http://a.com/" + strings.Repeat("a", 7<<10)}}, 200},
		{"long query", call{query: parameters{"ObjectPath": "http://a.com/" + strings.Repeat("a", 8<<10)}}, 414},
		{"form", call{form: parameters{"ObjectPath": "http://a.com/" + strings.Repeat("a", 1000<<10)}}, 200},
		{"long form", call{form: parameters{"ObjectPath": "http://a.com/" + strings.Repeat("a", 1<<20)}}, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewTestServer(t, nil)
			a := s.send(t, tt.call)
			if a.StatusCode != tt.status || s.Calls()[0].Status != tt.status {
				t.Errorf("got %d, recorded %d, want %d", a.StatusCode, s.Calls()[0].Status, tt.status)
			}
			if html := strings.HasPrefix(a.body, "<html>"); html != (tt.status != 200) {
				t.Errorf("got %.40q for status %d", a.body, a.StatusCode)
			}
		})
	}
}

func TestErrorBody(t *testing.T) {
	s := NewTestServer(t, &Server{Quota: Quota{URLs: -1}})
	a := s.send(t, refreshing("http://a.com/"))
	want := map[string]any{
		"RequestId": "E5BD4B50-7A02-493A-AE0B-000000000000",
		"HostId":    strings.TrimPrefix(s.URL, "http://"),
		"Code":      "QuotaExceeded.Refresh",
		"Message":   "Your refresh attempts have exceeded the daily limit.",
		"Recommend": "https://api.aliyun.com/troubleshoot?q=QuotaExceeded.Refresh",
	}
	if diff := cmp.Diff(want, a.fields); diff != "" {
		t.Error(diff)
	}
}

func TestConnections(t *testing.T) {
	s := NewTestServer(t, nil)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, keep := range []bool{true, true, false, true} {
		transport.DisableKeepAlives = !keep
		r := refreshing("http://a.com/").signed(t, s.URL)
		r.RequestURI = ""
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := replyOf(res); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Connections(); got != 2 {
		t.Errorf("got %d connections, want 2", got)
	}
}

// Numbers are given in the order in which Fault sees the calls.
func TestConcurrentCalls(t *testing.T) {
	var seen []int
	s := NewTestServer(t, &Server{Fault: func(c Call) Fault {
		seen = append(seen, c.N) // guarded by the server's lock
		return Fault{}
	}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := exchange(refreshing("http://a.com/").signed(t, s.URL)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(s.Accepted()); got != 20 || len(seen) != 20 || !slices.IsSorted(seen) {
		t.Errorf("got %d URLs and calls %v", got, seen)
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Latency: 40 * time.Millisecond, Quota: Quota{URLs: 1}}
		for range 2 { // accepted, then refused
			start := time.Now()
			s.handle(t, refreshing("http://a.com/").signed(t, ""))
			if got := time.Since(start); got != s.Latency {
				t.Errorf("answered after %v, want %v", got, s.Latency)
			}
		}
	})
}

func TestCloseCutsHangingCalls(t *testing.T) {
	arrived := make(chan bool, 1)
	s := NewTestServer(t, &Server{Fault: func(Call) Fault {
		arrived <- true
		return Fault{Hang: true}
	}})
	r := refreshing("http://a.com/").signed(t, s.URL)
	ended := make(chan error)
	go func() {
		_, err := exchange(r)
		ended <- err
	}()
	<-arrived
	s.Close()
	if err := <-ended; err == nil {
		t.Error("got an answer from a hanging call")
	}
	new(Server).Close() // does nothing
}
