package events

import (
	"fmt"
	"strings"
)

// array decodes the payload of EventBridge with a batch window: an array of
// CloudEvents, or of their data alone, as objects or as strings that hold JSON. An
// empty array is an empty batch. An array in which nothing is known is an error.
func (d *decoder) array(v value, p place) error {
	_, elements := v.split()
	before, known := *d, len(elements) == 0
	var first *shapeError
	for i, element := range elements {
		at := d.message(p, i, "")
		err := d.element(element, at)
		if unknown, ok := err.(*shapeError); ok { // a wrapped one is about the content
			if unknown.what == "" {
				unknown.what = element.excerpt()
			}
			if first == nil {
				first = unknown
			}
		} else {
			known = true
		}
		if err != nil {
			d.invalid(at, err)
		}
	}
	if !known {
		*d = before
		return &shapeError{"an array that begins with " + first.what}
	}
	return nil
}

// element decodes one element of a batch, which cannot be an array.
func (d *decoder) element(v value, p place) error {
	opened, err := v.unwrap()
	if err != nil || !opened.isObject() {
		return &shapeError{}
	}
	return d.object(opened, p)
}

// cloudEvent decodes an event of EventBridge, whose data is a record of OSS or
// something that holds one. The event's type, time and region are used where the
// record has none.
//
// The type of fc-runtime-go-sdk cannot decode these events: it takes aliyunpublishtime
// for an RFC 3339 time, which one that ends in "PRC" is not.
func (d *decoder) cloudEvent(v value, p place) error {
	var name, source, at, region, data value
	err := v.fields(
		field{"type", &name}, field{"source", &source}, field{"time", &at},
		field{"aliyunregionid", &region}, field{"data", &data})
	if err != nil {
		return err
	}
	record, err := data.unwrap()
	if err != nil {
		return fmt.Errorf("reading data %s: %w", data.excerpt(), err)
	}
	s, err := record.shape()
	if err != nil {
		return fmt.Errorf("reading data: %w", err)
	}
	ofOSS := source.text() == "acs.oss" ||
		source.missing() && strings.HasPrefix(name.text(), "oss:")
	switch {
	case s.name == "oss", s.name == "" && ofOSS:
		d.add(ossChange(record, "data", Change{
			Name: name.text(), Time: at.time(), Region: region.text(), Origin: d.origin(p),
		}))
		return nil
	case s.name == "" && record.isObject():
		return &shapeError{fmt.Sprintf(
			"a CloudEvent with %s and %s", source.labeled("source"), name.labeled("type"))}
	}
	return d.data(record, p)
}
