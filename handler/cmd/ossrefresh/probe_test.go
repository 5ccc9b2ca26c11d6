package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/probe"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A probeModel is a domain and an API, as they may be.
type probeModel struct {
	equates       bool // the edge keys the decoded path, not the URL as it was asked
	coversAll     bool // a File refresh drops every spelling
	noQueries     bool // the edge keys no query
	keepsRemoved  bool // a copy that is marked as expired is served on where OSS says 404
	byETag        bool // a copy is revalidated by ETag, so that metadata stays
	forgets404    bool // a 404 is not kept
	keepsNothing  bool
	ttl           time.Duration // of a copy; 0: for ever
	paramsLike    string        // what IgnoreParams does: "" or "File"
	docs          string        // what OSS shows at /docs/ and /docs: "index", "page" or ""
	fallback      bool          // OSS shows a page where there is no object
	hidden        bool          // OSS shows the domain nothing of the bucket
	stripsHeaders bool          // the edge sends nothing that tells which object it is

	latency  time.Duration // of the edge
	deployed bool          // a function refreshes every object that is put
	product  string        // "" is dcdn

	api         *aliyuntest.Server // nil: a zero one
	refresh     time.Duration      // from accepted to dropped
	ofDirectory time.Duration      // the same of a directory; 0: as refresh
}

// A probeWorld is OSS, an edge that caches it and the refresh API, in this process
// and in virtual time.
type probeWorld struct {
	probeModel
	t     *testing.T
	oss   *ossServer
	lines map[string]*pipes // by address
	env   map[string]string
	dir   string

	mu       sync.Mutex
	copies   map[string]*probeCopy // by key
	node     int                   // that answers
	requests int
	each     func(n int)         // of each request to OSS or the edge; may be nil
	refused  string              // the method that OSS refuses
	versions map[string][]string // of the bucket's objects, where it keeps them; else nil
}

type probeCopy struct {
	url     string // as it was asked, or the key
	status  int
	header  http.Header
	body    string
	stored  time.Time
	expired bool // to be revalidated
}

const (
	ossAddress  = "127.0.0.1:9001"
	edgeAddress = "127.0.0.1:9002"
	apiAddress  = "127.0.0.1:9003"
)

const probeTable = `rules: [{bucket: my-site, prefix: www/, exclude: ['**/oss-cdn-refresh-probe-*/**'],
	targets: [{domain: www.example.com, strip_prefix: www/}]}]`

func newProbeWorld(t *testing.T, m probeModel) *probeWorld {
	w := &probeWorld{
		probeModel: m, t: t, oss: &ossServer{objects: map[string]ossObject{}},
		lines: map[string]*pipes{}, copies: map[string]*probeCopy{}, dir: t.TempDir(),
	}
	w.oss.put("my-site/www/precious.txt", "precious")
	w.serve(ossAddress, http.HandlerFunc(w.serveOSS))
	w.serve(edgeAddress, http.HandlerFunc(w.serveEdge))
	if w.api == nil {
		w.api = new(aliyuntest.Server)
	}
	w.api.InMemory, w.api.TaskTime = true, max(w.refresh, w.ofDirectory)
	end := w.api.TaskEnd
	w.api.TaskEnd = func(a aliyuntest.Accepted) string {
		if end != nil && end(a) == aliyuntest.Failed {
			return aliyuntest.Failed
		}
		after := w.refresh
		if a.Type == "Directory" && w.ofDirectory > 0 {
			after = w.ofDirectory
		}
		time.AfterFunc(after, func() { w.purge(a) })
		return ""
	}
	aliyuntest.NewTestServer(t, w.api)
	credential := aliyuntest.TestCredential
	w.env = map[string]string{
		"OSS_ENDPOINT": "http://" + ossAddress, "REFRESH_ENDPOINT": "http://" + apiAddress,
		"ALIBABA_CLOUD_ACCESS_KEY_ID":     credential.AccessKeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET": credential.AccessKeySecret,
		"ALIBABA_CLOUD_SECURITY_TOKEN":    credential.SecurityToken,
	}
	table := probeTable
	if w.product != "" {
		table = strings.ReplaceAll(table, "strip_prefix:", "product: "+w.product+", strip_prefix:")
	}
	writeFile(t, filepath.Join(w.dir, "mapping.yaml"), table)
	return w
}

func (w *probeWorld) serve(address string, h http.Handler) {
	line := newPipes(h)
	w.lines[address] = line
	w.t.Cleanup(func() { line.server.Close() })
}

func (w *probeWorld) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if address == apiAddress {
		return w.api.Dial(ctx, network, address)
	}
	return w.lines[address].dial(ctx, network, address)
}

