package events

// deadLetter decodes the payload of an invocation that failed (Function Compute:
// Asynchronous invocation, result callback). A dead letter inside another one is not
// decoded: a function that is its own destination would never come to an end.
func (d *decoder) deadLetter(payload value, p place) error {
	if !p.deadLetter {
		p.deadLetter = true
		return d.content("", "requestPayload", payload, p)
	}
	o := d.origin(p)
	d.Loops = append(d.Loops, o)
	d.Ignored = append(d.Ignored, Ignored{
		Origin: o,
		Reason: "a dead letter inside a dead letter: the function must not be its own destination",
	})
	return nil
}
