// Package aliyuntest is the refresh API of Alibaba Cloud DCDN and CDN on
// loopback, for people and for tests, in the manner of net/http/httptest:
//
//	s := aliyuntest.NewTestServer(t, &aliyuntest.Server{
//		Quota: aliyuntest.Quota{URLs: 10},
//		Fault: func(c aliyuntest.Call) aliyuntest.Fault {
//			return aliyuntest.Fault{DropAfter: c.N == 0}
//		},
//	})
//	// Send calls to s.URL, signed with aliyuntest.TestCredential.
//	for _, a := range s.Accepted() {
//		t.Log(a.Product, a.URL)
//	}
//
// It checks signatures, limits and quotas by itself, from the public
// description of the protocol; unless told otherwise, limits, codes and
// messages are those of "RefreshDcdnObjectCaches, API reference".
//
// It speaks plain HTTP and JSON only, refreshes nothing, never gives a day's
// quota back (when the API does is not documented), and does not measure the
// rate of calls: throttling, like every other mishap, is asked for by a Fault.
package aliyuntest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// TestCredential is what a [Server] accepts when it is given no Credentials.
// It opens nothing else. Its parts hold characters that must be escaped.
var TestCredential = Credential{
	AccessKeyID:     "STS.test-access-key",
	AccessKeySecret: "test+secret/key=",
	SecurityToken:   "test-token+/=~*",
}

// Credential is an access key, with the security token when it is a temporary
// one.
type Credential struct {
	AccessKeyID, AccessKeySecret string
	SecurityToken                string    // empty: a permanent key, used without a token
	Expires                      time.Time // zero: never
}

// Limits bound one request. A zero field has the default named beside it; a
// very large one lifts the limit.
type Limits struct {
	URLsPerRequest        int // 1000
	URLsPerDomain         int // 100
	DomainsPerRequest     int // 10
	DirectoriesPerRequest int // 100
	RequestBytes          int // of the form-encoded ObjectPath; unlimited
}

// Quota is what each product of the account may refresh in a day. A zero field
// has the default named beside it; a negative one means that nothing is left.
type Quota struct {
	URLs         int // 2000
	Directories  int // 100
	IgnoreParams int // 100
}

// Server is both refresh APIs on one port of loopback, told apart by Action and
// Version. The zero value is ready to Start. Set the fields before.
type Server struct {
	Credentials []Credential // nil: TestCredential
	Limits      Limits
	Quota       Quota         // of dcdn, and the same again of cdn
	Latency     time.Duration // passes between the decision on a call and its answer

	// A task is Pending for half of TaskTime (zero: 5 minutes), then
	// Refreshing, and then as TaskEnd decides for each URL when it is
	// accepted: Complete, Failed, Timeout or Canceled (nil: Complete). TaskEnd
	// is called for one URL at a time and must not call the server's methods.
	TaskTime time.Duration
	TaskEnd  func(Accepted) string

	// TaskPath spells the ObjectPath of tasks, for example WithoutScheme or
	// Decoded (nil: as it was sent).
	TaskPath func(url string) string

	// Domains in lower case: the account's (nil: every domain; others answer
	// InvalidDomain.NotFound), and those that the RAM policy does not allow
	// (Forbidden.RAM).
	Domains, Forbidden []string

	PathInQuery    bool // ObjectPath is read from the query only: MissingObjectPath for a form
	NoIgnoreParams bool // ObjectType is File or Directory only: InvalidObjectType.Malformed
	PushTaskID     bool // the task id is called PushTaskId, as in the API reference's samples

	// MalformedURLs, unless nil, names further URLs that the API finds
	// malformed.
	MalformedURLs func(url string) bool

	// Fault, unless nil, decides the fate of each call that was signed
	// correctly. It is called for one call at a time, in the order of arrival,
	// and must not call the server's methods.
	Fault func(Call) Fault

	// InMemory serves on pipes inside this process instead of loopback. Only
	// clients that connect with Dial reach the server. For tests in virtual
	// time: Start it inside the testing/synctest bubble of its clients.
	InMemory bool

	URL string // http://127.0.0.1:port, set by Start

	http        *http.Server
	memory      *memory // nil unless InMemory
	connections atomic.Int64
	open        sync.Map // of net.Conn

	mu       sync.Mutex // guards what follows
	calls    []Call
	accepted []Accepted
	tasks    []task // one for each accepted URL
	used     map[allowance]int
	nonces   map[string]bool
}

// Call is a request that reached the server, whatever became of it.
type Call struct {
	N            int    // place in the order of arrival, from 0
	Product      string // "dcdn" or "cdn"; empty for an unknown Version
	Action       string // as sent
	Type         string // ObjectType as sent; empty means File
	URLs         []string
	AccessKeyID  string
	ObjectPathIn string // "form", "query" or empty
	Time         time.Time

	Status int    // HTTP status of the answer; 0: the connection was cut or left hanging
	Code   string // the API's error code; empty: none, or not a string
}