// count counts the requests.
func (w *probeWorld) count() {
	w.mu.Lock()
	n, each := w.requests, w.each
	w.requests++
	w.mu.Unlock()
	if each != nil {
		each(n)
	}
}

func (w *probeWorld) serveOSS(rw http.ResponseWriter, r *http.Request) {
	w.count()
	if r.Method == w.refused {
		io.Copy(io.Discard, r.Body) // else a client that is writing yet may lose the answer
		w.oss.refuse(rw, http.StatusForbidden, "AccessDenied")
		return
	}
	if w.deployed && r.Method == http.MethodPut {
		go w.handle(r.URL.Path)
	}
	if w.versions != nil && (r.Method == http.MethodPut || r.Method == http.MethodDelete) {
		w.mu.Lock()
		defer w.mu.Unlock()
		name, version := r.URL.Path, r.URL.Query().Get("versionId")
		if version != "" {
			w.versions[name] = slices.DeleteFunc(w.versions[name], func(v string) bool { return v == version })
			rw.WriteHeader(http.StatusNoContent)
			if len(w.versions[name]) == 0 {
				w.oss.remove(strings.TrimPrefix(name, "/"))
			}
			return
		}
		version = fmt.Sprintf("v%d", w.requests)
		w.versions[name] = append(w.versions[name], version)
		rw.Header().Set("x-oss-version-id", version)
	}
	w.oss.ServeHTTP(rw, r)
}

// handle does what a deployed function does with an event.
func (w *probeWorld) handle(path string) {
	client, err := aliyun.ClientFrom(func(name string) string { return w.env[name] }, "test")
	if err != nil {
		w.t.Error(err)
		return
	}
	client.DialWith(w.dial)
	caller := client.With(aliyun.CredentialsFrom(func(name string) string { return w.env[name] }))
	call := refresh.Call{Product: "dcdn", Type: "File", URLs: []string{
		"https://www.example.com/" + url.PathEscape(strings.TrimPrefix(path, "/my-site/www/")),
	}}
	call.URLs[0] = strings.ReplaceAll(call.URLs[0], "%2F", "/")
	if _, err := caller.Refresh(context.Background(), call); err != nil {
		w.t.Error(err)
	}
}

// key is what the edge has a copy of a request target under.
func (w *probeWorld) key(target string) string {
	path, query, _ := strings.Cut(target, "?")
	if w.equates {
		path = decodedPath(path)
	}
	if query == "" || w.noQueries {
		return path
	}
	return path + "?" + query
}

func decodedPath(path string) string {
	decoded, err := url.PathUnescape(strings.ReplaceAll(path, "+", "%20"))
	if err != nil {
		return path
	}
	return decoded
}

func (w *probeWorld) serveEdge(rw http.ResponseWriter, r *http.Request) {
	w.count()
	time.Sleep(w.latency)
	w.mu.Lock()
	defer w.mu.Unlock()
	key := w.key(r.RequestURI)
	c, result := w.copies[key], "HIT TCP_MEM_HIT"
	if c != nil && w.ttl > 0 && time.Since(c.stored) > w.ttl {
		c = nil
	}
	if c == nil || c.expired {
		c, result = w.fetch(r.RequestURI, c), "MISS TCP_MISS"
	}
	if !w.keepsNothing && (c.status != http.StatusNotFound || !w.forgets404) {
		w.copies[key] = c
	}
	for name, values := range c.header {
		if !w.stripsHeaders || name == "Content-Type" {
			rw.Header()[name] = values
		}
	}
	rw.Header().Set("X-Cache", result)
	rw.Header().Set("Via", fmt.Sprintf("kunlun%d.cn1[0,200-0,H]", w.node))
	rw.WriteHeader(c.status)
	io.WriteString(rw, c.body)
}

// fetch asks OSS. A copy that has expired is kept where the edge takes it for
// unchanged.
func (w *probeWorld) fetch(target string, expired *probeCopy) *probeCopy {
	answer := w.origin(target)
	if expired != nil {
		unchanged := answer.status == 200 && answer.header.Get("Last-Modified") == expired.header.Get("Last-Modified") ||
			w.byETag && answer.header.Get("ETag") == expired.header.Get("ETag")
		if unchanged || w.keepsRemoved && answer.status == 404 && expired.status == 200 {
			expired.expired = false
			return expired
		}
	}
	return answer
}

