// Package events reads what a trigger hands to the function: a payload in, the
// changes of objects out.
//
//	batch, err := events.Decode(payload)
//	for _, c := range batch.Changes {
//		fmt.Println(c.Kind, c.Bucket, c.Key) // created my-site www/docs/index.html
//	}
//
// It knows notifications of OSS and S3, and what brings them: EventBridge, Simple
// Message Queue (formerly MNS), SQS, SNS, Amazon EventBridge and dead letters of
// Function Compute. It tells them apart by their content.
//
// It does not decide what is to be refreshed, does not merge changes of the same
// object, and fetches nothing.
package events

import (
	"fmt"
	"time"
)

// Kind is what became of an object.
type Kind string

// The kinds of change.
const (
	Created  Kind = "created"  // written, new or over an older one
	Removed  Kind = "removed"  // deleted, or hidden by a delete marker
	Modified Kind = "modified" // its metadata was replaced, not its content
)

// Origin says where a record stood in its payload, counted from 0. Message is the
// place in a batch, Record the place in the message or, if Message is -1, in the
// payload. Record is -1 for a message that is one record, or cannot be read.
type Origin struct {
	Message, Record int
	MessageID       string // of an SQS message, else ""
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

// Change is one object that is not what it was.
type Change struct {
	Kind   Kind
	Name   string    // of the event as sent, for people: "ObjectCreated:PutObject"
	Bucket string    // never empty
	Key    string    // never empty; UTF-8, not encoded in any way
	Region string    // "cn-hangzhou", or "" if not told
	Time   time.Time // in UTC, or zero if not told
	Size   int64     // bytes, or 0 if not told

	// Delta is the size of an object that is new, and how many bytes an object
	// grew that is overwritten (Function Compute: OSS triggers).
	Delta    int64
	HasDelta bool // Size and Delta were both told

	Origin Origin
}

// New reports whether the object did not exist before, or was empty. S3 does not
// tell, so of its objects none is new.
func (c Change) New() bool {
	return c.Kind == Created && c.HasDelta && c.Delta == c.Size
}

// Ignored is a record that needs no refresh. Its event is known to change nothing
// that a CDN serves, or it is a test message or a dead letter inside another.
type Ignored struct {
	Origin Origin
	Name   string // of the event as sent, or "" for a dead letter
	Bucket string // "" if not told
	Key    string // UTF-8, not encoded in any way, or "" if not told
	Reason string // why no refresh is needed

	// Unknown says that the event is of a group of events that this package does
	// not know: it is ignored because it is not of a group that changes objects.
	Unknown bool
}

// Invalid is a record, or a whole message, that cannot be read.
type Invalid struct {
	Origin Origin
	Err    error
}

// Batch is what a payload holds. Each of its records is in exactly one of
// Changes, Ignored and Invalid, all in the payload's order.
type Batch struct {
	Changes []Change
	Ignored []Ignored
	Invalid []Invalid

	// SQS says that the payload is a batch of SQS messages, to be answered with
	// the ids of those that failed.
	SQS bool

	// Sweep says that the payload is the event of a timer that asks for a sweep:
	// what the CDN failed to refresh after it had accepted it is to be refreshed
	// again. There are no records then.
	Sweep bool

	// Loops are dead letters inside dead letters: the function is its own
	// destination. Each is in Ignored too.
	Loops []Origin
}

// Records returns the number of records.
func (b Batch) Records() int {
	return len(b.Changes) + len(b.Ignored) + len(b.Invalid)
}

// Decode reads a payload of any known shape. A record that cannot be read is in
// Invalid and stops no other; the error is a [*PayloadError].
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
	return d.Batch, nil
}

// shapeError says that a value has no known shape. If it is wrapped, it is about the
// content of an envelope, whose own shape is known.
type shapeError struct {
	what string // the value is, or "" if a quotation of it does
}

func (e *shapeError) Error() string {
	if e.what == "" {
		return "no known shape"
	}
	return "no known shape: " + e.what
}

// maxEnvelopes is how deep envelopes may nest, CloudEvents apart. The deepest that
// is useful is a queue message with a dead letter of an EventBridge batch of queue
// messages from a topic.
const maxEnvelopes = 4

// decoder collects the records of one payload.
type decoder struct {
	Batch
	count int // records so far, of the message at hand or of the payload
}

// place is where the decoder stands in the payload.
type place struct {
	Origin          // Record is set by decoder.origin
	listed     bool // in a list: a message's only record has no number
	envelopes  int  // opened around it
	data       bool // of a CloudEvent, straight inside it
	deadLetter bool // is one of them a dead letter?
}

