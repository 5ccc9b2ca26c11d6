package aliyuntest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// repeating wraps the connections of a listener, so that an answer can be sent
// on them twice.
type repeating struct{ net.Listener }

func (l repeating) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &connection{Conn: c}, nil
}

type connection struct {
	net.Conn

	mu     sync.Mutex
	pause  time.Duration // 0: what is written is not recorded
	answer bytes.Buffer
}

type connectionKey struct{}

// withConnection lets a request's handler find its connection.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c)
}

func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	return c
}

// repeatAfter has the answer that is written next sent once more. It does
// nothing without a connection, as in tests that call the handler.
func (c *connection) repeatAfter(pause time.Duration) {
	if c == nil || pause <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pause = pause
}

func (c *connection) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.pause > 0 {
		c.answer.Write(b)
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// answered sends the recorded answer again, after the pause.
func (c *connection) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pause == 0 {
		return
	}
	answer := bytes.Clone(c.answer.Bytes())
	time.AfterFunc(c.pause, func() { c.Conn.Write(answer) }) // fails once the client has gone
	c.pause = 0
	c.answer.Reset()
}