func (w *probeWorld) origin(target string) *probeCopy {
	path, _, _ := strings.Cut(target, "?")
	ask := func(path string) *probeCopy {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL = &url.URL{Path: decodedPath(path)}
		r.Host = "my-site.oss-cn-hangzhou.aliyuncs.com"
		w.oss.ServeHTTP(rec, r)
		return &probeCopy{url: target, status: rec.Code, header: rec.Header(), body: rec.Body.String(), stored: time.Now()}
	}
	c := ask(path)
	index := strings.HasSuffix(path, "/docs/") || strings.HasSuffix(path, "/docs")
	switch {
	case index && w.docs == "":
		c = &probeCopy{url: target, status: 404, header: http.Header{}, stored: time.Now()}
	case strings.HasSuffix(path, "/docs") && w.docs == "index":
		c = &probeCopy{url: target, status: 302, header: http.Header{"Location": {path + "/"}}, stored: time.Now()}
	case strings.HasSuffix(path, "/docs") && w.docs == "page":
		c = ask(path + "/")
	}
	if (c.status == 404 || w.hidden) && w.fallback {
		c.status, c.body = 200, "<title>page</title>"
		c.header = http.Header{"Etag": {`"fallback"`}, "Last-Modified": {"Mon, 01 Jan 2024 00:00:00 GMT"}}
	}
	c.url = target
	return c
}

// purge does what the API has accepted.
func (w *probeWorld) purge(a aliyuntest.Accepted) {
	purged := strings.TrimPrefix(a.URL, "https://www.example.com")
	typ := a.Type
	if typ == "IgnoreParams" && w.paramsLike != "" {
		typ = w.paramsLike
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, c := range w.copies {
		path, query, _ := strings.Cut(c.url, "?")
		same := path == purged || (w.equates || w.coversAll) && decodedPath(path) == decodedPath(purged)
		hit := same && (query == "" || w.noQueries || typ == "IgnoreParams") || typ == "Directory" && strings.HasPrefix(path, purged)
		switch {
		case !hit:
		case typ == "File" || a.Force:
			delete(w.copies, key)
		default:
			c.expired = true
		}
	}
}

// probe runs the command and returns what it prints.
func (w *probeWorld) probe(ctx context.Context, change func(*probeCommand)) (doc probe.Report, stdout, stderr string, status int) {
	cmd := &probeCommand{
		Domain: "www.example.com", Bucket: "my-site", Edge: edgeAddress, Live: true, Timeout: time.Hour,
		Report: filepath.Join(w.dir, "report.md"), dial: w.dial,
		tableFlag: tableFlag{filepath.Join(w.dir, "mapping.yaml")},
	}
	if change != nil {
		change(cmd)
	}
	var out, errors bytes.Buffer
	c := newConsole(nil, &out, &errors, func(name string) string { return w.env[name] })
	c.json = true
	status = c.report(cmd.Run(ctx, c))
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		w.t.Fatalf("%v: %s%s", err, &out, &errors)
	}
	return doc, out.String(), errors.String(), status
}

// left are the probe's keys that the bucket still has. Others must be as they were.
func (w *probeWorld) left() (keys []string) {
	w.oss.mu.Lock()
	defer w.oss.mu.Unlock()
	for name := range w.oss.objects {
		if strings.Contains(name, probe.FolderPrefix) {
			keys = append(keys, name)
		}
	}
	if w.oss.objects["my-site/www/precious.txt"].text != "precious" || len(w.oss.objects) != 1+len(keys) {
		w.t.Error("the probe has touched another key")
	}
	return keys
}

func answerOf(t *testing.T, doc probe.Report, id probe.ID) string {
	t.Helper()
	for _, a := range doc.Answers {
		if a.ID == id {
			return a.Answer
		}
	}
	t.Fatalf("there is no answer to %s", id)
	return ""
}

