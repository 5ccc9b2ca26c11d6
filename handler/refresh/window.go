package refresh

import (
	"time"

	"oss-cdn-refresh/mapping"
)

// A window is a ring of the times at which the last calls of a product started.
// It lets at most len(starts) calls start in any one second. The API counts
// calls a second, so that a few may go out at once after a quiet while; a token
// bucket of the same size would let twice as many through then.
type window struct {
	starts []time.Time
	oldest int // its index in starts
}

// slack lengthens the window's second, since a call may be on its way for longer
// than the one after it.
const slack = 50 * time.Millisecond

// reserve returns when the product's next call may start, and counts that call.
// It returns false, and counts nothing, where that is after the latest time.
func (s *Submitter) reserve(product mapping.Product, now, latest time.Time) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[product]
	if w == nil {
		w = &window{starts: make([]time.Time, max(1, s.CallsPerSecond[product]))}
		if s.windows == nil {
			s.windows = map[mapping.Product]*window{}
		}
		s.windows[product] = w
	}
	start := now
	if free := w.starts[w.oldest].Add(time.Second + slack); free.After(start) {
		start = free
	}
	if start.After(latest) {
		return time.Time{}, false
	}
	w.starts[w.oldest] = start
	w.oldest = (w.oldest + 1) % len(w.starts)
	return start, true
}
