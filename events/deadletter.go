package events

// deadLetter decodes the payload that a failed invocation had (Function Compute:
// Asynchronous invocation, result callback). One inside another is not opened: a
// function that is its own destination would go round for ever.
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
