package handler

import (
	"crypto/sha256"
	"sync"
	"time"

	"oss-cdn-refresh/handler/refresh"
)

const (
	memoryTime  = 10 * time.Minute // a platform's first retries come within minutes
	memoryBytes = 4 << 20          // of 128 MB
	entryBytes  = 200              // a URL's entry beside its text
)

// A memory knows what the API accepted in invocations that failed. The
// platform sends their payload again, and only the rest need be submitted.
// Another payload is another event, whose URLs are always refreshed.
type memory struct {
	mu    sync.Mutex
	notes map[digest]note
	bytes int
}

type digest = [sha256.Size]byte

type note struct {
	time     time.Time
	accepted map[refresh.Key]refresh.Acceptance
	bytes    int
}

// of returns the memory of one payload.
func (m *memory) of(payload []byte) memo { return memo{m, payload} }

// A memo is what the memory has of one payload. Payloads are hashed only where
// there is something to find or to note.
type memo struct {
	memory  *memory
	payload []byte
}

// recall returns what was accepted of the payload in an earlier invocation.
func (n memo) recall() map[refresh.Key]refresh.Acceptance {
	m := n.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	if len(m.notes) == 0 {
		return nil
	}
	return m.notes[sha256.Sum256(n.payload)].accepted
}

// keep notes what was accepted of the payload if its invocation failed, and
// forgets it if it did not.
func (n memo) keep(result refresh.Result, failed bool) {
	m := n.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.notes) == 0 && !failed {
		return
	}
	d := sha256.Sum256(n.payload)
	m.forget(d)
	if failed {
		m.note(d, result.Accepted())
	}
}

func (m *memory) note(d digest, accepted map[refresh.Key]refresh.Acceptance) {
	n := note{time: time.Now(), accepted: accepted}
	for key := range accepted {
		n.bytes += len(key.URL) + entryBytes
	}
	if n.bytes == 0 || n.bytes > memoryBytes {
		return
	}
	for m.bytes+n.bytes > memoryBytes {
		m.forget(m.oldest())
	}
	if m.notes == nil {
		m.notes = map[digest]note{}
	}
	m.notes[d] = n
	m.bytes += n.bytes
}

func (m *memory) forget(d digest) {
	m.bytes -= m.notes[d].bytes
	delete(m.notes, d)
}

func (m *memory) expire() {
	for d, n := range m.notes {
		if time.Since(n.time) > memoryTime {
			m.forget(d)
		}
	}
}

func (m *memory) oldest() (oldest digest) {
	first := time.Time{}
	for d, n := range m.notes {
		if first.IsZero() || n.time.Before(first) {
			oldest, first = d, n.time
		}
	}
	return oldest
}