// Whatever the domain and the API are like, the answers say so.
func TestProbeTellsModelsApart(t *testing.T) {
	t.Parallel()
	const six = 6 * time.Minute
	var spellings []string
	for _, s := range mapping.Spell("https://www.example.com/photo (1), %5Bfinal%5D%7C图@2x.txt") {
		spellings = append(spellings, s.Row)
	}
	for _, tt := range []struct {
		name     string
		model    probeModel
		answers  map[probe.ID]string
		settings []string
		because  string // of the first setting; "" is not compared
	}{
		{
			name:  "the edge keys the raw URL, and a directory revalidates all",
			model: probeModel{docs: "index", refresh: six, latency: 80 * time.Millisecond},
			answers: map[probe.ID]string{
				probe.Control: "yes: the copy stayed as it was",
				probe.File:    "dropped: all",
				probe.Apart:   "apart: all",
				probe.Covered: "covered: canonical; not covered: " + strings.Join(spellings[1:], ", "),
				probe.Each:    "dropped: all", probe.Brackets: "accepted: all",
				probe.Directory: "dropped: all", probe.Force: "dropped: all",
				probe.IgnoreParams: "dropped: all", probe.Queries: "no, the URL with a query stays stale",
				probe.NotFound:  "a 404 is kept, and a File refresh drops it",
				probe.Docs:      "/docs/ shows the index page, /docs leads to /docs/",
				probe.Members:   "RefreshTaskId, RequestId",
				probe.TaskPaths: "by id: as it was sent; by type: as it was sent",
				probe.Quota:     "File: 24 counted of 24 accepted; Directory: 2 counted of 2 accepted; IgnoreParams: 2 counted of 2 accepted",
			},
			settings: []string{
				"spellings: common", "type: ignore_params, or queries", "force: false, with type: directory",
				"force: false, with type: ignore_params", "skip_new: false", "index: [index.html]", "index_without_slash: true",
			},
		},
		{
			name: "the edge keys the decoded path, and the API refuses brackets",
			model: probeModel{
				equates: true, noQueries: true, forgets404: true, keepsRemoved: true, byETag: true, docs: "page", refresh: six,
				api: &aliyuntest.Server{NoBareBrackets: true, PushTaskID: true, TaskPath: func(u string) string {
					return aliyuntest.WithoutScheme(aliyuntest.Decoded(u))
				}},
			},
			answers: map[probe.ID]string{
				probe.Apart:    "together: all",
				probe.Covered:  "covered: all",
				probe.Brackets: "refused: all",
				probe.Each: "dropped: canonical, RFC 3986 (Python and PHP), encodeURIComponent (ali-oss), Go url.URL, canonical with %e5, " +
					"RFC 3986 with %e5, encodeURIComponent with %e5, Go url.URL with %e5, Java URLEncoder, canonical with + for a space; " +
					"refused: a bare link in Chromium, a bare link in Firefox, Chromium with %e5, Firefox with %e5, Go html/template (Hugo)",
				probe.File:      "dropped: all",
				probe.Directory: "dropped: changed; kept: removed, metadata",
				probe.Force:     "dropped: all",
				probe.Queries:   "yes, it covers both",
				probe.NotFound:  "a 404 is not kept",
				probe.Docs:      "/docs/ shows the index page, /docs shows the index page; a refresh of /docs/ does not cover /docs",
				probe.Members:   "PushTaskId, RequestId",
				probe.TaskPaths: "by id: without its scheme and decoded; by type: without its scheme and decoded",
			},
			settings: []string{
				"spellings: canonical", "type: file, without queries", "force: true, with type: directory",
				"force: true, with type: ignore_params", "skip_new: true", "index: [index.html]", "index_without_slash: true",
			},
		},
		{
			name:  "the edge keys the raw URL, and a refresh covers all spellings",
			model: probeModel{coversAll: true, paramsLike: "File", refresh: six},
			answers: map[probe.ID]string{
				probe.Apart: "apart: all", probe.Covered: "covered: all",
				probe.IgnoreParams: "dropped: changed without a query; kept: changed with ?v=1, changed with ?v=2&w=3, removed with ?v=1",
				probe.Docs:         "/docs/ is not found, /docs is not found",
			},
			settings: []string{
				"spellings: canonical", "queries, not type: ignore_params", "force: false, with type: directory",
				"force: true, with type: ignore_params", "skip_new: false", "no index",
			},
		},
		{
			name:  "a page where there is no object",
			model: probeModel{fallback: true, docs: "index", refresh: six},
			answers: map[probe.ID]string{
				probe.File: "dropped: all", probe.Directory: "dropped: all",
				probe.NotFound: "undecided: the edge did not answer 404: OSS no longer holds the object",
			},
			settings: []string{
				"spellings: common", "type: ignore_params, or queries", "force: false, with type: directory",
				"force: false, with type: ignore_params", "index: [index.html]", "index_without_slash: true",
			},
		},
		{
			name:  "copies that expire before a refresh arrives",
			model: probeModel{ttl: 5 * time.Minute, refresh: six},
			answers: map[probe.ID]string{
				probe.File:     "undecided: changed, removed, metadata (what nobody had refreshed was fresh by then too)",
				probe.Apart:    "apart: all",
				probe.Duration: "undecided: nothing became fresh",
			},
			settings: []string{"no index"},
		},
		{
			name:  "an edge that keeps nothing",
			model: probeModel{keepsNothing: true, refresh: six},
			answers: map[probe.ID]string{
				probe.Control:  "the edge keeps nothing here",
				probe.NotFound: "a 404 is not kept",
				probe.Quota:    "undecided: the quota was not told",
			},
			settings: []string{"skip_new: true", "no index"},
		},
		{
			name: "directories that take five times as long as files, of CDN",
			model: probeModel{
				refresh: time.Minute, ofDirectory: 5 * time.Minute, product: "cdn",
				api: &aliyuntest.Server{TaskPath: aliyuntest.Decoded},
			},
			answers: map[probe.ID]string{
				probe.Directory: "dropped: all", probe.Force: "dropped: all", probe.Queries: "no, the URL with a query stays stale",
				probe.TaskPaths: "by id: decoded; by type: decoded",
			},
			settings: []string{
				"spellings: common", "type: ignore_params, or queries", "force: false, with type: directory",
				"force: false, with type: ignore_params", "skip_new: false", "no index",
			},
		},
		{
			name: "tasks of directories that fail",
			model: probeModel{refresh: six, api: &aliyuntest.Server{NoBareBrackets: true, TaskEnd: func(a aliyuntest.Accepted) string {
				if a.Type == "Directory" {
					return aliyuntest.Failed
				}
				return ""
			}}},
			answers: map[probe.ID]string{
				probe.File:      "dropped: all",
				probe.Directory: "undecided: changed, removed, metadata (its task ended as Failed)",
			},
			settings: []string{
				"spellings: common", "type: ignore_params, or queries", "force: false, with type: ignore_params", "skip_new: false", "no index",
			},
			because: "this domain keeps spellings apart; give all where links have %e5 for %E5 (Hugo), or + for a space (Java); " +
				"the API does not take some of them, which stay stale",
		},
		{
			name:  "a refresh of two seconds",
			model: probeModel{refresh: 2 * time.Second, docs: "index"},
			answers: map[probe.ID]string{
				probe.Queries: "no, the URL with a query stays stale", probe.Apart: "apart: all", probe.Each: "dropped: all",
			},
			settings: []string{
				"spellings: common", "type: ignore_params, or queries", "force: false, with type: directory",
				"force: false, with type: ignore_params", "skip_new: false", "index: [index.html]", "index_without_slash: true",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newProbeWorld(t, tt.model)
				doc, _, stderr, status := w.probe(t.Context(), nil)
				if status != 0 || stderr != "" {
					t.Fatalf("exit status %d: %s", status, stderr)
				}
				for id, want := range tt.answers {
					if got := answerOf(t, doc, id); got != want {
						t.Errorf("%s:\n got %q\nwant %q", id, got, want)
					}
				}
				var settings []string
				for _, s := range doc.Settings {
					settings = append(settings, s.Setting)
				}
				if !slices.Equal(settings, tt.settings) {
					t.Errorf("settings:\n got %q\nwant %q", settings, tt.settings)
				}
				if got := answerOf(t, doc, probe.Duration); tt.model.refresh == six && strings.HasPrefix(got, "median") &&
					(!strings.HasPrefix(got, "median 6m") || !strings.HasSuffix(got, ", each to within 15s")) {
					t.Errorf("%s: %q", probe.Duration, got)
				}
				for _, a := range doc.Answers {
					if a.Decided == strings.Contains(a.Answer, string(probe.Undecided)) && a.ID != probe.TaskPaths {
						t.Errorf("%s: decided %v, %q", a.ID, a.Decided, a.Answer)
					}
				}
				if tt.because != "" && doc.Settings[0].Because != tt.because {
					t.Errorf("because:\n got %q\nwant %q", doc.Settings[0].Because, tt.because)
				}
				if took := doc.Ended.Sub(doc.Began); took > 15*time.Minute {
					t.Errorf("it took %v", took)
				}
				if left := w.left(); left != nil {
					t.Errorf("left behind: %q", left)
				}
				w.checkSpent(doc)
			})
		})
	}
}

