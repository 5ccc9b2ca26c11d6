package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// From the upload to the visitor: an origin as OSS, a real nginx that caches it,
// the refresh API on loopback, of which an accepted refresh purges nginx after a
// while, the function, and verify, which says what a visitor gets.
func TestChain(t *testing.T) {
	t.Parallel()
	whole := newChain(t)
	const created, removed = "ObjectCreated:PutObject", "ObjectRemoved:DeleteObject"
	const site, awkward = "https://www.example.com/", `docs/photo (1) + [2] 图 100%&'~.jpg`

	t.Run("an index page", func(t *testing.T) {
		c := whole.in(t)
		c.put("www/docs/index.html", "first")
		c.visit(site+"docs/", site+"docs/index.html")
		c.verify(0, "fresh", "www/docs/index.html")
		c.put("www/docs/index.html", "second")
		c.verify(1, "stale", "www/docs/index.html")
		c.refresh(created, "www/docs/index.html")
		c.verify(0, "fresh", "www/docs/index.html", "--wait")
		if body := c.visit(site + "docs/"); body != "second" {
			t.Errorf("a visitor gets %q", body)
		}
	})
	t.Run("a removal", func(t *testing.T) {
		c := whole.in(t)
		c.put("www/old.txt", "secret")
		c.visit(site + "old.txt")
		c.remove("www/old.txt")
		c.verify(1, "stale", "www/old.txt")
		c.refresh(removed, "www/old.txt")
		c.verify(0, "gone", "www/old.txt", "--wait")
		if body := c.visit(site + "old.txt"); strings.Contains(body, "secret") {
			t.Errorf("a visitor gets %q", body)
		}
	})
	t.Run("a cached 404", func(t *testing.T) {
		c := whole.in(t)
		c.visit(site + "new.txt")
		c.put("www/new.txt", "new")
		c.verify(1, "missing", "www/new.txt")
		c.refresh(created, "www/new.txt")
		c.verify(0, "fresh", "www/new.txt", "--wait")
	})
	t.Run("an awkward name", func(t *testing.T) {
		c := whole.in(t)
		c.put("www/"+awkward, "first")
		c.verify(0, "fresh", "www/"+awkward)
		c.put("www/"+awkward, "second")
		c.verify(1, "stale", "www/"+awkward)
		c.refresh(created, "www/"+awkward)
		c.verify(0, "fresh", "www/"+awkward, "--wait")
	})
	t.Run("verify refreshes what no event did", func(t *testing.T) {
		c := whole.in(t)
		c.put("www/missed.txt", "first")
		c.visit(site + "missed.txt")
		c.put("www/missed.txt", "second")
		c.verify(0, "fresh", "www/missed.txt", "--wait", "--refresh", "--live")
	})
}

// A chain is all that stands between an upload and a visitor.
type chain struct {
	t     *testing.T
	store *ossServer
	edge  string // nginx, HOST:PORT
	table string
	env   map[string]string
	h     *handler.Handler
}

func newChain(t *testing.T) *chain {
	binary, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("there is no nginx to be the edge; apt-get install nginx-light")
	}
	dir := t.TempDir()
	c := &chain{t: t, store: newOSSServer(t), table: filepath.Join(dir, "mapping.yaml")}
	writeFile(t, c.table, `rules: [{bucket: my-site, prefix: www/, targets: [
		{domain: www.example.com, strip_prefix: www/, index: [index.html]}]}]`)
	nginx := startNginx(t, binary, filepath.Join(dir, "nginx"), c.store.http.Listener.Addr().String())
	c.edge = nginx.address
	credential := aliyuntest.TestCredential
	c.env = map[string]string{
		"OSS_ENDPOINT":                    c.store.http.URL,
		"REFRESH_ENDPOINT":                purging(t, nginx),
		"ALIBABA_CLOUD_ACCESS_KEY_ID":     credential.AccessKeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET": credential.AccessKeySecret,
		"ALIBABA_CLOUD_SECURITY_TOKEN":    credential.SecurityToken,
	}
	client, err := aliyun.ClientFrom(c.getenv, "test")
	if err != nil {
		t.Fatal(err)
	}
	caller := client.With(aliyun.CredentialsFrom(c.getenv))
	c.h = handler.New(handler.Settings{MappingFile: c.table, Output: io.Discard}, handler.Platform{
		API:       func(context.Context) refresh.Refresher { return caller },
		RequestID: func(context.Context) string { return "1-67a0" },
	})
	return c
}

