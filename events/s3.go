package events

import (
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"
)

// awsRecords decodes what AWS Lambda hands over, {"Records":[…]}: records of S3, or
// messages of SQS or SNS. The types of aws-lambda-go/events would add to the
// function's size, and lose a batch for one key that is encoded badly.
func (d *decoder) awsRecords(list value, p place) error {
	if !list.isArray() {
		return errors.New(`"Records" is not an array`)
	}
	messages := d.areMessages(list, p)
	for i, record := range list.elements {
		source, id, err := record.source()
		at := p
		if at.listed = true; messages {
			at = d.message(p, i, id)
		}
		if err == nil {
			err = d.awsRecord(source, record, at)
		}
		if err != nil {
			d.invalid(at, err)
		}
	}
	return nil
}

func (d *decoder) awsRecord(source string, record value, p place) error {
	switch source {
	case "aws:s3":
		d.add(s3Change(record, Change{Origin: d.origin(p)}))
		return nil
	case "aws:sqs":
		return d.sqsMessage(record, p)
	case "aws:sns":
		return d.snsMessage(record, p)
	}
	return fmt.Errorf("eventSource is %q, not aws:s3, aws:sqs or aws:sns", source)
}

// areMessages reports whether any record is a message, which is then the place of
// all of them.
func (d *decoder) areMessages(list value, p place) bool {
	found := false
	for _, record := range list.elements {
		switch source, _, _ := record.source(); source {
		case "aws:sqs":
			found, d.SQS = true, d.SQS || p.envelopes == 0 && !p.data
		case "aws:sns":
			found = true
		}
	}
	return found
}

// source returns the service a record is from, and its id if that is SQS.
func (v value) source() (source, id string, err error) {
	if !v.isObject() {
		return "", "", errNotObject
	}
	var s, i value
	err = v.fields(field{"eventSource", &s}, field{"EventSource", &s}, field{"messageId", &i}) // SNS writes EventSource
	return s.text(), i.text(), err
}

// s3Change reads one record of S3, whose key is form-encoded (Amazon S3: Event
// message structure).
func s3Change(record value, c Change) (Change, error) {
	var name, at, region, s3 value
	err := record.fields(field{"eventName", &name}, field{"eventTime", &at}, field{"awsRegion", &region}, field{"s3", &s3})
	if err != nil {
		return c, err
	}
	if err := c.readEvent(name, at, region); err != nil || c.Kind == "" {
		return c, err
	}
	if err := c.readObject(s3); err != nil {
		return c, err
	}
	key, err := url.QueryUnescape(c.Key)
	switch {
	case err != nil:
		return c, fmt.Errorf("decoding object.key %.1024q: %w", c.Key, err)
	case !utf8.ValidString(key):
		return c, fmt.Errorf("object.key is not UTF-8: %.1024q", key)
	}
	c.Key = key
	return c, nil
}

// amazonEvent decodes an event of S3 through Amazon EventBridge, whose key is raw.
func (d *decoder) amazonEvent(v value, p place) error {
	var name, source, at, region, detail value
	err := v.fields(field{"detail-type", &name}, field{"source", &source}, field{"time", &at}, field{"region", &region}, field{"detail", &detail})
	if err != nil {
		return err
	}
	if source.text() != "aws.s3" {
		return errShape
	}
	c := Change{Origin: d.origin(p), Time: at.time(), Region: region.text()}
	if c.Name, err = name.required("detail-type"); err == nil {
		switch c.Name {
		case "Object Created":
			c.Kind = Created
		case "Object Deleted":
			c.Kind = Removed
		}
	}
	if c.Kind != "" {
		err = c.readObject(detail)
	}
	d.add(c, err)
	return nil
}

// testEvent decodes what S3 sends once, when a notification is set up.
func (d *decoder) testEvent(v value, p place) error {
	var service, event value
	if err := v.fields(field{"Service", &service}, field{"Event", &event}); err != nil {
		return err
	}
	if service.text() != "Amazon S3" || event.text() != "s3:TestEvent" {
		return errShape
	}
	d.add(Change{Name: event.text(), Origin: d.origin(p)}, nil)
	return nil
}