// checkSpent wants what was accepted to be within the cost, and below the folder.
func (w *probeWorld) checkSpent(doc probe.Report) {
	w.t.Helper()
	var spent probe.Cost
	for _, a := range w.api.Accepted() {
		switch a.Type {
		case "Directory":
			spent.Directories++
		case "IgnoreParams":
			spent.IgnoreParams++
		default:
			spent.URLs++
		}
		if !strings.HasPrefix(a.URL, "https://www.example.com/"+probe.FolderPrefix) {
			w.t.Errorf("refreshed %s", a.URL)
		}
	}
	most := doc.Cost
	if spent.URLs > most.URLs || spent.Directories > most.Directories || spent.IgnoreParams > most.IgnoreParams {
		w.t.Errorf("it spent %v, and says at most %v", spent, most)
	}
	if most.URLs > 30 || most.Directories > 2 || most.IgnoreParams > 2 || most.Objects > 60 {
		w.t.Errorf("it costs %v", most)
	}
}

// Nothing is left in the bucket wherever a probe is interrupted, and what was found
// until then is told.
func TestProbeInterrupted(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, at int) (requests int) {
		synctest.Test(t, func(t *testing.T) {
			w := newProbeWorld(t, probeModel{docs: "index", refresh: 2 * time.Second})
			w.versions = map[string][]string{}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.each = func(n int) {
				if n == at {
					cancel()
					time.Sleep(3 * time.Second) // what was asked for is done later
				}
			}
			doc, _, stderr, status := w.probe(ctx, nil)
			time.Sleep(10 * time.Second)
			requests = w.requests
			if at < 0 {
				return
			}
			if status != 1 || !strings.HasPrefix(stderr, "ossrefresh: error: not all was asked") || len(doc.Left) > 0 {
				t.Errorf("interrupted at request %d: exit status %d, left %q: %s", at, status, doc.Left, stderr)
			}
			if left := w.left(); left != nil {
				t.Errorf("interrupted at request %d: left behind %q", at, left)
			}
			for name, versions := range w.versions {
				if len(versions) > 0 {
					t.Errorf("interrupted at request %d: %s has the versions %q", at, name, versions)
				}
			}
		})
		return requests
	}
	all := run(t, -1)
	removals := 39 // at the end, of each version: an interruption changes nothing there
	if all < 200 {
		t.Fatalf("a probe makes %d requests", all)
	}
	for at := 0; at < all-removals; at += 13 {
		run(t, at)
	}
}

