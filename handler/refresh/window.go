package refresh

import (
	"context"
	"sync"
	"time"
)

// A window lets at most len(starts) calls start in any one second: the API
// counts calls a second, so a few may go out at once after a quiet while. It
// takes a second for a little longer than that, since a call may be on its way
// for longer than the one after it.
type window struct {
	mu     sync.Mutex
	starts []time.Time // of the last calls, a ring
	next   int         // the oldest of them
}

const slack = 50 * time.Millisecond

func newWindow(callsPerSecond int) *window {
	return &window{starts: make([]time.Time, max(1, callsPerSecond))}
}

// wait blocks until a call may start. Its turn is lost if the context ends
// before; a turn that leaves no time for a call is not taken.
func (w *window) wait(ctx context.Context) error {
	start, ok := w.reserve(ctx)
	if !ok {
		return context.DeadlineExceeded
	}
	return sleep(ctx, time.Until(start))
}

func (w *window) reserve(ctx context.Context) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	start := time.Now()
	if free := w.starts[w.next].Add(time.Second + slack); free.After(start) {
		start = free
	}
	if deadline, ok := ctx.Deadline(); ok && start.After(deadline.Add(-minAttempt)) {
		return time.Time{}, false
	}
	w.starts[w.next] = start
	w.next = (w.next + 1) % len(w.starts)
	return start, true
}

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