// in is the chain in a test of its own, beside others with other keys.
func (c *chain) in(t *testing.T) *chain {
	t.Parallel()
	one := *c
	one.t = t
	return &one
}

func (c *chain) getenv(name string) string { return c.env[name] }

func (c *chain) put(key, text string) { c.store.put("my-site/"+key, text) }

func (c *chain) remove(key string) { c.store.remove("my-site/" + key) }

// visit gets URLs through the edge, which then has them, and returns the last.
func (c *chain) visit(urls ...string) (body string) {
	c.t.Helper()
	for _, address := range urls {
		u, err := url.Parse(address)
		if err != nil {
			c.t.Fatal(err)
		}
		request := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: c.edge, Path: u.Path}, Host: u.Host}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			c.t.Fatal(err)
		}
		data, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			c.t.Fatal(err)
		}
		body = string(data)
	}
	return body
}

// verify runs the tool for a key and wants the exit status, and each of the
// key's URLs in the state.
func (c *chain) verify(status int, state, key string, flags ...string) {
	c.t.Helper()
	args := append([]string{"verify", "--json", "--timeout", "30s", "--mapping", c.table, "--edge", c.edge}, flags...)
	var stdout, stderr bytes.Buffer
	got := run(append(args, "--keys", "my-site", key), nil, &stdout, &stderr, c.getenv)
	var doc verification
	if err := json.Unmarshal(stdout.Bytes(), &doc); err != nil || got != status || len(doc.URLs) == 0 {
		c.t.Fatalf("exit status %d, want %d, %d URLs, %v: %s", got, status, len(doc.URLs), err, &stderr)
	}
	for _, u := range doc.URLs {
		if string(u.State) != state || u.Key != key {
			c.t.Errorf("%s is %s (%s), want %s", u.URL, u.State, u.Because, state)
		}
	}
}

// refresh hands the function the event of a change.
func (c *chain) refresh(event, key string) {
	c.t.Helper()
	quoted, _ := json.Marshal(key)
	_, err := c.h.Handle(c.t.Context(), fmt.Appendf(nil, `{"events": [{"eventName": %q, "eventSource": "acs:oss",
		"oss": {"bucket": {"name": "my-site"}, "object": {"key": %s}}}]}`, event, quoted))
	if err != nil {
		c.t.Fatal(err)
	}
}

// purging starts the refresh API, of which an accepted refresh purges the edge
// after a while, and returns its URL.
func purging(t *testing.T, edge *nginx) string {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{TaskTime: time.Second})
	target, err := url.Parse(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	var mu sync.Mutex
	purged := 0
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, r)
		mu.Lock()
		defer mu.Unlock()
		accepted := api.Accepted()
		for _, a := range accepted[purged:] {
			time.AfterFunc(300*time.Millisecond, func() { edge.purge(a) })
		}
		purged = len(accepted)
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// An nginx is one that caches what the origin answers, 404 too, for an hour.
type nginx struct {
	address string
	cache   string // its folder
}

const nginxConfig = `
%[1]s
daemon off;
worker_processes 1;
pid %[2]s/pid;
error_log %[2]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[2]s/body;
	proxy_temp_path %[2]s/proxy;
	fastcgi_temp_path %[2]s/fastcgi;
	uwsgi_temp_path %[2]s/uwsgi;
	scgi_temp_path %[2]s/scgi;
	proxy_cache_path %[2]s/cache keys_zone=edge:1m inactive=1h use_temp_path=off;
	server {
		listen %[3]s;
		merge_slashes off;
		location / {
			proxy_pass http://%[4]s;
			proxy_set_header Host my-site.oss-cn-hangzhou.aliyuncs.com;
			proxy_cache edge;
			proxy_cache_key $host$request_uri;
			proxy_cache_valid 200 404 1h;
			add_header X-Cache $upstream_cache_status always;
		}
	}
}
`

