// Package events decodes the payload that a trigger hands to the function and
// returns the object changes in it. See [Decode].
//
// It reads notifications of OSS, S3 and MinIO, whether they arrive by themselves or
// through EventBridge, Simple Message Queue (formerly MNS), SQS, SNS, Amazon
// EventBridge or a dead letter of Function Compute. It recognizes each by its
// content, so nothing has to be configured.
//
// It does not decide which URLs to refresh, does not merge changes of the same
// object, and does no network I/O.
package events

import (
	"fmt"
	"slices"
	"time"
)

// Kind says what happened to an object.
type Kind string

// The kinds of change.
const (
	Created  Kind = "created"  // written, new or over an older one
	Removed  Kind = "removed"  // deleted, or hidden by a delete marker
	Modified Kind = "modified" // its metadata or ACL was replaced, not its content
)

// Origin is the position of a record in its payload, counted from 0. Message is the
// position of its message in a batch, or -1 if there is no batch. Record is the
// position in that message or, without a batch, in the payload; it is -1 for a
// message that is a single record or cannot be read.
type Origin struct {
	Message, Record int
	MessageID       string // of an SQS message; otherwise ""
}

// String returns "3", "message 2, record 1" or "message 2".
func (o Origin) String() string {
	switch {
	case o.Message < 0:
		return fmt.Sprint(o.Record)
	case o.Record < 0:
		return fmt.Sprintf("message %d", o.Message)
	}
	return fmt.Sprintf("message %d, record %d", o.Message, o.Record)
}

// Change is the change of one object.
type Change struct {
	Kind   Kind
	Name   string    // of the event, as it was sent: "ObjectCreated:PutObject"
	Bucket string    // never empty
	Key    string    // never empty; UTF-8, not encoded in any way
	Region string    // "cn-hangzhou", or "" if the event does not say
	Time   time.Time // in UTC, or zero if the event does not say
	Size   int64     // in bytes, or 0 if the event does not say

	// Delta is the size of a new object, or the number of bytes by which an
	// overwritten object grew (Function Compute: OSS triggers).
	Delta    int64
	HasDelta bool // whether the event says both Size and Delta

	Origin Origin
}

// New reports whether the object did not exist before, or was empty. S3 does not
// send what is needed to know, so New is false for its objects.
func (c Change) New() bool {
	return c.Kind == Created && c.HasDelta && c.Delta == c.Size
}

// Ignored is a record that needs no refresh: its event is known to change nothing
// that a CDN serves, or it is a test message, or a dead letter inside another one.
type Ignored struct {
	Origin Origin
	Name   string // of the event, as it was sent; "" for a dead letter
	Bucket string // "" if the event does not say
	Key    string // UTF-8, not encoded in any way; "" if the event does not say
	Reason string // why no refresh is needed

	// Unknown is set if this package does not know the event's group, for example
	// "ObjectLocked" of "ObjectLocked:Put". Such an event is ignored because it is
	// in none of the groups that change objects; it deserves a line in the log.
	Unknown bool
}

// Invalid is a record, or a whole message, that cannot be read.
type Invalid struct {
	Origin Origin
	Err    error
}

// Batch is the content of a payload. Each record of the payload is in exactly one of
// Changes, Ignored and Invalid, which keep the payload's order.
type Batch struct {
	Changes []Change
	Ignored []Ignored
	Invalid []Invalid

	// SQS is set if the payload is a batch of SQS messages. AWS Lambda then expects
	// an answer that lists the ids of the messages that failed.
	SQS bool

	// MessageIDs has the ids of the queue messages (SMQ or SQS) that all records came
	// in, in the payload's order. It is nil if a record came in none that has an id. A
	// queue that delivers messages again repeats their ids.
	MessageIDs []string

	// Sweep is set if the payload is a timer's event that asks to refresh again
	// what the CDN accepted and later failed to refresh. The batch then has no
	// records.
	Sweep bool

	// Loops has the dead letters that stood inside dead letters, which means that
	// the function is its own dead-letter destination. They are in Ignored too.
	Loops []Origin
}

// Records returns the number of records.
func (b Batch) Records() int {
	return len(b.Changes) + len(b.Ignored) + len(b.Invalid)
}

