package deployment

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A StepError says at which call a plan stopped.
type StepError struct {
	Item Item
	Left []Call // of the item: the one that failed, and those after it
	Err  error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Item.Kind, e.Item.Name, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// Apply makes the plan's calls in their order and stops at the first that is not
// done. It returns how many items are done. The error is a *[StepError]; the
// same plan made anew from what is there then goes on where this one stopped.
func (p Plan) Apply(ctx context.Context, cloud Caller) (done int, err error) {
	for _, i := range p.Items {
		for n, c := range i.Calls {
			if err := settle(ctx, cloud, c); err != nil {
				return done, &StepError{i, i.Calls[n:], err}
			}
		}
		done++
	}
	return done, nil
}

// Verify looks at what there is after a plan was applied, and compares it anew.
// What was made a moment ago may not be known everywhere yet, so that it looks
// again before it says that something is missing.
func Verify(ctx context.Context, cloud Caller, s Settings) (Found, Plan, error) {
	for try := 0; ; try++ {
		found, err := Read(ctx, cloud, s)
		plan := NewPlan(s, found)
		if err != nil || plan.done() || !wait(ctx, try+2) {
			return found, plan, err
		}
	}
}

// settle makes a call until it is done. What was made a moment ago may not be
// known everywhere, so that what is not found is asked for again. Where an
// answer was lost, the next one says that the thing exists.
func settle(ctx context.Context, cloud Caller, c Call) error {
	lost := false
	if _, needed := c.Params["ClientToken"]; needed { // one for all tries, and for this time only
		c.Params = maps.Clone(c.Params)
		c.Params["ClientToken"] = rand.Text()
	}
	for try := 0; ; try++ {
		_, err := cloud.Call(ctx, c)
		var e *Error
		if !errors.As(err, &e) {
			return err
		}
		if slices.Contains(c.Done, e.Code) && (lost || notFound(e.Code)) {
			return nil
		}
		lost = lost || e.Status == 0 || e.Status >= 500
		if !(e.Retryable() || notFound(e.Code)) || !wait(ctx, try) {
			return err
		}
	}
}

// ask makes a call that changes nothing, and again where that may help.
func ask(ctx context.Context, cloud Caller, c Call) (Answer, error) {
	for try := 0; ; try++ {
		answer, err := cloud.Call(ctx, c)
		var e *Error
		if !errors.As(err, &e) || !e.Retryable() || !wait(ctx, try) {
			return answer, err
		}
	}
}

// These bound how long a call is tried: some 20 seconds.
const (
	tries    = 7
	longWait = 8 * time.Second
)

var firstWait = 400 * time.Millisecond // less in tests

// wait waits before the next try. It reports whether there is to be one.
func wait(ctx context.Context, try int) bool {
	if try+1 >= tries {
		return false
	}
	timer := time.NewTimer(min(longWait, firstWait<<try))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
