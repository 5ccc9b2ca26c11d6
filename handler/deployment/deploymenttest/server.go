// Package deploymenttest is the part of Alibaba Cloud that a deployment is made
// of, on loopback, in the manner of net/http/httptest: RAM, STS, the service-linked
// roles of Resource Manager, queues and event rules of Simple Message Queue, and
// Log Service.
//
//	cloud := deploymenttest.NewTestServer(t, nil)
//	// Send calls to cloud.URL, signed with aliyuntest.TestCredential.
//	t.Log(cloud.Changes())
//
// It checks signatures by itself, from the public description of the protocols,
// and keeps what was made in memory. A fault, such as an answer that gets lost,
// is asked for by Fault. It runs no function, delivers no event and sends no alert.
package deploymenttest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// Account is the id of the account that the server has.
const Account = "1234567890123456"

// A Server is an account in the cloud. The zero value is an empty one. Set the
// fields before Start, or in Between.
type Server struct {
	Credential aliyuntest.Credential // none: aliyuntest.TestCredential

	// Fault, unless nil, decides the fate of each call that was signed correctly.
	Fault func(Call) Fault

	// What there is, by name.
	Roles    map[string]*Role
	Policies map[string]*Policy
	Queues   map[string]*Queue
	Rules    map[string]*Rule
	Projects map[string]*Project
	Records  map[string]*Records // of Log Service's account-wide resources, by resource

	URL string // http://127.0.0.1:port, set by Start

	http *http.Server

	mu     sync.Mutex
	calls  []Call
	nonces map[string]bool
}

// A Call has reached the server.
type Call struct {
	N       int // place in the order of arrival, from 0
	Service string
	Op      string
	Changes bool              // it is one that changes something
	Params  map[string]string // of an RPC operation
	Code    string            // the error's that was answered; "": none
}

// A Fault is what becomes of a call in place of its answer.
type Fault struct {
	Code   string // is answered, with Status
	Status int    // 403 if it is 0
	Drop   bool   // the call is carried out, and the connection is cut before an answer
}

// The resources, as far as the server knows them.
type (
	Role struct {
		Trust, Description string
		Attached           []string
	}
	Policy struct {
		Document, Description string
		Versions              []string // of old documents; the default one is not among them
		next                  int
	}
	Queue struct {
		Retention int
		Messages  int      // that it holds, beside Letters
		Letters   []string // bodies of messages that can be read; "" where one was deleted
		hidden    map[int]time.Time
	}
	Rule struct {
		EventTypes            []string
		MatchRules, Endpoints json.RawMessage
	}
	Project struct {
		Description        string
		Stores             map[string]*Store
		Dashboards, Alerts map[string]*json.RawMessage // as they were sent
	}
	Records map[string]*json.RawMessage
	Store   struct {
		Days  int
		Index json.RawMessage
	}
)

// NewTestServer starts s, or a zero Server where s is nil, for the time of a
// test.
func NewTestServer(tb aliyuntest.TB, s *Server) *Server {
	tb.Helper()
	if s == nil {
		s = new(Server)
	}
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// Start listens on a free port of 127.0.0.1, sets URL and serves until Close.
func (s *Server) Start() error {
	if s.Credential.AccessKeyID == "" {
		s.Credential = aliyuntest.TestCredential
	}
	s.nonces = map[string]bool{}
	made(&s.Roles)
	made(&s.Policies)
	made(&s.Queues)
	made(&s.Rules)
	made(&s.Projects)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("starting the cloud on loopback: %w", err)
	}
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute}
	go s.http.Serve(l) // until Close; its error says no more
	return nil
}

func made[V any](m *map[string]*V) {
	if *m == nil {
		*m = map[string]*V{}
	}
}

// Close stops the server.
func (s *Server) Close() {
	if s.http != nil {
		s.http.Close()
	}
}

// Between runs f, which may read and change the server's fields, between two calls.
func (s *Server) Between(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Calls returns the calls that have arrived, in order.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Changes returns the operations that have changed something, in order.
func (s *Server) Changes() []string {
	var all []string
	for _, c := range s.Calls() {
		if c.Changes && c.Code == "" {
			all = append(all, c.Op)
		}
	}
	return all
}

// A refusal is an error that is answered.
type refusal struct {
	status        int
	code, message string
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.HasPrefix(r.Header.Get("Authorization"), "MNS ") {
		s.messages(w, r)
		return
	}
	isLog := strings.HasPrefix(r.Header.Get("Authorization"), "LOG ")
	var call Call
	var perform func() (any, *refusal)
	var refused *refusal
	if isLog {
		call, perform, refused = s.logs(r, body)
	} else {
		call, perform, refused = s.rpc(r, body)
	}
	call.N = len(s.calls)
	call.Changes = !strings.HasPrefix(call.Op, "Get") && !strings.HasPrefix(call.Op, "List")
	var fault Fault
	if refused == nil && s.Fault != nil {
		fault = s.Fault(call)
	}
	var answer any
	switch {
	case refused != nil:
	case fault.Code != "":
		refused = &refusal{cmp.Or(fault.Status, 403), fault.Code, "as the test wants it"}
	default:
		answer, refused = perform()
	}
	if refused != nil {
		call.Code = refused.code
	}
	s.calls = append(s.calls, call)
	if fault.Drop {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
		return
	}
	id := fmt.Sprintf("request-%d", call.N)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case refused != nil && isLog:
		w.WriteHeader(refused.status)
		answer = map[string]string{
			"errorCode":    refused.code,
			"errorMessage": refused.message,
			"requestId":    id,
		}
	case refused != nil:
		w.WriteHeader(refused.status)
		answer = map[string]string{
			"Code":      refused.code,
			"Message":   refused.message,
			"RequestId": id,
		}
	}
	if answer == nil { // Log Service answers some calls with nothing
		return
	}
	if members, ok := answer.(map[string]any); ok && !isLog {
		members["RequestId"] = id
	}
	_ = json.NewEncoder(w).Encode(answer)
}