// Decode decodes a payload of any known shape. A record that cannot be read is
// listed in Invalid and does not affect the others. The error, if the payload as a
// whole cannot be read, is a [*PayloadError].
func Decode(payload []byte) (Batch, error) {
	var d decoder
	v, err := open(payload)
	if err == nil {
		v, err = v.unwrap()
	}
	if err == nil {
		err = d.value(v, place{Origin: Origin{Message: -1, Record: -1}})
	}
	if err != nil {
		return Batch{}, &PayloadError{Start: string(payload[:min(len(payload), 200)]), Err: err}
	}
	if !slices.Contains(d.ids, "") {
		d.MessageIDs = d.ids
	}
	return d.Batch, nil
}

// shapeError says that a value has no known shape. Its unwrapped type matters: a
// wrapped one is about the content of an envelope, and the envelope is known.
type shapeError struct {
	what string // a description of the value; "" where the caller quotes it
}

func (e *shapeError) Error() string {
	if e.what == "" {
		return "no known shape"
	}
	return "no known shape: " + e.what
}

// maxEnvelopes is how deep envelopes may nest, without counting CloudEvents. The
// deepest nesting of practical use is a queue message that holds a dead letter, whose
// payload is an EventBridge batch of queue messages that came from a topic.
const maxEnvelopes = 4

// decoder collects the records of one payload.
type decoder struct {
	Batch
	count int      // records so far in the current message, or in a payload without messages
	ids   []string // of the messages so far; "" for one that has none
}

// place is the decoder's position in the payload.
type place struct {
	Origin          // Record is set by decoder.origin
	listed     bool // in a list, where records are numbered
	envelopes  int  // how many envelopes are around it
	data       bool // whether it is the data of a CloudEvent
	deadLetter bool // whether one of the envelopes is a dead letter
}

// content decodes the content of an envelope: the value v of the member called name,
// which the object at the path in has.
func (d *decoder) content(in, name string, v value, p place) error {
	p.data = false
	p.envelopes++
	return d.member(in, name, v, p)
}

// data decodes the data of a CloudEvent. A CloudEvent does not count towards
// maxEnvelopes, unless it is directly inside another CloudEvent.
func (d *decoder) data(v value, p place) error {
	if p.data {
		p.envelopes++
	}
	p.data = true
	return d.member("", "data", v, p)
}

func (d *decoder) member(in, name string, v value, p place) error {
	at := join(in, name)
	switch {
	case v == "":
		return noMember(in, name)
	case v == "null":
		return fmt.Errorf("%s is null", at)
	case p.envelopes > maxEnvelopes:
		return fmt.Errorf("reading %s: more than %d envelopes around it", at, maxEnvelopes)
	}
	opened, err := v.unwrap()
	if err == nil {
		err = d.value(opened, p)
	}
	if err != nil {
		return fmt.Errorf("reading %s %s: %w", at, v.excerpt(), err)
	}
	return nil
}

// value decodes a payload, or the content of an envelope. If it returns an error, it
// has collected nothing.
func (d *decoder) value(v value, p place) error {
	switch {
	case v.isObject():
		return d.object(v, p)
	case v.isArray():
		return d.array(v, p)
	}
	return &shapeError{}
}

// object decodes an object according to the one member that identifies its shape.
func (d *decoder) object(v value, p place) error {
	s, err := v.shape()
	if err != nil {
		return err
	}
	switch s.name {
	case "events":
		return d.ossRecords(s, p)
	case "oss":
		d.add(ossChange(v, "", Change{Origin: d.origin(p)}))
		return nil
	case "specversion":
		return d.cloudEvent(v, p)
	case "messageBody":
		var id value
		if err := v.fields(field{"messageId", &id}); err != nil {
			return err
		}
		d.noteID(id.text(), p)
		return d.content("", s.name, s.content, p)
	case "Message":
		return d.content("", s.name, s.content, p)
	case "attrs":
		return d.stream(v, p)
	case "Records":
		return d.awsRecords(s, p)
	case "detail-type":
		return d.amazonEvent(v, p)
	case "requestPayload":
		return d.deadLetter(s.content, p)
	case "triggerTime":
		return d.timer(v, p)
	}
	return d.testEvent(v, p)
}