// Where the bucket keeps versions, none is left either.
func TestProbeOfVersions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newProbeWorld(t, probeModel{refresh: time.Second})
		w.versions = map[string][]string{}
		if _, _, stderr, status := w.probe(t.Context(), nil); status != 0 {
			t.Fatalf("exit status %d: %s", status, stderr)
		}
		for name, versions := range w.versions {
			if len(versions) > 0 {
				t.Errorf("%s has the versions %q", name, versions)
			}
		}
		if len(w.versions) != 20 || w.left() != nil {
			t.Errorf("%d objects had versions, and %q are left", len(w.versions), w.left())
		}
	})
}

// What cannot be removed is named.
func TestProbeNamesWhatItLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newProbeWorld(t, probeModel{refresh: time.Second})
		w.each = func(n int) {
			if n == 200 { // long after the object was removed that is to be
				w.mu.Lock()
				w.refused = http.MethodDelete
				w.mu.Unlock()
			}
		}
		doc, _, stderr, status := w.probe(t.Context(), nil)
		left := w.left()
		if status != 1 || len(left) == 0 || len(doc.Left) < len(left) {
			t.Fatalf("exit status %d, named %d, left %d", status, len(doc.Left), len(left))
		}
		for _, name := range left {
			key := strings.TrimPrefix(name, "my-site/")
			if !slices.Contains(doc.Left, key) || !strings.Contains(stderr, key) {
				t.Errorf("%s is left and not named: %s", key, stderr)
			}
		}
		if !strings.Contains(stderr, "hint: remove them by hand") || !strings.Contains(doc.Notes[0], "needs oss:DeleteObject") {
			t.Errorf("%s%q", stderr, doc.Notes)
		}
	})
}

// A probe that would prove nothing, or take what is not there, is refused before
// anything is refreshed.
func TestProbeRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(w *probeWorld)
		want   string
	}{
		{"another bucket behind the domain", func(w *probeWorld) {
			w.lines[edgeAddress] = w.lines[ossAddress] // whose answer to a stranger is no object
		}, "www.example.com does not show the objects of bucket my-site"},
		{"a page for everything", func(w *probeWorld) {
			w.fallback, w.hidden = true, true
		}, "does not show the objects of bucket my-site: ETag differs"},
		{"an edge that tells nothing", func(w *probeWorld) { w.stripsHeaders = true }, "does not show the objects of bucket my-site: the answers have nothing to compare"},
		{"no quota", func(w *probeWorld) { w.api.Quota.URLs = 23 }, "of today's quota of File, 23 are left, and this takes 24"},
		{"no right to put", func(w *probeWorld) { w.refused = http.MethodPut }, "putting an object into bucket my-site: AccessDenied, HTTP 403, request 5CF4; the access key needs oss:PutObject"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newProbeWorld(t, probeModel{refresh: time.Second})
				tt.change(w)
				_, _, stderr, status := w.probe(t.Context(), nil)
				if status != 1 || !strings.Contains(stderr, tt.want) {
					t.Errorf("exit status %d: %s", status, stderr)
				}
				if accepted := w.api.Accepted(); len(accepted) > 0 || w.left() != nil {
					t.Errorf("refreshed %v, left %q", accepted, w.left())
				}
			})
		})
	}
}

