package edge

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A URL reaches the node in the spelling given: a cache has each under a key of
// its own.
func TestHeadKeepsTheSpelling(t *testing.T) {
	var got []string
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.Host+" "+r.RequestURI+" "+r.Header.Get("Accept-Encoding"))
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer node.Close()
	c := &Client{Node: Node(node.Listener.Addr().String())}
	defer c.Close()
	for _, path := range []string{"/a[1]|b^.txt?v=|", "/%e5%9b%BE%28.png", "/a+b", "?v=2", "", "//a//", "/a%2Fb"} {
		got = nil
		answer, err := c.Head(t.Context(), "https://www.example.com"+path, "gzip")
		if err != nil || answer.Status != http.StatusFound || answer.Peer != node.Listener.Addr().String() || answer.At.IsZero() {
			t.Fatalf("%q: %+v, %v", path, answer, err)
		}
		want := path
		switch {
		case path == "" || path[0] == '?':
			want = "/" + path
		case strings.HasPrefix(path, "//"): // the absolute form, RFC 9112, section 3.2.2
			want = "http://www.example.com" + path
		}
		if want = "HEAD www.example.com " + want + " gzip"; len(got) != 1 || got[0] != want {
			t.Errorf("%q: the node was asked %q, want once %q", path, got, want)
		}
	}
}

// A Get reads all that the node sends, so that the connection serves the next
// one, as the node has it in its log.
func TestGetReadsTheBody(t *testing.T) {
	peers := map[string]int{}
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr]++
		io.WriteString(w, r.Method+strings.Repeat(" ", 1<<20))
	}))
	defer node.Close()
	c := &Client{Node: Node(node.Listener.Addr().String())}
	defer c.Close()
	for range 3 {
		answer, err := c.Get(t.Context(), "https://www.example.com/a|b", "identity")
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%+v, %v", answer, err)
		}
	}
	if len(peers) != 1 {
		t.Errorf("%d connections, want 1", len(peers))
	}
}

func TestHeadRefuses(t *testing.T) {
	for _, address := range []string{"www.example.com/a", "https:///a", "https://www.example.com/a b", "https://www.example.com/图", "https://www.example.com/a\r\nX: y"} {
		if _, err := new(Client).Head(t.Context(), address, "identity"); err == nil || !strings.Contains(err.Error(), "not a valid URL") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Only loopback is asked without TLS.
func TestParseNode(t *testing.T) {
	tests := []struct {
		text  string
		want  Node
		plain bool
	}{
		{"", "", false},
		{"203.0.113.7", "203.0.113.7:443", false},
		{"203.0.113.7:8443", "203.0.113.7:8443", false},
		{"www.example.com.w.kunlunsl.com", "www.example.com.w.kunlunsl.com:443", false},
		{"127.0.0.1", "127.0.0.1:80", true},
		{"127.0.0.1:8080", "127.0.0.1:8080", true},
		{"localhost:8080", "localhost:8080", true},
		{"::1", "[::1]:80", true},
		{"[2001:db8::1]:443", "[2001:db8::1]:443", false},
	}
	for _, tt := range tests {
		got, err := ParseNode(tt.text)
		if err != nil || got != tt.want || got.plain() != tt.plain {
			t.Errorf("ParseNode(%q) = %q, %v, plain %v; want %q, plain %v", tt.text, got, err, got.plain(), tt.want, tt.plain)
		}
	}
	for _, text := range []string{"http://127.0.0.1", "a/b", "a:b", "user@host", ":80", "a b"} {
		if got, err := ParseNode(text); err == nil {
			t.Errorf("ParseNode(%q) = %q, want an error", text, got)
		}
	}
}

// A node that is not on loopback is spoken to in TLS, and must show the domain's
// certificate.
func TestNodeOffLoopbackIsAskedInTLS(t *testing.T) {
	var first [1]byte
	c := &Client{Node: "203.0.113.7:443", Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		if address != "203.0.113.7:443" {
			t.Errorf("the address is %s", address)
		}
		here, there := net.Pipe()
		go func() {
			io.ReadFull(there, first[:])
			there.Close()
		}()
		return here, nil
	}}
	if _, err := c.Head(t.Context(), "https://www.example.com/", "identity"); err == nil {
		t.Error("there was an answer")
	}
	if first[0] != 0x16 { // a handshake record, RFC 8446, section 5.1
		t.Errorf("the first byte is %#x", first[0])
	}
}