// shape is the member that identifies what an object is, or zero if there is none.
type shape struct {
	name    string
	content value
	list    []value // the elements of content, if it is an array
}

// shape returns the member that identifies an object's shape. An object with two such
// members could be read in two ways, and half of it would be lost, so that is an error.
// A member that is null does not count, but is an error if it is the only one.
//
// It splits an array while it looks for its end: nearly all of a payload is in one.
func (v value) shape() (shape, error) {
	if !v.isObject() {
		return shape{}, nil
	}
	var found shape
	null := ""
	for rest := v.next(1); rest[0] != '}'; {
		var member shape
		member.name, rest = rest.cutName()
		member.content, member.list = rest.split()
		rest = rest.next(len(member.content))
		switch member.name {
		case "events", "oss", "specversion", "messageBody", "Message", "attrs", "Records",
			"detail-type", "requestPayload", "triggerTime":
		default:
			continue
		}
		switch {
		case member.content == "null" && member.name != "attrs":
			null = member.name
		case member.name == found.name:
			return shape{}, twice(member.name)
		case found.name != "":
			return shape{}, fmt.Errorf("both %q and %q are given", found.name, member.name)
		default:
			found = member
		}
	}
	if found.name == "" && null != "" {
		return shape{}, fmt.Errorf("%s is null", null)
	}
	return found, nil
}

// message returns the place of message i of a batch. The messages of a batch inside a
// message are records of the outer one, because SQS takes answers about whole messages.
func (d *decoder) message(p place, i int, id string) place {
	if p.Message >= 0 {
		p.listed = true
		return p
	}
	d.count = 0
	d.ids = append(d.ids, id)
	p.Message, p.MessageID = i, id
	return p
}

// noteID notes the id of a queue's message at a place. A message that has one keeps
// it, whatever it holds. Of one that holds a list, none of the list's ids is its own.
func (d *decoder) noteID(id string, p place) {
	switch {
	case p.listed:
	case len(d.ids) == 0:
		d.ids = append(d.ids, id)
	case d.ids[len(d.ids)-1] == "":
		d.ids[len(d.ids)-1] = id
	}
}

// origin returns the position of the next record.
func (d *decoder) origin(p place) Origin {
	if p.Message < 0 || p.listed {
		p.Record = d.count
		d.count++
	}
	return p.Origin
}

// add collects one record, given as much as could be read of it and the error, if
// any. A change without a kind is ignored.
func (d *decoder) add(c Change, err error) {
	switch {
	case err != nil:
		d.Invalid = append(d.Invalid, Invalid{c.Origin, err})
	case c.Kind == "":
		i := Ignored{Origin: c.Origin, Name: c.Name, Bucket: c.Bucket, Key: c.Key}
		i.Reason = fmt.Sprintf("event %q does not change what a CDN serves", c.Name)
		if i.Unknown = isNewGroup(c.Name); i.Unknown {
			i.Reason = fmt.Sprintf("event %q is not in a group that changes objects", c.Name)
		}
		d.Ignored = append(d.Ignored, i)
	default:
		d.Changes = append(d.Changes, c)
	}
}

// invalid collects a record or message that cannot be read.
func (d *decoder) invalid(p place, err error) {
	d.Invalid = append(d.Invalid, Invalid{d.origin(p), err})
}

// PayloadError says that a payload as a whole cannot be read.
type PayloadError struct {
	Start string // the first 200 bytes of the payload
	Err   error  // the reason
}

// Error says why the payload cannot be read, how it begins, and what can be read.
func (e *PayloadError) Error() string {
	return fmt.Sprintf("reading the event: %v; it begins %q. "+
		"It must be a notification of OSS or S3, by itself or through EventBridge, "+
		"Simple Message Queue (MNS), SQS, SNS or Amazon EventBridge, a dead letter with one, "+
		"or the event of a timer with the payload %q", e.Err, e.Start, sweepPayload)
}

// Unwrap returns the reason.
func (e *PayloadError) Unwrap() error { return e.Err }
