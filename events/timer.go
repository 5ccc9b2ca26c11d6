package events

import (
	"errors"
	"fmt"
)

// sweepPayload is what a timer must be set up to send.
const sweepPayload = "sweep"

// timer decodes the event of a timer, {"triggerTime":…,"triggerName":…,"payload":…}
// (Function Compute: Time triggers). It must be the whole payload, or that of a dead
// letter: whoever can write to a queue must not be able to start a sweep.
func (d *decoder) timer(v value, p place) error {
	whole := p.envelopes == 0 || p.envelopes == 1 && p.deadLetter
	if !whole || p.data || p.Message >= 0 {
		return errors.New("a timer's event must be the whole payload, or that of a dead letter")
	}
	var payload value
	if err := v.fields(field{"payload", &payload}); err != nil {
		return err
	}
	text, err := payload.required("", "payload")
	if err == nil && text != sweepPayload {
		err = fmt.Errorf("payload is %s", payload.excerpt())
	}
	if err != nil {
		return fmt.Errorf("%w; the payload of a timer must be %q", err, sweepPayload)
	}
	d.Sweep = true
	return nil
}
