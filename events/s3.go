package events

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// awsRecords decodes the payload of AWS Lambda, {"Records":[…]}, which has records of
// S3 or messages of SQS or SNS. The types of aws-lambda-go/events would make the
// function bigger, and one badly encoded key would fail the whole batch.
func (d *decoder) awsRecords(records shape, p place) error {
	if !records.content.isArray() {
		return errors.New(`"Records" is not an array`)
	}
	messages := d.areMessages(records.list, p)
	for i, record := range records.list {
		source, id, err := record.source()
		at := p
		at.listed = true
		if messages {
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
	case "aws:s3", "minio:s3": // MinIO encodes keys as S3 does; Ceph does not
		d.add(s3Change(record, Change{Origin: d.origin(p)}))
		return nil
	case "aws:sqs":
		return d.sqsMessage(record, p)
	case "aws:sns":
		return d.snsMessage(record, p)
	}
	if source == "acs:oss" {
		return errors.New(`eventSource is "acs:oss" in "Records": records of OSS belong in "events"`)
	}
	return foreignSource(source)
}

// areMessages reports whether any record of the list is a message. The positions of
// all of them are then those of messages.
func (d *decoder) areMessages(records []value, p place) bool {
	found := false
	for _, record := range records {
		switch source, _, _ := record.source(); source {
		case "aws:sqs":
			found, d.SQS = true, d.SQS || p.envelopes == 0 && !p.data
		case "aws:sns":
			found = true
		}
	}
	return found
}

// source returns the service that a record comes from, and the id of a message of
// SQS. SNS writes EventSource.
func (v value) source() (source, id string, err error) {
	if !v.isObject() {
		return "", "", errNotObject
	}
	var s, i value
	err = v.fields(
		field{"eventSource", &s}, field{"EventSource", &s}, field{"messageId", &i})
	if err == nil {
		source, err = s.required("", "eventSource")
	}
	if s == "" && v.memberNames() != "" {
		err = fmt.Errorf("%w, only %s", err, v.memberNames())
	}
	return source, i.text(), err
}

// s3Change reads one record of S3, whose key is form-encoded (Amazon S3: Event
// message structure).
func s3Change(record value, c Change) (Change, error) {
	var name, at, region, s3 value
	err := record.fields(
		field{"eventName", &name}, field{"eventTime", &at},
		field{"awsRegion", &region}, field{"s3", &s3})
	if err != nil {
		return c, err
	}
	if err := c.readEvent("", name, at, region); err != nil {
		return c, err
	}
	err = c.readObject(s3, "", "s3")
	if err == nil {
		c.Key, err = decodeKey(c.Key)
	}
	if c.Kind == "" {
		return c, nil // ignored, whether or not its object can be read
	}
	return c, err
}

func decodeKey(encoded string) (string, error) {
	key, err := url.QueryUnescape(encoded)
	switch {
	case err != nil:
		return "", fmt.Errorf("decoding s3.object.key %.1024q: %w", encoded, err)
	case !utf8.ValidString(key):
		return "", fmt.Errorf("s3.object.key is not UTF-8: %.1024q", key)
	}
	return key, nil
}

// amazonEvent decodes an event of S3 through Amazon EventBridge, whose key is raw.
func (d *decoder) amazonEvent(v value, p place) error {
	var name, source, at, region, detail value
	err := v.fields(
		field{"detail-type", &name}, field{"source", &source}, field{"time", &at},
		field{"region", &region}, field{"detail", &detail})
	if err != nil {
		return err
	}
	if source.text() != "aws.s3" {
		return &shapeError{fmt.Sprintf(
			`an event of Amazon EventBridge with %s; only "aws.s3" is read`, source.labeled("source"))}
	}
	c := Change{Origin: d.origin(p), Time: at.time(), Region: region.text()}
	c.Name, err = name.required("", "detail-type")
	if err == nil {
		c.Kind, err = kindOfDetail(c.Name)
	}
	if err == nil {
		if err = c.readObject(detail, "", "detail"); c.Kind == "" {
			err = nil // ignored, whether or not its object can be read
		}
	}
	d.add(c, err)
	return nil
}

// kindOfDetail returns what an event of this detail-type did to its object (Amazon S3:
// Using EventBridge), or "" if it changed nothing that a CDN serves.
func kindOfDetail(name string) (Kind, error) {
	switch name {
	case "Object Deleted":
		return Removed, nil
	case "Object ACL Updated":
		return Modified, nil
	case "Object Restore Initiated", "Object Restore Completed", "Object Restore Expired",
		"Object Tags Added", "Object Tags Deleted",
		"Object Storage Class Changed", "Object Access Tier Changed":
		return "", nil
	}
	if strings.HasPrefix(name, "Object ") { // "Object Created", and types that are new
		return Created, nil
	}
	return "", fmt.Errorf("detail-type is %.80q, which is not read; "+
		"let the bucket itself send events such as %q to Amazon EventBridge",
		name, "Object Created")
}

// testEvent decodes the message that S3 sends once, when a notification is set up.
func (d *decoder) testEvent(v value, p place) error {
	var service, event value
	if err := v.fields(field{"Service", &service}, field{"Event", &event}); err != nil {
		return err
	}
	if service.text() != "Amazon S3" || event.text() != "s3:TestEvent" {
		return &shapeError{v.describe()}
	}
	d.add(Change{Name: event.text(), Origin: d.origin(p)}, nil)
	return nil
}
