package events

// A message of a queue is {"requestId":…,"messageId":…,"messageBody":…} (Function
// Compute: Simple Message Queue triggers), one of a topic has its body in
// "Message"; decoder.object opens both. They are not read with the types of
// fc-runtime-go-sdk: a topic's PublishTime is a number, where those want RFC 3339.

// stream decodes a topic's message in the STREAM format, {"body":…,"attrs":…}.
// "body" alone would not do: a request of an HTTP trigger has one too, and whoever
// can send that must not be able to ask for refreshes.
func (d *decoder) stream(v value, p place) error {
	var body value
	if err := v.fields(field{"body", &body}); err != nil {
		return err
	}
	return d.content("", "body", body, p)
}
