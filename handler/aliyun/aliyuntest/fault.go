package aliyuntest

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// Fault says what goes wrong with one call. The zero value: nothing.
//
// A call whose answer is replaced, or that is dropped or left hanging, is not
// performed unless Accept, DropAfter or HangAfter says so. A call that is
// performed may still be refused for its own reasons.
type Fault struct {
	// An error of the API. Status is 400 by default. Code and Message are those
	// of Status by default (503: ServiceUnavailable).
	Status        int
	Code, Message string
	OddCode       any // a JSON value for Code that is not a string, such as 42

	// A body in place of the API's JSON, with Status or 200. ContentType is that
	// of JSON by default.
	Body, ContentType string
	Empty             bool   // no body at all
	Redirect          string // the Location; with Status or 307

	Accept bool // perform the call although its answer is replaced

	DropBefore, DropAfter bool // cut the connection, before or after performing the call
	Hang, HangAfter       bool // do not answer, before or after performing the call

	SlowBody    time.Duration // from the first half of the body to the second
	Repeat      time.Duration // until the answer is sent once more, as by a broken proxy; 0: never
	NoIDs       bool          // leave out the task id
	NoRequestID bool          // leave out the RequestId
}

// apply performs the call unless the Fault prevents it, and returns the answer
// with what is wrong with it.
func (f Fault) apply(q request, perform func() answer) answer {
	before := f.DropBefore || f.Hang
	after := f.DropAfter || f.HangAfter
	var a answer
	if !before && (after || f.Accept || !f.replaces()) {
		a = perform()
	}
	if before || after {
		return answer{drop: f.DropBefore || f.DropAfter, hang: f.Hang || f.HangAfter}
	}
	if f.replaces() {
		a = f.answer(q)
	}
	if f.NoIDs {
		for _, name := range [...]string{"RefreshTaskId", "PreloadTaskId", "PushTaskId", "TaskId"} {
			delete(a.fields, name)
		}
	}
	if f.NoRequestID {
		delete(a.fields, "RequestId")
	}
	a.slow, a.repeat = f.SlowBody, f.Repeat
	return a
}

// replaces reports whether the Fault has an answer of its own.
func (f Fault) replaces() bool {
	return f.Status != 0 || f.Code != "" || f.OddCode != nil ||
		f.Body != "" || f.Empty || f.Redirect != ""
}

func (f Fault) answer(q request) answer {
	a := answer{contentType: cmp.Or(f.ContentType, contentJSON), body: f.Body, location: f.Redirect}
	switch {
	case f.Redirect != "":
		a.status = cmp.Or(f.Status, http.StatusTemporaryRedirect)
	case f.Empty, f.Body != "":
		a.status = cmp.Or(f.Status, http.StatusOK)
	default:
		return f.apiError(q)
	}
	return a
}

func (f Fault) apiError(q request) answer {
	status := cmp.Or(f.Status, http.StatusBadRequest)
	code := cmp.Or(f.Code, strings.ReplaceAll(http.StatusText(status), " ", ""))
	a := refusal{status, code, cmp.Or(f.Message, http.StatusText(status))}.answer(q)
	if f.OddCode != nil {
		a.code, a.fields["Code"] = "", f.OddCode
	}
	return a
}
