package handler

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// maxPending bounds what a log that nobody reads may keep in memory, in bytes.
const maxPending = 16 << 20

var errUnread = errors.New("nobody reads the log: 16 MiB wait to be written")

// An output writes the log beside whoever writes to it, so that a log that
// nobody reads does not keep an invocation from answering in time. It keeps the
// order of what is written, and the first error until the next flush.
type output struct {
	w io.Writer

	mu      sync.Mutex
	pending []byte        // not handed to w so far
	idle    chan struct{} // closed when all is written; nil: it is
	err     error
}

// Write takes a line of JSON, whole. It escapes what could steer a terminal or
// deceive a reader: object keys are chosen by whoever may upload.
func (o *output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending)+len(line) > maxPending {
		o.err = errUnread
		return 0, o.err
	}
	o.pending = appendEscaped(o.pending, line)
	if o.idle == nil {
		o.idle = make(chan struct{})
		go o.drain()
	}
	return len(line), nil
}

// drain writes until nothing is pending.
func (o *output) drain() {
	for {
		batch, done := o.take()
		if done {
			return
		}
		if _, err := o.w.Write(batch); err != nil {
			o.fail(err)
		}
	}
}

// take returns what is pending. If nothing is, the output is idle.
func (o *output) take() (batch []byte, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending) == 0 {
		close(o.idle)
		o.idle = nil
		return nil, true
	}
	batch, o.pending = o.pending, nil
	return batch, false
}

func (o *output) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
}

// flush waits until all is written, at most for nine tenths of the time until
// the context's deadline. It returns the first error since the last flush.
func (o *output) flush(ctx context.Context) error {
	o.mu.Lock()
	idle := o.idle
	o.mu.Unlock()
	if idle != nil {
		var late <-chan time.Time
		if deadline, ok := ctx.Deadline(); ok {
			timer := time.NewTimer(time.Until(deadline) * 9 / 10)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-idle:
		case <-late:
			return errors.New("nobody reads the log")
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	err := o.err
	o.err = nil
	return err
}

// appendEscaped appends JSON, with what is not printable in its strings escaped:
// terminals obey control characters beyond ASCII, and marks of direction make
// names look like others.
func appendEscaped(to, json []byte) []byte {
	for len(json) > 0 {
		n := 0
		for n < len(json) && json[n] < '\x7f' {
			n++
		}
		to, json = append(to, json[:n]...), json[n:]
		if len(json) == 0 {
			break
		}
		r, size := utf8.DecodeRune(json)
		switch {
		case strconv.IsPrint(r):
			to = append(to, json[:size]...)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			to = appendEscape(appendEscape(to, high), low)
		default:
			to = appendEscape(to, r)
		}
		json = json[size:]
	}
	return to
}

// appendEscape appends \u and four hexadecimal digits.
func appendEscape(to []byte, r rune) []byte {
	digits := strconv.FormatInt(int64(r)+0x10000, 16)[1:] // with leading zeros
	return append(append(to, `\u`...), digits...)
}