// Accepted is one URL that the API took for refreshing.
type Accepted struct {
	Product string // "dcdn" or "cdn"
	Type    string // "File", "Directory" or "IgnoreParams"
	URL     string // as sent
	TaskID  string // that of all URLs of the call
	Call    int    // N of the call that brought it
}

// A TB is what [NewTestServer] needs of testing.TB. Package testing itself is not
// imported, since programs that start a [Server] would link it.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// NewTestServer starts s, or a zero Server where s is nil, for the time of a
// test.
func NewTestServer(tb TB, s *Server) *Server {
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

// Start listens on a free port of 127.0.0.1, or InMemory, sets URL and serves
// until Close. It may be called once. Its error is that of listening.
func (s *Server) Start() error {
	l, err := s.listen()
	if err != nil {
		return fmt.Errorf("starting the refresh API on loopback: %w", err)
	}
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{
		Handler:     http.HandlerFunc(s.serve),
		ConnState:   s.track,
		ConnContext: withConnection,
	}
	go s.http.Serve(repeating{l}) // until Close; its error says no more
	return nil
}

func (s *Server) listen() (net.Listener, error) {
	if s.InMemory {
		s.memory = newMemory()
		return s.memory, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// Dial connects to the started server, whatever the network and the address. It
// is a DialContext for the transport of an HTTP client.
func (s *Server) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if s.memory != nil {
		return s.memory.dial(ctx)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(s.URL, "http://"))
}

// Close stops the server and cuts all its connections, hanging ones too. It
// does nothing on a Server that was not started.
func (s *Server) Close() {
	if s.http != nil {
		s.http.Close()
	}
}

// CloseClientConnections cuts all connections, as a server does to a client
// that has been quiet for long.
func (s *Server) CloseClientConnections() {
	s.open.Range(func(c, _ any) bool {
		c.(net.Conn).Close()
		return true
	})
}

// track keeps count of connections, and those that are open.
func (s *Server) track(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
		s.open.Store(c, nil)
	case http.StateIdle:
		c.(*connection).answered()
	case http.StateClosed, http.StateHijacked:
		s.open.Delete(c)
	}
}

// Calls returns the calls that have arrived, in order.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Accepted returns the URLs that have been accepted, in order; those that were
// sent twice are there twice.
func (s *Server) Accepted() []Accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.accepted)
}

// Connections returns how many connections have been opened.
func (s *Server) Connections() int { return int(s.connections.Load()) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.judge(read(w, r)).send(w, r, s.Latency)
}

// judge decides on a request in one critical section, so that Calls, Fault and
// Accepted agree on the order of things.
func (s *Server) judge(q request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.N, q.Time = len(s.calls), time.Now()
	s.calls = append(s.calls, q.Call)
	a := s.decide(q)
	s.calls[q.N].Status, s.calls[q.N].Code = a.status, a.code
	return a
}

func (s *Server) decide(q request) answer {
	if q.tooLarge != 0 {
		return gatewayPage(q.tooLarge)
	}
	perform, refused := route(q)
	if refused != nil {
		return refused.answer(q)
	}
	if refused := s.authenticate(q); refused != nil {
		return refused.answer(q)
	}
	var f Fault
	if s.Fault != nil {
		f = s.Fault(q.Call)
	}
	return f.apply(q, func() answer { return perform(s, q) })
}

// operation performs a request that has been authenticated.
type operation func(*Server, request) answer

// products are the APIs by their Version.
var products = map[string]struct {
	name    string
	actions map[string]operation
}{
	"2018-01-15": {"dcdn", map[string]operation{
		"RefreshDcdnObjectCaches":     (*Server).refresh,
		"DescribeDcdnRefreshQuota":    (*Server).describeQuota,
		"DescribeDcdnRefreshTasks":    (*Server).describeTasks,
		"DescribeDcdnRefreshTaskById": (*Server).describeTasksByID,
	}},
	"2018-05-10": {"cdn", map[string]operation{
		"RefreshObjectCaches":     (*Server).refresh,
		"DescribeRefreshQuota":    (*Server).describeQuota,
		"DescribeRefreshTasks":    (*Server).describeTasks,
		"DescribeRefreshTaskById": (*Server).describeTasksByID,
	}},
}

func route(q request) (operation, *refusal) {
	if q.method != http.MethodGet && q.method != http.MethodPost {
		return nil, errMethod
	}
	for _, name := range []string{"Action", "Version"} {
		if q.params[name] == "" {
			return nil, missing(name)
		}
	}
	product, ok := products[q.params["Version"]]
	if !ok {
		return nil, errVersion
	}
	perform, ok := product.actions[q.Action]
	if !ok || q.path != "/" {
		return nil, errAction
	}
	return perform, nil
}
