package events

import (
	"errors"
	"slices"
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
		d.add(ossChange(record, Change{Origin: d.origin(p)}))
	}
	return nil
}

// ossChange reads one record of OSS. c holds what its envelope tells.
//
// The region stands beside "oss" in a trigger's payload, and inside it in OSS's
// own documentation of notifications.
func ossChange(record value, c Change) (Change, error) {
	var name, at, region, oss value
	err := record.fields(field{"eventName", &name}, field{"eventTime", &at}, field{"region", &region}, field{"oss", &oss})
	if err != nil {
		return c, err
	}
	if region.missing() {
		region = ""
		if err := oss.fields(field{"region", &region}); err != nil {
			return c, err
		}
	}
	if err := c.readEvent(name, at, region); err != nil || c.Kind == "" {
		return c, err
	}
	return c, c.readObject(oss)
}
