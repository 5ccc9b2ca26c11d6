// Package aliyuntest serves the refresh APIs of Alibaba Cloud DCDN, CDN and ESA on
// loopback or in memory. Like net/http/httptest, it is for programs and for
// tests.
//
// A [Server] checks signatures, limits and quotas itself, by the public
// description of the protocol. It takes the RPC signature (version 1.0) and
// ACS3-HMAC-SHA256, GET and POST, and parameters in query and form. Limits, codes
// and messages are those of "RefreshDcdnObjectCaches, API reference" unless its
// fields say otherwise. Of ESA little is documented: what is assumed is said where
// it stands.
//
// A server speaks plain HTTP and JSON only and refreshes nothing. It never
// resets a quota, since no document says when the API does. It does not measure
// the rate of calls: a test that wants throttling, or any other failure, asks
// for it by a [Fault].
package aliyuntest

import (
	"cmp"
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

// Credential is an access key. A temporary one has a security token too.
type Credential struct {
	AccessKeyID, AccessKeySecret string
	SecurityToken                string    // empty: a permanent key, used without a token
	Expires                      time.Time // zero: never
}

// Limits bound one request. A zero field stands for the default beside it; a
// very large number lifts the limit.
type Limits struct {
	URLsPerRequest         int // 1000
	URLsPerDomain          int // 100; of ESA no limit, whatever stands here
	DomainsPerRequest      int // 10
	DirectoriesPerRequest  int // 100
	IgnoreParamsPerRequest int // ESA: 100; DCDN and CDN: unlimited
	RequestBytes           int // of the form-encoded ObjectPath or Content; unlimited
	PreloadsPerRequest     int // 100
}

// Quota is what each product of the account, and of ESA each site, may refresh in a
// day. A zero field stands for the default beside it; a negative number means that
// nothing is left. Those of ESA depend on a site's plan and are not documented.
type Quota struct {
	URLs         int // 2000
	Directories  int // 100
	IgnoreParams int // 100
	Preloads     int // 1000
}

// Server serves the three refresh APIs on one port. Action and Version say which one
// is meant. The zero value is ready to Start; set the fields before that.
type Server struct {
	Credentials []Credential // nil: TestCredential
	Limits      Limits
	Quota       Quota         // each product has its own
	Latency     time.Duration // from the decision on a call to its answer

	// A task is Pending for half of TaskTime (zero: 5 minutes), then
	// Refreshing, and then as TaskEnd decides for each URL when it is
	// accepted: Complete, Failed, Timeout or Canceled (nil: Complete). TaskEnd
	// is called for one URL at a time and must not call the server's methods.
	TaskTime time.Duration
	TaskEnd  func(Accepted) string

	// TaskPath spells the ObjectPath of tasks, for example WithoutScheme or
	// Decoded (nil: as it was sent).
	TaskPath func(url string) string

	// Domains are those of the account, in lower case (nil: every domain).
	// Others are refused as InvalidDomain.NotFound. Forbidden are those that
	// the RAM policy does not allow: Forbidden.RAM.
	Domains, Forbidden []string

	// Account is what the operations on domains answer from. They list nothing
	// where it is nil. It does not bind refreshes: Domains does.
	Account []Domain

	// Sites are the account's sites of ESA: the names by id, in lower case (nil:
	// every site, with every domain; ListSites lists none then).
	Sites map[int64]string

	PathInQuery    bool // ObjectPath or Content in the form is refused as missing
	NoIgnoreParams bool // IgnoreParams is refused as InvalidObjectType.Malformed
	PushTaskID     bool // the task id is called PushTaskId, as in the API reference's samples

	// NoBareBrackets refuses "[", "]" and "|" that are not percent-encoded, as
	// RFC 3986 does: InvalidObjectPath.Malformed. Whether the API does is not
	// documented.
	NoBareBrackets bool

	// MalformedURLs, unless nil, reports whether the API refuses a URL as
	// malformed that is not malformed by the documented rules.
	MalformedURLs func(url string) bool

	// Fault, unless nil, decides what goes wrong with each call that was signed
	// correctly. It is called for one call at a time, in the order of arrival,
	// and must not call the server's methods.
	Fault func(Call) Fault

	// Answered, unless nil, is called with each call once its answer is decided, for
	// one call at a time. It must not call the server's methods.
	Answered func(Call)

	// Addr is where to listen, as host:port (empty: a free port of 127.0.0.1).
	Addr string

	// InMemory serves on pipes inside this process instead of loopback. Only
	// clients that connect with Dial reach the server. For tests in virtual
	// time: Start it inside the testing/synctest bubble of its clients.
	InMemory bool

	URL string // http://127.0.0.1:port, set by Start

	http        *http.Server // nil before Start
	memory      *memory      // nil unless InMemory
	connections atomic.Int64
	open        sync.Map // of net.Conn

	mu       sync.Mutex // guards what follows
	calls    []Call
	accepted []Accepted
	tasks    []task // one for each accepted URL
	used     map[allowance]int
	nonces   map[string]bool
}

// Call is a request that reached the server, accepted or not.
type Call struct {
	N            int    // place in the order of arrival, from 0
	Product      string // "dcdn", "cdn" or "esa"; empty for an unknown Version
	Site         int64  // ESA only
	Action       string // as sent
	Type         string // ObjectType, or Type of ESA, as sent; empty means File
	Force        bool
	URLs         []string
	AccessKeyID  string
	ObjectPathIn string // "form", "query" or empty; of ESA it is where Content was
	Time         time.Time

	Status int    // HTTP status of the answer; 0: the connection was cut or left hanging
	Code   string // the API's error code; empty: none, or not a string
}

// Accepted is one URL that the API accepted for refreshing or preloading.
type Accepted struct {
	Product string // "dcdn", "cdn" or "esa"
	Site    int64  // ESA only
	Type    string // "File", "Directory", "IgnoreParams" or "Preload"
	Force   bool
	URL     string // as sent
	TaskID  string // shared by all URLs of the call
	Call    int    // the call's N
}

// A TB is what [NewTestServer] needs of testing.TB. Package testing itself is not
// imported, since programs that start a [Server] would link it.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// NewTestServer starts s, or a zero Server if s is nil, and closes it at the end
// of the test.
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

// Start listens on Addr, or InMemory, sets URL and serves until Close. It may be called once. Its error is that of listening.
func (s *Server) Start() error {
	l, err := s.listen()
	if err != nil {
		return fmt.Errorf("starting the refresh API on loopback: %w", err)
	}
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{
		Handler:     s,
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
	return net.Listen("tcp", cmp.Or(s.Addr, "127.0.0.1:0"))
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

// CloseClientConnections cuts all connections, as servers do with clients that
// have been silent for long.
func (s *Server) CloseClientConnections() {
	s.open.Range(func(c, _ any) bool {
		c.(net.Conn).Close()
		return true
	})
}

// track counts the connections and remembers those that are open.
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

// Accepted returns the URLs that have been accepted, in order. A URL that was
// accepted twice is there twice.
func (s *Server) Accepted() []Accepted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.accepted)
}

// Connections returns how many connections have been opened.
func (s *Server) Connections() int { return int(s.connections.Load()) }

// ServeHTTP answers a call. It needs no Start.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.answer(read(w, r)).send(w, r, s.Latency)
}

