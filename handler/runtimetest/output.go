package runtimetest

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"slices"
	"sync"
)

// tailLines is the number of lines of output that an error shows: enough for the
// beginning of a panic's stack.
const tailLines = 12

// An output collects what the process prints. The answer to an invocation comes
// over another connection than the lines that were printed before it, and may
// overtake them. So flush writes a mark into the process's own pipe and waits
// until it has come through.
type output struct {
	pipe   *os.File // where the process and flush write
	source *os.File // its other end
	mark   []byte
	tee    io.Writer // may be nil

	flushing sync.Mutex    // held while a mark is under way
	flushed  chan struct{} // receives when the mark has come through

	mu  sync.Mutex
	buf bytes.Buffer
}

func newOutput(tee io.Writer) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	o := &output{
		pipe:    w,
		source:  r,
		mark:    []byte("\x00" + rand.Text()), // short enough to be written whole, PIPE_BUF in pipe(7)
		tee:     tee,
		flushed: make(chan struct{}),
	}
	go o.drain()
	return o, nil
}

// drain reads until close.
func (o *output) drain() {
	chunk := make([]byte, 32<<10)
	var text, rest []byte
	for {
		n, err := o.source.Read(chunk)
		if err != nil {
			return
		}
		var marked bool
		text, rest, marked = cut(append(rest, chunk[:n]...), o.mark)
		o.write(text)
		if marked {
			o.flushed <- struct{}{}
		}
	}
}

// cut removes the mark from b. If there is none, rest is the part at the end of
// b that may be the beginning of a mark.
func cut(b, mark []byte) (text, rest []byte, marked bool) {
	if before, after, found := bytes.Cut(b, mark); found {
		return slices.Concat(before, after), nil, true
	}
	n := min(len(b), len(mark)-1)
	for !bytes.HasSuffix(b, mark[:n]) {
		n--
	}
	return b[:len(b)-n], b[len(b)-n:], false
}

func (o *output) write(text []byte) {
	o.mu.Lock()
	o.buf.Write(text)
	o.mu.Unlock()
	if o.tee != nil {
		_, _ = o.tee.Write(text) // the buffer has it
	}
}

// flush waits until everything that was printed before the call is collected.
func (o *output) flush() {
	o.flushing.Lock()
	defer o.flushing.Unlock()
	if _, err := o.pipe.Write(o.mark); err == nil { // after close there is nothing to wait for
		<-o.flushed
	}
}

// close does not wait for the pipe's end: a process that the function has left
// behind may hold it open.
func (o *output) close() {
	o.flush()
	o.pipe.Close()
	o.source.Close()
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func (o *output) tail() string {
	o.flush()
	text := bytes.TrimRight([]byte(o.String()), "\n")
	lines := bytes.Split(text, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-tailLines):], []byte("\n")))
}
