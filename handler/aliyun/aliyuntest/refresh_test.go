package aliyuntest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// urls returns n URLs of each domain.
func urls(n int, domains ...string) []string {
	var list []string
	for _, domain := range domains {
		for i := range n {
			list = append(list, fmt.Sprintf("https://%s/%d/", domain, i))
		}
	}
	return list
}

// domains returns n names of domains.
func domains(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("d%d.com", i))
	}
	return list
}

func TestRefreshChecks(t *testing.T) {
	tests := []struct {
		name   string
		server Server
		kind   string
		urls   []string
		code   string
	}{
		{name: "nothing", code: "MissingObjectPath"},
		{name: "file", kind: "File", urls: []string{"http://a.com/a"}},
		{name: "directory", kind: "Directory", urls: []string{"http://a.com/a/"}},
		{name: "ignore params", kind: "IgnoreParams", urls: []string{"http://a.com/a"}},
		{name: "no ignore params", server: Server{NoIgnoreParams: true}, kind: "IgnoreParams", urls: urls(1, "a.com"), code: "InvalidObjectType.Malformed"},
		{name: "unknown type", kind: "Regex", urls: urls(1, "a.com"), code: "InvalidObjectType.Malformed"},
		{name: "type before path", kind: "Regex", code: "InvalidObjectType.Malformed"},
		{name: "twice the same", urls: []string{"http://a.com/a", "http://a.com/a"}},

		{name: "most URLs", urls: urls(100, domains(10)...)},
		{name: "too many URLs", urls: urls(100, domains(11)...), code: "SingleRequest.OverLimit"},
		{name: "too many of a domain", urls: urls(101, "a.com"), code: "SingleRequest.OverLimit"},
		{name: "one domain in two cases", urls: slices.Concat(urls(51, "a.com"), urls(51, "A.COM")), code: "SingleRequest.OverLimit"},
		{name: "too many domains", urls: urls(1, domains(11)...), code: "SingleRequest.OverLimit"},
		{name: "too many directories", kind: "Directory", urls: urls(51, "a.com", "b.com"), code: "SingleRequest.OverLimit"},
		{name: "own limit", server: Server{Limits: Limits{URLsPerRequest: 2}}, urls: urls(3, "a.com"), code: "SingleRequest.OverLimit"},
		{name: "lifted limit", server: Server{Limits: Limits{URLsPerDomain: 1e9}}, urls: urls(1000, "a.com")},
		{name: "bytes", server: Server{Limits: Limits{RequestBytes: 22}}, urls: []string{"http://a.com/bc"}, code: "InvalidObjectPath.Size.Malformed"},
		{name: "fewer bytes", server: Server{Limits: Limits{RequestBytes: 22}}, urls: []string{"http://a.com/b"}},

		{name: "own domain", server: Server{Domains: []string{"a.com"}}, urls: []string{"A.com/"}},
		{name: "not own", server: Server{Domains: []string{"a.com"}}, urls: urls(1, "a.com", "b.com"), code: "InvalidDomain.NotFound"},
		{name: "no domains", server: Server{Domains: []string{}}, urls: urls(1, "a.com"), code: "InvalidDomain.NotFound"},
		{name: "forbidden", server: Server{Forbidden: []string{"b.com"}}, urls: urls(1, "a.com", "b.com"), code: "Forbidden.RAM"},
		{name: "forbidden before malformed", server: Server{Forbidden: []string{"b.com"}}, urls: []string{"a b", "b.com/"}, code: "Forbidden.RAM"},
		{name: "bare brackets", urls: []string{"http://a.com/[1]|"}},
		{name: "no bare brackets", server: Server{NoBareBrackets: true}, urls: []string{"http://a.com/%5B1", "http://a.com/[1"}, code: "InvalidObjectPath.Malformed"},
		{name: "no bare bars", server: Server{NoBareBrackets: true}, urls: []string{"http://a.com/a|b"}, code: "InvalidObjectPath.Malformed"},
		{name: "encoded brackets", server: Server{NoBareBrackets: true}, urls: []string{"http://a.com/%5B1%5D%7C"}},
		{name: "named malformed", server: Server{MalformedURLs: func(url string) bool { return strings.Contains(url, "/3/") }}, urls: urls(4, "a.com"), code: "InvalidObjectPath.Malformed"},

		{name: "quota", server: Server{Quota: Quota{URLs: 4}}, urls: urls(4, "a.com")},
		{name: "short quota", server: Server{Quota: Quota{URLs: 3}}, urls: urls(4, "a.com"), code: "QuotaExceeded.Refresh"},
		{name: "no quota", server: Server{Quota: Quota{Directories: -1}}, kind: "Directory", urls: urls(1, "a.com"), code: "QuotaExceeded.Refresh"},
		{name: "quota of another type", server: Server{Quota: Quota{Directories: -1, IgnoreParams: -1}}, urls: urls(1, "a.com")},
	}
	for i := range tests {
		tt := &tests[i] // a Server must not be copied
		t.Run(tt.name, func(t *testing.T) {
			s := NewTestServer(t, &tt.server)
			c := refreshing(tt.urls...)
			c.form["ObjectType"] = tt.kind
			if a := s.send(t, c); a.code() != tt.code {
				t.Errorf("got %q, want %q", a.code(), tt.code)
			}
			want := tt.urls
			if tt.code != "" {
				want = nil
			}
			if diff := cmp.Diff(want, accepted(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// accepted returns the URLs that were accepted.
func accepted(s *Server) []string {
	var list []string
	for _, a := range s.Accepted() {
		list = append(list, a.URL)
	}
	return list
}

func TestPaths(t *testing.T) {
	const malformed, wildcard = "InvalidObjectPath.Malformed", "InvalidExtensiveDomain.ValueNotSupported"
	tests := []struct{ kind, path, code string }{
		{"File", "http://a.com/a.png", ""},
		{"File", "HTTPS://a.com/a.png", ""},
		{"File", "a.com/a.png", ""},
		{"File", "a.com", ""},
		{"File", "a.com/?u=http://b.com/", ""},
		{"File", "http://a.com/a[1]|b?c=d%20e", ""},
		{"File", "http://a.com/%E5%9B%BE.png", ""},
		{"File", "http://a.com/图.png", malformed},
		{"File", "http://a.com/a b", malformed},
		{"File", "http://a.com/a\tb", malformed},
		{"File", "http://a.com/a\x7f", malformed},
		{"File", "http://a.com/a\xff", malformed},
		{"File", "http://a.com/100%.txt", malformed},
		{"File", "http://a.com/a?b=%zz", malformed},
		{"File", "ftp://a.com/a", malformed},
		{"File", "http:///a", malformed},
		{"File", "/a", malformed},
		{"File", "http://a.com/a\n", malformed},
		{"File", "http://a.com/a\n\nhttp://a.com/b", malformed},
		{"File", "http://a.com/a\rhttp://a.com/b", malformed},
		{"File", "http://*.a.com/", wildcard},
		{"File", "*.a.com/", wildcard},
		{"File", "http://a.com/*", ""},
		{"Directory", "http://a.com/a/", ""},
		{"Directory", "http://a.com/a", malformed},
		{"Directory", "http://a.com", malformed},
	}
	for _, tt := range tests {
		s := &Server{}
		c := call{form: parameters{"ObjectPath": tt.path, "ObjectType": tt.kind}}
		if a := s.handle(t, c.signed(t, "")); a.code() != tt.code {
			t.Errorf("%s %q: got %q, want %q", tt.kind, tt.path, a.code(), tt.code)
		}
	}
}

func TestPathInQuery(t *testing.T) {
	s := NewTestServer(t, &Server{PathInQuery: true})
	path := parameters{"ObjectPath": "http://a.com/"}
	if a := s.send(t, call{form: path}); a.code() != "MissingObjectPath" {
		t.Errorf("form: got %q, want MissingObjectPath", a.code())
	}
	if a := s.send(t, call{query: path}); a.code() != "" {
		t.Errorf("query: got %q, want none", a.code())
	}
	calls := s.Calls()
	if calls[0].ObjectPathIn != "form" || calls[1].ObjectPathIn != "query" {
		t.Errorf("recorded %q and %q", calls[0].ObjectPathIn, calls[1].ObjectPathIn)
	}
}

func TestPushTaskID(t *testing.T) {
	for push, name := range map[bool]string{false: "RefreshTaskId", true: "PushTaskId"} {
		a := NewTestServer(t, &Server{PushTaskID: push}).send(t, refreshing("http://a.com/"))
		want := map[string]any{name: "95248880", "RequestId": "E5BD4B50-7A02-493A-AE0B-000000000000"}
		if diff := cmp.Diff(want, a.fields); diff != "" {
			t.Error(diff)
		}
	}
}

// A request is accepted as a whole, line by line and in order, or not at all.
func FuzzAllOrNothing(f *testing.F) {
	f.Add("http://a.com/1\r\nhttp://a.com/2\nb.com", "File", 3)
	f.Add("http://a.com/a/\nhttp://a.com/b", "Directory", 2)
	f.Fuzz(func(t *testing.T, path, kind string, quota int) {
		s := &Server{Quota: Quota{URLs: quota, Directories: quota}}
		r := call{form: parameters{"ObjectPath": path, "ObjectType": kind}}.signed(t, "")
		if r.ContentLength > maxBody {
			return
		}
		a := s.handle(t, r)
		var want []string
		if a.code() == "" {
			want = strings.Split(strings.ReplaceAll(path, "\r\n", "\n"), "\n")
		}
		if diff := cmp.Diff(want, accepted(s)); diff != "" {
			t.Errorf("%d %q: %s", a.StatusCode, a.code(), diff)
		}
	})
}
