package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"oss-cdn-refresh/events"
)

// mostEnvelopes bounds how deep envelopes are opened.
const mostEnvelopes = 8

// opened returns what stands in the envelopes that queues and their tools put around
// a message: a JSON string, an array, {"MessageBody":…} of Simple Message Queue,
// {"Messages":[{"Body":…}]} of the AWS command line. It stops at what done accepts,
// and returns a value that is not an envelope as it is.
func opened(raw json.RawMessage, depth int, done func(json.RawMessage) bool) []json.RawMessage {
	inner := within(raw)
	if len(inner) == 0 || depth == 0 || done(raw) {
		return []json.RawMessage{raw}
	}
	var all []json.RawMessage
	for _, value := range inner {
		all = append(all, opened(value, depth-1, done)...)
	}
	return all
}

// within returns the values in an envelope; nil for what is none.
func within(raw json.RawMessage) []json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return valuesIn([]byte(text))
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil
	}
	for _, name := range []string{
		"MessageBody", "messageBody", "Messages", "messages", "Message", "Body", "body", "data",
	} {
		if inner := within(members[name]); inner != nil {
			return inner
		}
		if member := members[name]; len(member) > 0 && member[0] == '{' {
			return []json.RawMessage{member}
		}
	}
	return nil
}

// valuesIn returns the JSON values of a text, which may be Base64; nil where it is not
// made of these.
func valuesIn(text []byte) []json.RawMessage {
	if values, ok := fromBase64(text); ok {
		return values
	}
	var all []json.RawMessage
	for text = skipBlank(text); len(text) > 0; text = skipBlank(text) {
		values, rest, err := nextLetters(text)
		if err != nil {
			return nil
		}
		all, text = append(all, values...), rest
	}
	return all
}

func isLetter(raw json.RawMessage) bool {
	var parts struct {
		RequestPayload json.RawMessage `json:"requestPayload"`
	}
	return json.Unmarshal(raw, &parts) == nil && parts.RequestPayload != nil
}

func isEvent(raw json.RawMessage) bool {
	_, err := events.Decode(raw)
	return err == nil
}

// errEvent says that a message is not a dead letter, and which command takes it.
var errEvent = errors.New(
	"it is an event, not a dead letter: ossrefresh invoke --live FILE runs it")

// eventOf returns the payload that the function gets for what a file holds: the file
// as it is where that is one event, else what its envelopes hold. Several events are
// made one batch, as EventBridge sends them; their number is returned.
func eventOf(data []byte) (payload []byte, n int) {
	if isEvent(data) {
		return data, 1
	}
	var all []json.RawMessage
	for _, value := range valuesIn(data) {
		all = append(all, opened(value, mostEnvelopes, isEvent)...)
	}
	switch {
	case len(all) == 0:
		return data, 1
	case len(all) == 1 && isEvent(all[0]):
		return all[0], 1
	case !slices.ContainsFunc(all, isEvent):
		return data, 1 // the function says what it is instead
	}
	payload, err := json.Marshal(all)
	if err != nil {
		return data, 1
	}
	return payload, len(all)
}

// manyEvents says what is made of a file of several events.
func manyEvents(file string, n int) string {
	return fmt.Sprintf("%s has %d events, which are run as one batch", shown(file), n)
}
