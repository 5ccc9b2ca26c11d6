package events

// A message of a queue is {"requestId":…,"messageId":…,"messageBody":…} (Function
// Compute: Simple Message Queue triggers). A message of a topic has its body in
// "Message". decoder.object decodes both. The types of fc-runtime-go-sdk cannot: a
// topic's PublishTime is a number, and they expect an RFC 3339 time.

// stream decodes a topic's message in the STREAM format, {"body":…,"attrs":…}. It
// needs "attrs" to recognize it: a request of an HTTP trigger has a "body" too, and
// whoever can send one must not be able to ask for refreshes.
func (d *decoder) stream(v value, p place) error {
	var body value
	if err := v.fields(field{"body", &body}); err != nil {
		return err
	}
	return d.content("", "body", body, p)
}