func startNginx(t *testing.T, binary, dir, origin string) *nginx {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nginx{address: l.Addr().String(), cache: filepath.Join(dir, "cache")}
	l.Close()
	user := ""
	if os.Getuid() == 0 { // else the workers are nobody's, who may not write here
		user = "user root;"
	}
	config := filepath.Join(dir, "nginx.conf")
	writeFile(t, config, fmt.Sprintf(nginxConfig, user, dir, n.address, origin))
	command := exec.Command(binary, "-p", dir, "-c", config, "-e", filepath.Join(dir, "error.log"))
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		command.Process.Signal(os.Interrupt)
		<-ended
	})
	for range 200 { // it listens at once, or not at all
		if connection, err := net.Dial("tcp", n.address); err == nil {
			connection.Close()
			return n
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("nginx: %v: %s", err, &output)
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("nginx does not listen")
	return nil
}

// purge removes from the cache what a refresh is of: nginx fetches anew what
// has no file. Each file says in a line which key it is of.
func (n *nginx) purge(a aliyuntest.Accepted) {
	_, what, _ := strings.Cut(a.URL, "://")
	_ = filepath.WalkDir(n.cache, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		_, rest, _ := bytes.Cut(data, []byte("\nKEY: "))
		key, _, _ := strings.Cut(string(rest), "\n")
		bare, _, _ := strings.Cut(key, "?")
		switch {
		case a.Type == "Directory" && strings.HasPrefix(key, what),
			a.Type == "IgnoreParams" && bare == what,
			a.Type == "File" && key == what:
			_ = os.Remove(path)
		}
		return nil
	})
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// An ossServer holds objects as OSS does, and answers both as its API does
// (/BUCKET/KEY, signed) and as a bucket's own domain (/KEY, with index pages).
type ossServer struct {
	http    *httptest.Server
	mu      sync.Mutex
	objects map[string]ossObject // by BUCKET/KEY
}

type ossObject struct {
	text string
	typ  string // Content-Type
	put  time.Time
}

func newOSSServer(t *testing.T) *ossServer {
	s := &ossServer{objects: map[string]ossObject{}}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s
}

func (s *ossServer) put(name, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[name] = ossObject{text, "", time.Now()}
}

func (s *ossServer) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
}

func (s *ossServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// OSS takes a bare + in the path for a space.
	path, err := url.PathUnescape(strings.ReplaceAll(r.URL.EscapedPath(), "+", "%20"))
	if err != nil {
		s.refuse(w, http.StatusBadRequest, "InvalidURI")
		return
	}
	name := strings.TrimPrefix(path, "/")
	bucket, _, isBucket := strings.Cut(r.Host, ".oss-cn-hangzhou.")
	switch {
	case isBucket:
		name = bucket + "/www/" + name // the domain's origin is below www/
		if strings.HasSuffix(name, "/") {
			name += "index.html"
		}
	case !strings.HasPrefix(r.Header.Get("Authorization"), "OSS4-HMAC-SHA256 Credential="):
		s.refuse(w, http.StatusForbidden, "AccessDenied")
		return
	}
	if r.Method == http.MethodPut || r.Method == http.MethodDelete {
		s.change(w, r, name)
		return
	}
	s.mu.Lock()
	object, ok := s.objects[name]
	s.mu.Unlock()
	if !ok {
		s.refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	sum := crc64.Checksum([]byte(object.text), crc64.MakeTable(crc64.ECMA))
	w.Header().Set("x-oss-hash-crc64ecma", strconv.FormatUint(sum, 10))
	w.Header().Set("x-oss-object-type", "Normal")
	w.Header().Set("ETag", fmt.Sprintf(`"%X"`, md5.Sum([]byte(object.text))))
	if object.typ != "" {
		w.Header().Set("Content-Type", object.typ)
	}
	w.Header().Set("Last-Modified", object.put.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Length", strconv.Itoa(len(object.text)))
	io.WriteString(w, object.text)
}

// change puts or removes an object.
func (s *ossServer) change(w http.ResponseWriter, r *http.Request, name string) {
	text, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, exists := s.objects[name]
	switch {
	case err != nil:
		s.refuse(w, http.StatusBadRequest, "IncompleteBody")
	case r.Method == http.MethodDelete:
		delete(s.objects, name)
		w.WriteHeader(http.StatusNoContent)
	case exists && r.Header.Get("x-oss-forbid-overwrite") == "true":
		s.refuse(w, http.StatusConflict, "FileAlreadyExists")
	default:
		s.objects[name] = ossObject{string(text), r.Header.Get("Content-Type"), time.Now()}
		sum := crc64.Checksum(text, crc64.MakeTable(crc64.ECMA))
		w.Header().Set("x-oss-hash-crc64ecma", strconv.FormatUint(sum, 10))
	}
}

// refuse answers with an error, for HEAD in a header.
func (s *ossServer) refuse(w http.ResponseWriter, status int, code string) {
	text := fmt.Sprintf("<Error><Code>%s</Code><RequestId>5CF4</RequestId></Error>", code)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("x-oss-request-id", "5CF4")
	w.Header().Set("x-oss-err", base64.StdEncoding.EncodeToString([]byte(text)))
	w.WriteHeader(status)
	io.WriteString(w, text)
}