// content decodes what the member called name, of the value at the path in, of an
// envelope holds.
func (d *decoder) content(in, name string, v value, p place) error {
	p.data = false
	p.envelopes++
	return d.inside(in, name, v, p)
}

// data decodes what a CloudEvent holds. The event adds no layer of text to the
// message in it, and so is no envelope, unless it stands straight in another.
func (d *decoder) data(v value, p place) error {
	if p.data {
		p.envelopes++
	}
	p.data = true
	return d.inside("", "data", v, p)
}

func (d *decoder) inside(in, name string, v value, p place) error {
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

// value decodes a payload, or what an envelope holds. If it returns an error, it
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

// describe says what members an object of no known shape has.
func (v value) describe() string {
	if names := v.memberNames(); names != "" {
		return "an object with the members " + names
	}
	return "an object without members"
}

// object decodes an object by the one member that gives its shape away.
func (d *decoder) object(v value, p place) error {
	mark, marked, err := v.mark()
	if err != nil {
		return err
	}
	switch mark {
	case "events":
		return d.ossRecords(marked, p)
	case "oss":
		d.add(ossChange(v, "", Change{Origin: d.origin(p)}))
		return nil
	case "specversion":
		return d.cloudEvent(v, p)
	case "messageBody", "Message":
		return d.content("", mark, marked, p)
	case "attrs":
		return d.stream(v, p)
	case "Records":
		return d.awsRecords(marked, p)
	case "detail-type":
		return d.amazonEvent(v, p)
	case "requestPayload":
		return d.deadLetter(marked, p)
	case "triggerTime":
		return d.timer(v, p)
	}
	return d.testEvent(v, p)
}

// mark finds the member that gives an object's shape away. An object with two
// such members could be read in two ways, and half of it would be lost. One with
// the value null says nothing, but is an error if there is no other.
func (v value) mark() (name string, marked value, err error) {
	null := ""
	for n, member := range v.members {
		switch n {
		case "events", "oss", "specversion", "messageBody", "Message", "attrs", "Records",
			"detail-type", "requestPayload", "triggerTime":
		default:
			continue
		}
		switch {
		case member == "null" && n != "attrs":
			null = n
		case n == name:
			return "", "", twice(n)
		case name != "":
			return "", "", fmt.Errorf("both %q and %q are given", name, n)
		default:
			name, marked = n, member
		}
	}
	if name == "" && null != "" {
		return "", "", fmt.Errorf("%s is null", null)
	}
	return name, marked, nil
}

// message is the place of a batch's message i. In a batch inside a message it is
// one more record of that message: SQS is told of whole messages.
func (d *decoder) message(p place, i int, id string) place {
	if p.Message >= 0 {
		p.listed = true
		return p
	}
	d.count = 0
	p.Message, p.MessageID = i, id
	return p
}

// origin numbers a record.
func (d *decoder) origin(p place) Origin {
	if p.Message < 0 || p.listed {
		p.Record = d.count
		d.count++
	}
	return p.Origin
}

// add collects one record: what could be read of it, and why no more. A change
// without a kind is ignored.
func (d *decoder) add(c Change, err error) {
	switch {
	case err != nil:
		d.Invalid = append(d.Invalid, Invalid{c.Origin, err})
	case c.Kind == "":
		d.Ignored = append(d.Ignored, Ignored{
			Origin: c.Origin, Name: c.Name, Bucket: c.Bucket, Key: c.Key,
			Reason:  fmt.Sprintf("event %q does not change what a CDN serves", c.Name),
			Unknown: isNewGroup(c.Name),
		})
	default:
		d.Changes = append(d.Changes, c)
	}
}

// invalid collects a record or message that cannot be read.
func (d *decoder) invalid(p place, err error) {
	d.Invalid = append(d.Invalid, Invalid{d.origin(p), err})
}

// PayloadError says that nothing in a payload has a known shape.
type PayloadError struct {
	Start string // its first 200 bytes
	Err   error  // what was found instead
}

// Error names the shapes that are known and shows how the payload begins.
func (e *PayloadError) Error() string {
	return fmt.Sprintf("reading the event: %v; it begins %q. Known are notifications of OSS and S3, "+
		"as they are or through EventBridge, Simple Message Queue (MNS), SQS, SNS or Amazon EventBridge, dead letters of these, and a timer with the payload %q", e.Err, e.Start, sweepPayload)
}

// Unwrap returns what was found instead.
func (e *PayloadError) Unwrap() error { return e.Err }
