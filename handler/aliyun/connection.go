package aliyun

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// A dialFunc is the DialContext of a transport.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// remembering makes the dialer's connections remember the answers that came
// over them.
func remembering(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &connection{Conn: c}, nil
	}
}

// A connection remembers the answers that came over it. A request id is unique,
// so one that comes again is that of an earlier call's answer, which a broken
// proxy has sent twice. From then on each answer may be that of another call.
type connection struct {
	net.Conn
	requestIDs requestIDs
}

// connectionOf returns the connection beneath c, with or without TLS.
func connectionOf(c net.Conn) *connection {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	mine, _ := c.(*connection)
	return mine
}

// repeats reports whether an answer with this request id came before over the
// connection. If so, the connection is closed: another call may already have
// been sent on it, and gets no answer.
func (c *connection) repeats(requestID string) bool {
	if c == nil || requestID == "" || !c.requestIDs.repeats(requestID) {
		return false
	}
	c.Close()
	return true
}

// requestIDs are the last ones that came over a connection.
type requestIDs struct {
	mu   sync.Mutex
	last [64]string // a ring
	next int
}

// repeats reports whether the id is among the last ones, and notes it.
func (r *requestIDs) repeats(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.last {
		if known == id {
			return true
		}
	}
	r.last[r.next] = id
	r.next = (r.next + 1) % len(r.last)
	return false
}
