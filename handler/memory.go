package handler

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"oss-cdn-refresh/handler/refresh"
)

const (
	memoryTime  = 10 * time.Minute // a platform's first retries come within minutes
	memoryBytes = 4 << 20          // of 128 MB
	entryBytes  = 200              // a URL's entry, or a message's id, beside its text
)

// A memory knows what the API accepted in invocations that failed. When the
// platform delivers the same event again, only the rest need be submitted.
type memory struct {
	mu    sync.Mutex
	notes []*note
	bytes int
}

// A delivery is an event as the platform hands it over.
type delivery struct {
	payload   []byte
	requestID string
	retry     int      // how often the platform has delivered the event before; 0 if it does not say
	messages  []string // the ids of the queue's messages; nil unless all records came in such
}

// A note is what was accepted of one event.
type note struct {
	first     time.Time // when something was accepted first
	digest    [sha256.Size]byte
	requestID string
	messages  map[string]bool
	accepted  map[refresh.Key]refresh.Acceptance
	bytes     int
}

// is reports whether the delivery is that of the note's event once more: a retry
// with the same payload, the same invocation, or messages of a queue that were all
// in it. A queue delivers a batch again with a new request id, without a count of
// retries and perhaps together with other messages. An equal payload alone proves nothing:
// somebody may send the same event each time the files have changed.
func (n *note) is(d delivery, digest [sha256.Size]byte) bool {
	if n.digest == digest && (d.retry > 0 || d.requestID != "" && d.requestID == n.requestID) {
		return true
	}
	for _, id := range d.messages {
		if !n.messages[id] {
			return false
		}
	}
	return len(d.messages) > 0
}

// recall returns what was accepted of the event in earlier invocations.
func (m *memory) recall(d delivery) map[refresh.Key]refresh.Acceptance {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.findLocked(d); n != nil {
		return maps.Clone(n.accepted)
	}
	return nil
}

// forget forgets an event that is done. A part of its messages may be done while
// the others come again.
func (m *memory) forget(d delivery) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := m.findLocked(d); n != nil && len(d.messages) >= len(n.messages) {
		m.forgetLocked(n)
	}
}

// keep notes what was accepted of an event whose invocation failed.
func (m *memory) keep(d delivery, accepted map[refresh.Key]refresh.Acceptance) {
	m.mu.Lock()
	defer m.mu.Unlock()
	earlier := m.findLocked(d)
	n := &note{
		first: time.Now(), requestID: d.requestID,
		messages: map[string]bool{}, accepted: map[refresh.Key]refresh.Acceptance{},
	}
	maps.Copy(n.accepted, accepted)
	for _, id := range d.messages {
		n.messages[id] = true
	}
	if earlier != nil {
		n.first = earlier.first
		maps.Copy(n.messages, earlier.messages)
		maps.Copy(n.accepted, earlier.accepted)
		m.forgetLocked(earlier)
	}
	if len(n.accepted) == 0 {
		return
	}
	n.digest = sha256.Sum256(d.payload)
	m.addLocked(n)
}

// findLocked returns the note of the delivery's event. If there is none, the delivery
// is an event of its own: what was accepted of earlier events with the same payload
// is forgotten, since a retry could not be told from one of theirs, and the files may
// have changed in between. Payloads are hashed only where there is something to find.
func (m *memory) findLocked(d delivery) *note {
	for len(m.notes) > 0 && time.Since(m.notes[0].first) > memoryTime {
		m.forgetLocked(m.notes[0])
	}
	if len(m.notes) == 0 {
		return nil
	}
	digest := sha256.Sum256(d.payload)
	for _, n := range m.notes {
		if n.is(d, digest) {
			return n
		}
	}
	for _, n := range slices.Clone(m.notes) {
		if n.digest == digest {
			m.forgetLocked(n)
		}
	}
	return nil
}

// addLocked adds a note, in the order of first, and forgets the oldest where the
// memory is full.
func (m *memory) addLocked(n *note) {
	for key := range n.accepted {
		n.bytes += len(key.URL) + entryBytes
	}
	for id := range n.messages {
		n.bytes += len(id) + entryBytes
	}
	if n.bytes > memoryBytes {
		return
	}
	for m.bytes+n.bytes > memoryBytes {
		m.forgetLocked(m.notes[0])
	}
	at := len(m.notes)
	for at > 0 && m.notes[at-1].first.After(n.first) {
		at--
	}
	m.notes = slices.Insert(m.notes, at, n)
	m.bytes += n.bytes
}

func (m *memory) forgetLocked(n *note) {
	i := slices.Index(m.notes, n)
	m.notes = slices.Delete(m.notes, i, i+1)
	m.bytes -= n.bytes
}
