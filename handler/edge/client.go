package edge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Node is where to ask, HOST:PORT; empty: wherever DNS leads for the URL's
// domain.
type Node string

// ParseNode reads HOST or HOST:PORT. The port is 443, or on loopback 80.
func ParseNode(text string) (Node, error) {
	if text == "" {
		return "", nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), ""
	}
	_, badPort := strconv.ParseUint(cmp.Or(port, "0"), 10, 16)
	if badPort != nil || host == "" || strings.ContainsAny(host, "/@*?#[] ") {
		return "", fmt.Errorf("%q is not a valid node; accepted: HOST or HOST:PORT", text)
	}
	if port == "" {
		port = "443"
		if Node(net.JoinHostPort(host, "0")).plain() {
			port = "80"
		}
	}
	return Node(net.JoinHostPort(host, port)), nil
}

// plain reports whether the node is asked without TLS: on loopback, and nowhere
// else.
func (n Node) plain() bool {
	host, _, _ := net.SplitHostPort(string(n))
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// A Client asks nodes, one URL at a time over at most one connection. The zero
// value asks where DNS leads; it is not safe for concurrent use.
type Client struct {
	Node Node
	// Dial, unless nil, connects in place of the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	transport *http.Transport
	host      string // of the connection that may be open
}

// timeout is for one answer. A node that has to ask OSS on the other side of the
// world takes seconds.
const timeout = 30 * time.Second

// maxBody is how much is read of what a node sends, in bytes.
const maxBody = 16 << 20

// Head asks for the head of an absolute URL, in exactly the spelling given, with
// an Accept-Encoding such as "identity" or "gzip": nodes may keep a copy for
// each. It follows no redirect. The error is that of the network; an answer of
// any status is none.
func (c *Client) Head(ctx context.Context, address, encoding string) (Answer, error) {
	return c.ask(ctx, http.MethodHead, address, encoding)
}

// Get is Head for the whole of what is there: it fills a node's cache as a
// visitor does, which a HEAD may not do.
func (c *Client) Get(ctx context.Context, address, encoding string) (Answer, error) {
	return c.ask(ctx, http.MethodGet, address, encoding)
}

func (c *Client) ask(ctx context.Context, method, address, encoding string) (Answer, error) {
	request, err := c.request(address)
	if err != nil {
		return Answer{}, err
	}
	request.Method = method
	request.Header.Set("Accept-Encoding", encoding)
	request.Header.Set("User-Agent", "oss-cdn-refresh")
	if c.transport == nil {
		c.transport = c.newTransport()
	}
	if c.host != request.Host {
		c.transport.CloseIdleConnections()
		c.host = request.Host
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer := Answer{}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		answer.Peer = info.Conn.RemoteAddr().String()
	}}
	request = request.WithContext(httptrace.WithClientTrace(ctx, trace))
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %v", timeout)
		}
		return Answer{}, fmt.Errorf("asking the node over %s: %w", strings.ToUpper(request.URL.Scheme), err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody))
	response.Body.Close()
	if err != nil {
		return Answer{}, fmt.Errorf("reading what the node sends: %w", err)
	}
	answer.Status, answer.Header, answer.At = response.StatusCode, response.Header, time.Now()
	return answer, nil
}

// Close closes the connection that is kept.
func (c *Client) Close() {
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
}

// request keeps the path and the query as they are written: package url would
// encode a bare "|" anew, and a cache has that under another key.
func (c *Client) request(address string) (*http.Request, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	host, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	unencoded := func(r rune) bool { return r <= ' ' || r > '~' }
	if !ok || host == "" || strings.ContainsFunc(address, unencoded) {
		return nil, fmt.Errorf("%q is not a valid URL; "+
			"accepted: one that begins with https:// and is percent-encoded", address)
	}
	if strings.HasPrefix(path, "?") {
		path = "/" + path
	}
	if strings.HasPrefix(path, "//") { // else it would be read as a host
		path = "//" + host + path
	}
	if c.Node.plain() {
		scheme = "http"
	}
	u := &url.URL{Scheme: scheme, Host: host, Opaque: path}
	return &http.Request{URL: u, Host: host, Header: http.Header{}}, nil
}

func (c *Client) newTransport() *http.Transport {
	t := &http.Transport{
		MaxConnsPerHost: 1, MaxIdleConns: 1,
		DisableCompression:  true, // what a node answers is to be seen as it is
		TLSHandshakeTimeout: 10 * time.Second,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		DialContext:         c.Dial,
	}
	if c.Dial == nil {
		t.DialContext = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	if c.Node == "" {
		t.Proxy = http.ProxyFromEnvironment
		return t
	}
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, string(c.Node))
	}
	return t
}
