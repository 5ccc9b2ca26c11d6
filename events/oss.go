package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var errNotObject = errors.New("the record is not an object")

// recordBytes is about the size of the smallest records that OSS sends. It serves to
// allocate the changes of a list at once.
const recordBytes = 600

// ossRecords decodes the list of an OSS notification, {"events":[…]} (Function
// Compute: OSS triggers).
func (d *decoder) ossRecords(events shape, p place) error {
	if !events.content.isArray() {
		return errors.New(`"events" is not an array`)
	}
	p.listed = true
	d.Changes = slices.Grow(d.Changes, len(events.content)/recordBytes)
	for _, record := range events.list {
		if !record.isObject() {
			d.invalid(p, errNotObject)
			continue
		}
		d.add(ossChange(record, "", Change{Origin: d.origin(p)}))
	}
	return nil
}

// ossChange reads one record of OSS, which is at the path in. c has what is known
// from the envelope.
//
// The region is beside "oss" in a trigger's payload, and inside it in OSS's own
// documentation of notifications.
func ossChange(record value, in string, c Change) (Change, error) {
	var name, source, at, region, oss value
	err := record.fields(
		field{"eventName", &name}, field{"eventSource", &source}, field{"eventTime", &at},
		field{"region", &region}, field{"oss", &oss})
	if err != nil {
		return c, err
	}
	if region.missing() {
		region = ""
		if err := oss.fields(field{"region", &region}); err != nil {
			return c, err
		}
	}
	envelope := c.Name
	if err := c.readEvent(in, name, at, region); err != nil {
		return c, err
	}
	// The eventSource of an ActionTrail record is the host that was called. Its
	// envelope has said already that it comes from OSS and can be ignored.
	if c.Kind != "" || c.Name != envelope {
		if err := checkOSSSource(source.text()); err != nil {
			return c, err
		}
	}
	if record.isObject() {
		err = c.readObject(oss, in, "oss")
	} else {
		err = record.notObject("", in)
	}
	ofOSS := in != "" || source.text() != "" || oss.isObject()
	if c.Kind == "" && (ofOSS || !isNewGroup(c.Name)) {
		return c, nil // ignored, whether or not its object can be read
	}
	return c, err
}

// checkOSSSource returns an error if a record comes from another service than OSS. A
// record without eventSource is recognized by its member oss.
func checkOSSSource(source string) error {
	switch source {
	case "", "acs:oss", "acs.oss":
		return nil
	case "aws:s3", "minio:s3":
		return fmt.Errorf(`eventSource is %q in "events": records of S3 belong in "Records"`, source)
	}
	return foreignSource(source)
}

// foreignSource says that this package does not read the records of a service, and
// what to send instead.
func foreignSource(source string) error {
	switch {
	case strings.HasSuffix(source, ".amazonaws.com"):
		return fmt.Errorf("eventSource is %.80q: records of CloudTrail are not read; "+
			"send the event notifications of S3", source)
	case strings.HasSuffix(source, ".aliyuncs.com"):
		return fmt.Errorf("eventSource is %.80q: records of ActionTrail are not read; "+
			"send the event notifications of OSS", source)
	}
	return fmt.Errorf("eventSource is %.80q: this service is not read; "+
		"send event notifications of OSS (acs:oss) or S3 (aws:s3)", source)
}