// Where a deployed function refreshes the same objects, that is seen and said.
func TestProbeBesideTheFunction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newProbeWorld(t, probeModel{refresh: time.Minute, deployed: true})
		doc, _, stderr, status := w.probe(t.Context(), nil)
		if status != 0 {
			t.Fatalf("exit status %d: %s", status, stderr)
		}
		if got := answerOf(t, doc, probe.Control); !strings.HasPrefix(got, "the copy was gone after 59s without a refresh") {
			t.Error(got)
		}
		if got := answerOf(t, doc, probe.File); !strings.HasPrefix(got, "undecided: ") {
			t.Error(got)
		}
		const want = " URLs of the folder, such as a function that is deployed: the answers are in doubt"
		if notes := strings.Join(doc.Notes, "\n"); !strings.Contains(notes, "somebody else refreshed ") || !strings.Contains(notes, want) {
			t.Errorf("notes %q", notes)
		}
	})
}

// A node that never had the copy proves nothing, and is told of.
func TestProbeOfTwoNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newProbeWorld(t, probeModel{refresh: time.Minute})
		time.AfterFunc(30*time.Second, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.node++
		})
		doc, _, _, _ := w.probe(t.Context(), nil)
		const want = "33 URLs were fresh at another node than the one that had kept the copy, and may have it still"
		if !slices.Contains(doc.Notes, want) {
			t.Errorf("notes %q", doc.Notes)
		}
	})
}

// Without the right to refresh, that is what is said, and exit status 1.
func TestProbeWithoutTheRightToRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const id, key = "1234567890123456", "LTAI5tQmExampleKeyId"
		w := newProbeWorld(t, probeModel{refresh: time.Minute, api: &aliyuntest.Server{
			Fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if !strings.HasPrefix(c.Action, "Refresh") {
					return aliyuntest.Fault{}
				}
				return aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM", Message: "acs:ram::" + id + ":user/x with " + key +
					" may not refresh www.example.com of my-site"}
			},
		}})
		doc, stdout, stderr, status := w.probe(t.Context(), func(cmd *probeCommand) { cmd.Redact = true })
		if status != 1 || !strings.Contains(stderr, "no refresh was accepted: Forbidden.RAM: acs:ram::***:user/x with *** may not refresh DOMAIN of BUCKET") {
			t.Errorf("exit status %d: %s", status, stderr)
		}
		if got := answerOf(t, doc, probe.Apart); got != "apart: all" { // that needs no refresh
			t.Error(got)
		}
		report, err := os.ReadFile(filepath.Join(w.dir, "report.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{id, key, "example.com", "my-site", "www/", ":9002", w.env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"], w.env["ALIBABA_CLOUD_ACCESS_KEY_ID"]} {
			for _, text := range []string{stdout, stderr, string(report)} {
				if strings.Contains(text, hidden) {
					t.Errorf("%q is shown: %s", hidden, text)
				}
			}
		}
	})
}

// The Markdown has what the document has, and can be handed to others.
func TestProbeWritesMarkdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newProbeWorld(t, probeModel{refresh: time.Minute, docs: "index"})
		doc, _, _, _ := w.probe(t.Context(), func(cmd *probeCommand) { cmd.Redact = true })
		data, err := os.ReadFile(filepath.Join(w.dir, "report.md"))
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		for _, want := range []string{
			"# What DOMAIN does\n", "Probed on 2000-01-01, from 00:00:00 to 00:0", "product dcdn, bucket BUCKET",
			"\n| Does a File refresh cover the URL with a query? | no, the URL with a query stays stale |\n",
			"\n| `index: [index.html]` | /docs/ shows docs/index.html |\n",
			"\n| a bare link in Firefox | `covered/photo%20(1),%20[final]\\|%E5%9B%BE@2x.txt` | kept |  |\n",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in\n%s", want, text)
			}
		}
		for _, a := range doc.Answers {
			if !strings.Contains(text, "| "+strings.ReplaceAll(strings.ReplaceAll(a.Question, "|", "\\|"), "[", "\\[")+" |") {
				t.Errorf("the question %q is missing", a.Question)
			}
		}
		for _, hidden := range []string{"example.com", "my-site", "www/", ":9002"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%q is shown", hidden)
			}
		}
		// It overwrites nothing, and says so before it does anything.
		before := len(w.api.Calls())
		if _, _, stderr, status := w.probe(t.Context(), nil); status != 1 || !strings.Contains(stderr, "hint: name another file with --report") || len(w.api.Calls()) != before {
			t.Errorf("exit status %d: %s", status, stderr)
		}
	})
}