// answer handles a request in one critical section, so that Calls, Fault and
// Accepted agree on the order of calls.
func (s *Server) answer(q request) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.N, q.Time = len(s.calls), time.Now()
	s.calls = append(s.calls, q.Call)
	a := s.answerLocked(q)
	s.calls[q.N].Status, s.calls[q.N].Code = a.status, a.code
	if s.Answered != nil {
		s.Answered(s.calls[q.N])
	}
	return a
}

func (s *Server) answerLocked(q request) answer {
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
		"DescribeDcdnUserDomains":     (*Server).describeDomains,
		"DescribeDcdnDomainConfigs":   (*Server).describeConfigs,
		"PreloadDcdnObjectCaches":     (*Server).preload,
	}},
	"2018-05-10": {"cdn", map[string]operation{
		"RefreshObjectCaches":      (*Server).refresh,
		"DescribeRefreshQuota":     (*Server).describeQuota,
		"DescribeRefreshTasks":     (*Server).describeTasks,
		"DescribeRefreshTaskById":  (*Server).describeTasksByID,
		"DescribeUserDomains":      (*Server).describeDomains,
		"DescribeCdnDomainConfigs": (*Server).describeConfigs,
		"PushObjectCache":          (*Server).preload,
	}},
	"2024-09-10": {"esa", map[string]operation{
		"PurgeCaches":          (*Server).purge,
		"GetPurgeQuota":        (*Server).purgeQuota,
		"DescribePurgeTasks":   (*Server).purgeTasks,
		"PreloadCaches":        (*Server).preloadOfSite,
		"DescribePreloadTasks": (*Server).preloadTasks,
		"ListSites":            (*Server).listSites,
		"ListRecords":          (*Server).listRecords,
	}},
}

func route(q request) (operation, *refusal) {
	if q.method != http.MethodGet && q.method != http.MethodPost {
		return nil, errMethod
	}
	known, isVersion := realOperations()[q.version]
	perform, isHere := products[q.version].actions[q.Action]
	switch {
	case q.Action == "":
		return nil, missing("Action")
	case q.version == "":
		return nil, missing("Version")
	case !isVersion:
		return nil, errVersion
	case q.path != "/":
		return nil, errAction
	case isHere:
		return perform, nil
	case known[q.Action]:
		return nil, notHere(q)
	}
	return nil, errAction
}
