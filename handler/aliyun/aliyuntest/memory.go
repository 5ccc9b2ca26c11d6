package aliyuntest

import (
	"context"
	"net"
	"sync"
)

// memory is a listener whose connections are pipes inside this process. Unlike
// a socket, a pipe that waits lets the time of a testing/synctest bubble pass.
type memory struct {
	dialed chan net.Conn
	closed chan struct{}
	close  func()
}

func newMemory() *memory {
	closed := make(chan struct{})
	return &memory{
		dialed: make(chan net.Conn),
		closed: closed,
		close:  sync.OnceFunc(func() { close(closed) }),
	}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.dialed:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.close()
	return nil
}

func (m *memory) Addr() net.Addr { return memoryAddr{} }

// dial connects to the listener. Its errors are those of a TCP dialer: a closed
// listener refuses the connection.
func (m *memory) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	var err error
	select {
	case m.dialed <- server:
		return client, nil
	case <-m.closed:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, &net.OpError{Op: "dial", Net: "memory", Addr: memoryAddr{}, Err: err}
}

// A memoryAddr stands for an address of loopback, so that no proxy is asked.
type memoryAddr struct{}

func (memoryAddr) Network() string { return "memory" }
func (memoryAddr) String() string  { return "127.0.0.1:0" }
