package handler

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"oss-cdn-refresh/handler/refresh"
)

const (
	memoryTime = 10 * time.Minute // a platform's first retries come within minutes
	memoryURLs = 20_000           // some 4 MB
)

// A memory knows what the API accepted in invocations that failed. The
// platform sends their payload again, and only the rest need be submitted.
// Another payload is another event, whose URLs are always refreshed.
type memory struct {
	mu    sync.Mutex
	notes map[digest]note
	urls  int
}

type digest = [sha256.Size]byte

type note struct {
	time     time.Time
	accepted map[refresh.Key]refresh.Receipt
}

// recall returns what was accepted of the payload. An empty memory asks for no
// digest.
func (m *memory) recall(of func() digest) map[refresh.Key]refresh.Receipt {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	if len(m.notes) == 0 {
		return nil
	}
	return m.notes[of()].accepted
}

// keep notes what was accepted of a payload of which something failed, and
// forgets one of which nothing did.
func (m *memory) keep(of func() digest, result refresh.Result) {
	failed := slices.ContainsFunc(result.Outcomes, func(o refresh.Outcome) bool { return o.Err != nil })
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.notes) > 0 {
		m.forget(of())
	}
	if failed {
		m.note(of(), note{time.Now(), acceptedOf(result)})
	}
}

func acceptedOf(result refresh.Result) map[refresh.Key]refresh.Receipt {
	accepted := map[refresh.Key]refresh.Receipt{}
	for _, o := range result.Outcomes {
		if o.Err == nil {
			accepted[o.Item.Key()] = o.Receipt
		}
	}
	return accepted
}

func (m *memory) note(d digest, n note) {
	if len(n.accepted) == 0 || len(n.accepted) > memoryURLs {
		return
	}
	for m.urls+len(n.accepted) > memoryURLs {
		m.forget(m.oldest())
	}
	if m.notes == nil {
		m.notes = map[digest]note{}
	}
	m.notes[d] = n
	m.urls += len(n.accepted)
}

func (m *memory) forget(d digest) {
	m.urls -= len(m.notes[d].accepted)
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
