package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/mapping"
)

// A thousand URLs of four domains go over at most ten connections at once, at an
// even pace, and show how far they are.
func TestVerifierIsGentle(t *testing.T) {
	t.Parallel()
	table, err := mapping.Parse("mapping.yaml", []byte(`rules: [{bucket: my-site, targets: [
		{domain: a.example.com}, {domain: b.example.com}, {domain: c.example.com}, {domain: d.example.com}]}]`))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := newVerifyTable(table, false)
	if err != nil {
		t.Fatal(err)
	}
	var questions []question
	for i := range 250 {
		questions = append(questions, shown.ofObject(object{"my-site", fmt.Sprintf("%d.txt", i)})...)
	}
	synctest.Test(t, func(t *testing.T) {
		node := newPipes(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(100 * time.Millisecond) // as a node far away
			w.Header().Set("X-Oss-Hash-Crc64ecma", "1")
			w.Header().Set("X-Cache", "HIT TCP_HIT")
		}))
		defer node.server.Close()
		v := newVerifier(shown, listing{}, "127.0.0.1:80", questions)
		for _, c := range v.clients {
			c.Dial = node.dial
		}
		var progress []string
		v.progress = func(format string, args ...any) { progress = append(progress, fmt.Sprintf(format, args...)) }
		start := time.Now()
		v.run(t.Context(), false)
		v.close()
		if v.doc.Fresh != 1000 || v.doc.failure() != nil {
			t.Errorf("%s: %v", v.doc.summary(), v.doc.failure())
		}
		if most := node.most.Load(); most != atOnce {
			t.Errorf("%d connections were open at once, want %d", most, atOnce)
		}
		if took := time.Since(start); took < 1999*interval || took > 2100*interval {
			t.Errorf("2000 requests took %v, which is not one every %v", took, interval)
		}
		if len(progress) != 1000 || progress[0] != "1 of 1000 URLs asked" || progress[999] != "1000 of 1000 URLs asked" {
			t.Errorf("progress was shown %d times, %q to %q", len(progress), progress[0], progress[len(progress)-1])
		}
		if asked := node.asked.Load(); asked != 2000 {
			t.Errorf("%d requests were made", asked)
		}
	})
}

// A listing is a bucket that holds everything.
type listing struct{}

func (listing) head(context.Context, string, string) (edge.Answer, error) {
	return edge.Answer{Status: http.StatusOK, Header: http.Header{"X-Oss-Hash-Crc64ecma": {"1"}}}, nil
}

// Pipes are a server in this process, for virtual time.
type pipes struct {
	server            *http.Server
	accepted          chan net.Conn
	open, most, asked atomic.Int64
}

func newPipes(h http.Handler) *pipes {
	p := &pipes{accepted: make(chan net.Conn)}
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		h.ServeHTTP(w, r)
	})}
	go p.server.Serve(p)
	return p
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.accepted <- there:
		for now := p.open.Add(1); ; {
			most := p.most.Load()
			if now <= most || p.most.CompareAndSwap(most, now) {
				return &counted{Conn: here, open: &p.open}, nil
			}
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A counted connection is counted until the client closes it.
type counted struct {
	net.Conn
	open   *atomic.Int64
	closed sync.Once
}

func (c *counted) Close() error {
	c.closed.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

func (p *pipes) Accept() (net.Conn, error) {
	c, ok := <-p.accepted
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *pipes) Close() error {
	close(p.accepted)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// What only the tool uses is not linked into the deployed functions.
func TestFunctionsDoNotLinkTheTool(t *testing.T) {
	linked := func(pkg string) []string {
		return slices.DeleteFunc(deps(t, pkg), func(name string) bool {
			return name != "oss-cdn-refresh/handler/edge" && name != "oss-cdn-refresh/handler/probe" && !strings.HasPrefix(name, "github.com/aliyun/alibabacloud-oss-go-sdk-v2/")
		})
	}
	if len(linked("ossrefresh")) < 3 {
		t.Fatal("the tool itself does not link them: the test looks for other names")
	}
	for _, function := range []string{"fc", "lambda"} {
		if found := linked(function); len(found) > 0 {
			t.Errorf("%s links %s", function, found)
		}
	}
}
