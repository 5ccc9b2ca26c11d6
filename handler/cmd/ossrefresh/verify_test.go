package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// startWeb is the script command "web": it starts a node and OSS on loopback,
// which answer as the script's files say: node/HOST/PATH and oss/BUCKET/KEY,
// each with the status, for OSS an error's code, and headers. A path that ends
// in a slash is the file INDEX. What has no file is answered with 404. EDGE and
// OSS_ENDPOINT say where the two are.
func startWeb(ts *testscript.TestScript, _ bool, _ []string) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveFile(w, ts.MkAbs("node/"+r.Host), r.URL.EscapedPath())
	}))
	oss := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-oss-request-id", "5CF4")
		serveFile(w, ts.MkAbs("oss"), r.URL.EscapedPath())
	}))
	ts.Defer(node.Close)
	ts.Defer(oss.Close)
	ts.Setenv("EDGE", node.Listener.Addr().String())
	ts.Setenv("OSS_ENDPOINT", oss.URL)
}

func serveFile(w http.ResponseWriter, dir, path string) {
	if strings.HasSuffix(path, "/") {
		path += "INDEX"
	}
	path, _ = url.PathUnescape(strings.ReplaceAll(path, "+", "%20"))
	text, err := os.ReadFile(dir + path)
	if err != nil {
		text = []byte("404 NoSuchKey\nX-Cache: MISS TCP_MISS")
	}
	first, headers, _ := strings.Cut(string(text), "\n")
	status, code, _ := strings.Cut(first, " ")
	for line := range strings.Lines(headers) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			w.Header().Set(name, value)
		}
	}
	if code != "" { // as OSS answers a HEAD, which has no body
		body := fmt.Sprintf("<Error><Code>%s</Code><RequestId>5CF4</RequestId></Error>", code)
		w.Header().Set("x-oss-err", base64.StdEncoding.EncodeToString([]byte(body)))
	}
	n, _ := strconv.Atoi(status)
	w.WriteHeader(n)
}
