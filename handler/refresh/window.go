package refresh

import (
	"time"

	"oss-cdn-refresh/mapping"
)

// A window is a ring of the times at which the last calls of a product started.
// It lets at most len(starts) calls start in any one period. The API counts
// calls a second, so that a few may go out at once after a quiet while; a token
// bucket of the same size would let twice as many through then.
type window struct {
	starts []time.Time
	oldest int // its index in starts
	period time.Duration
}

// newWindow gives one of so many instances its share of the account's calls a
// second: whole calls a second, or one in several seconds.
func newWindow(callsPerSecond, instances int) *window {
	calls, share := max(1, callsPerSecond), max(1, instances)
	seconds := max(1, (share+calls-1)/calls)
	return &window{
		starts: make([]time.Time, max(1, calls/share)),
		period: time.Duration(seconds)*time.Second + slack,
	}
}

// slack lengthens the window's period, since a call may be on its way for longer
// than the one after it.
const slack = 50 * time.Millisecond

// start counts a call of the product if it may start now. Otherwise it returns
// when to ask again.
func (s *Submitter) start(product mapping.Product, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[product]
	if w == nil {
		w = newWindow(s.CallsPerSecond[product], s.Instances)
		if s.windows == nil {
			s.windows = map[mapping.Product]*window{}
		}
		s.windows[product] = w
	}
	if free := w.starts[w.oldest].Add(w.period); free.After(now) {
		return free
	}
	w.starts[w.oldest] = now
	w.oldest = (w.oldest + 1) % len(w.starts)
	return now
}