// A terminal that is closed, or a machine that is shut down, ends a probe as Ctrl-C
// does: the real program removes what it has put.
func TestProbeEndsOnSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if ossignal.Ignored(signal) {
			continue // the tests run under nohup, and so does the tool
		}
		w := newProbeWorld(t, probeModel{refresh: time.Hour})
		tool := exec.Command("ossrefresh", "probe", "--live", "--domain", "www.example.com", "--bucket", "my-site",
			"--mapping", filepath.Join(w.dir, "mapping.yaml"), "--report", filepath.Join(w.dir, "report.md"))
		started := make(chan struct{})
		w.each = func(n int) {
			if n == 30 {
				<-started
				_ = tool.Process.Signal(signal)
			}
		}
		store := httptest.NewServer(http.HandlerFunc(w.serveOSS))
		node := httptest.NewServer(http.HandlerFunc(w.serveEdge))
		api := aliyuntest.NewTestServer(t, nil)
		tool.Args = append(tool.Args, "--edge", node.Listener.Addr().String())
		for name, value := range w.env {
			tool.Env = append(tool.Env, name+"="+value)
		}
		tool.Env = append(tool.Env, "OSS_ENDPOINT="+store.URL, "REFRESH_ENDPOINT="+api.URL)
		var output bytes.Buffer
		tool.Stdout, tool.Stderr = &output, &output
		if err := tool.Start(); err != nil {
			t.Fatal(err)
		}
		close(started)
		err := tool.Wait()
		store.Close()
		node.Close()
		if err == nil || !strings.Contains(output.String(), "ossrefresh: error: interrupted: not all was asked\n") {
			t.Errorf("%v: %v: %s", signal, err, &output)
		}
		if left := w.left(); left != nil || w.requests < 40 {
			t.Errorf("%v: left behind %q after %d requests", signal, left, w.requests)
		}
	}
}

// DNS may give another node each time; the copies are at one.
func TestPin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var asked []string
	dial := pin(func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = append(asked, address)
		if address == "www.example.com:443" { // as DNS gives it
			address = l.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	})
	for range 2 {
		c, err := dial(t.Context(), "tcp", "www.example.com:443")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	if want := []string{"www.example.com:443", l.Addr().String()}; !slices.Equal(asked, want) {
		t.Errorf("connected to %q, want %q", asked, want)
	}
}

// A refresh that does not arrive in time leaves open what depends on it, and
// nothing else.
func TestProbeGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newProbeWorld(t, probeModel{refresh: 10 * time.Hour, docs: "index"})
		doc, _, stderr, status := w.probe(t.Context(), func(cmd *probeCommand) { cmd.Timeout = 30 * time.Minute })
		if status != 1 || !strings.Contains(stderr, "error: the time was over before everything was settled\n") || !strings.Contains(stderr, "hint: give a longer --timeout") {
			t.Errorf("exit status %d: %s", status, stderr)
		}
		for id, want := range map[probe.ID]string{
			probe.Apart:    "apart: all",
			probe.Docs:     "/docs/ shows the index page, /docs leads to /docs/",
			probe.File:     "undecided: changed, removed, metadata (it was not watched long enough)",
			probe.Duration: "undecided: nothing became fresh",
		} {
			if got := answerOf(t, doc, id); got != want {
				t.Errorf("%s: %q, want %q", id, got, want)
			}
		}
		if took := doc.Ended.Sub(doc.Began); took < 30*time.Minute || took > 32*time.Minute {
			t.Errorf("it took %v", took)
		}
		if left := w.left(); left != nil {
			t.Errorf("left behind: %q", left)
		}
	})
}

// Who may refresh and not ask for quota and tasks gets the other answers.
func TestProbeWithoutTheRightToAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newProbeWorld(t, probeModel{refresh: time.Minute, api: &aliyuntest.Server{
			Fault: func(c aliyuntest.Call) aliyuntest.Fault {
				if strings.HasPrefix(c.Action, "Describe") {
					return aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM", Message: "no"}
				}
				return aliyuntest.Fault{}
			},
		}})
		doc, _, stderr, status := w.probe(t.Context(), nil)
		if status != 0 {
			t.Fatalf("exit status %d: %s", status, stderr)
		}
		for id, want := range map[probe.ID]string{
			probe.File: "dropped: all", probe.Queries: "no, the URL with a query stays stale",
			probe.Quota: "undecided: the quota was not told", probe.TaskPaths: "by id: undecided; by type: undecided",
		} {
			if got := answerOf(t, doc, id); got != want {
				t.Errorf("%s: %q, want %q", id, got, want)
			}
		}
		if len(doc.Notes) != 3 { // the quota, and the tasks by id and by type
			t.Errorf("notes %q", doc.Notes)
		}
	})
}
