package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var errNotObject = errors.New("the record is not an object")

// recordBytes is what a record usually takes at least, to make room for all of a
// list at once.
const recordBytes = 600

// ossRecords decodes the list of an OSS notification, {"events":[…]} (Function
// Compute: OSS triggers).
func (d *decoder) ossRecords(list value, p place) error {
	if !list.isArray() {
		return errors.New(`"events" is not an array`)
	}
	p.listed = true
	d.Changes = slices.Grow(d.Changes, len(list)/recordBytes)
	for _, record := range list.elements {
		if !record.isObject() {
			d.invalid(p, errNotObject)
			continue
		}
		d.add(ossChange(record, "", Change{Origin: d.origin(p)}))
	}
	return nil
}

// ossChange reads one record of OSS, which stands at the path in. c holds what its
// envelope tells.
//
// The region stands beside "oss" in a trigger's payload, and inside it in OSS's
// own documentation of notifications.
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
	// The data of an ActionTrail event names the service that recorded the call.
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
	if c.Kind == "" {
		return c, nil // whether or not it names an object
	}
	return c, err
}

// checkOSSSource refuses a record of another service. One that does not name its
// service is known by its member oss.
func checkOSSSource(source string) error {
	switch source {
	case "", "acs:oss", "acs.oss":
		return nil
	case "aws:s3", "minio:s3":
		return fmt.Errorf(`eventSource is %q in a list of OSS: records of S3 stand in "Records"`, source)
	}
	return foreignSource(source)
}

// foreignSource says what a record of a service that is not read is, and what to
// send instead.
func foreignSource(source string) error {
	is, instead := "a service that is not read", "accepted are notifications of OSS (acs:oss) and S3 (aws:s3)"
	switch {
	case strings.HasSuffix(source, ".amazonaws.com"):
		is, instead = "a record of CloudTrail, which is not read", "send S3's own event notifications"
	case strings.HasSuffix(source, ".aliyuncs.com"):
		is, instead = "a record of ActionTrail, which is not read", "send OSS's own event notifications"
	}
	return fmt.Errorf("eventSource is %.80q, %s: %s", source, is, instead)
}
