package refresh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// A Class says what a client can do about a refusal.
type Class uint8

const (
	Permanent    Class = iota // give these URLs up
	AgainNow                  // send it again without waiting: a kept connection was gone
	Again                     // send it again after a short while
	AgainLater                // as Again, but after up to half a minute
	Busy                      // as Again; it may be one domain only that cannot take it now
	Pack                      // send it in requests of at most Error.Bytes
	Halve                     // send it in halves; one URL that is refused alone is at fault
	SplitDomains              // send each domain by itself; one that is refused alone is at fault
	Quota                     // the day's quota of the product and type is used up, or nearly
	RefuseType                // give up all of this type of the product
	StopProduct               // give up all of the product
	StopAll                   // as StopProduct: the credentials are at fault
	Unknown                   // nobody knows the code; like SplitDomains, then Halve, within a bound
	Expired                   // the invocation's time is over
)

var classNames = [...]string{
	"permanent", "again now", "again", "again later", "busy", "pack", "halve", "split domains",
	"quota", "refuse type", "stop product", "stop all", "unknown", "expired",
}

// String returns the class in words.
func (c Class) String() string { return classNames[c] }

// again reports whether the same request may well be accepted within this
// invocation.
func (c Class) again() bool { return AgainNow <= c && c <= Busy }

// Retryable reports whether a later invocation may fare better.
func (c Class) Retryable() bool {
	return c.again() || c == Quota || c == StopAll || c == Unknown || c == Expired
}

// Codes of refusals that are not the API's.
const (
	CodeDeadline = "DeadlineExceeded" // the time was over before the API's final answer
	CodeCanceled = "Canceled"         // the context was canceled before it
	CodeUnknown  = "UnknownError"     // a [Refresher] answered with an error that is not an *[Error]
)

// An Error is a call that was not accepted.
type Error struct {
	Op        string // the API's operation
	Code      string
	Message   string
	RequestID string // empty where no answer of the API came
	Class     Class
	Bytes     int   // class Pack: what one request may hold, in bytes of the form-encoded ObjectPath
	Unsent    bool  // no call was made
	Err       error // what lies beneath, if it is not an answer of the API

	// Doubt, unless nil, says that the answer may be an acceptance, and holds
	// what it has of a receipt; fields may be empty. The class is Again. Every
	// acceptance costs quota, so such a call is not repeated without end.
	Doubt *Receipt
}

func (e *Error) Error() string {
	text := cmp.Or(e.Op, "refreshing") + ": " + e.Text()
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request id %s)", e.RequestID)
	}
	return text
}

// Text is the code with its message, without the facts of one call.
func (e *Error) Text() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// timedOut reports whether the call went out and its time was over before an
// answer came.
func (e *Error) timedOut() bool {
	return e != nil && !e.Unsent && errors.Is(e.Err, context.DeadlineExceeded)
}

// answered reports whether the API answered at all, with success or with a
// refusal.
func (e *Error) answered() bool { return e == nil || !e.Unsent && e.Err == nil }
