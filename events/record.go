package events

import (
	"strings"
	"time"
)

// kindOf returns what became of the object in an event, and "" if nothing that a
// CDN serves has changed. The names are those of OSS (Event notification: event
// types) and S3 (Event notification types and destinations), which begin with
// "oss:" or "s3:" in some places. A name that is new in a group of changes is
// taken for a change: a refresh too many is cheap, one too few is not noticed.
func kindOf(name string) Kind {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "oss:"), "s3:")
	group, action, _ := strings.Cut(name, ":")
	switch group {
	case "ObjectCreated":
		return createdBy(action)
	case "ObjectRemoved":
		return removedBy(action)
	case "ObjectModified":
		return modifiedBy(action)
	case "ObjectReplication":
		return replicated(action)
	case "LifecycleExpiration":
		return Removed
	}
	return kindOfAction(name)
}

// kindOfAction is kindOf for an action of OSS without its group, as OSS's table of
// event types lists it. Of the multipart uploads only the completion counts.
func kindOfAction(action string) Kind {
	switch action {
	case "PutObject", "PostObject", "CopyObject", "AppendObject", "PutSymlink", "CompleteMultipartUpload":
		return Created
	case "DeleteObject", "DeleteObjects":
		return Removed
	case "UpdateObjectMeta":
		return Modified
	}
	return ""
}

func createdBy(action string) Kind {
	switch action {
	case "InitiateMultipartUpload", "UploadPart", "UploadPartCopy":
		return "" // CompleteMultipartUpload is what counts
	}
	return Created
}

func removedBy(action string) Kind {
	if action == "AbortMultipartUpload" {
		return ""
	}
	return Removed
}

func modifiedBy(action string) Kind {
	switch action {
	case "UpdateObjectMeta", "":
		return Modified
	}
	return ""
}

func replicated(action string) Kind {
	switch action {
	case "ObjectModified":
		return Modified
	case "ObjectRemoved":
		return Removed
	}
	return Created
}

// readObject reads what the records of OSS, S3 and Amazon EventBridge have alike:
// {"bucket":{"name":…},"object":{"key":…,"size":…,"deltaSize":…}}.
func (c *Change) readObject(v value) error {
	var bucket, object, name, key, size, delta value
	if err := v.fields(field{"bucket", &bucket}, field{"object", &object}); err != nil {
		return err
	}
	if err := bucket.fields(field{"name", &name}); err != nil {
		return err
	}
	if err := object.fields(field{"key", &key}, field{"size", &size}, field{"deltaSize", &delta}); err != nil {
		return err
	}
	var hasSize, hasDelta bool
	c.Size, hasSize = size.integer()
	c.Delta, hasDelta = delta.integer()
	c.HasDelta = hasSize && hasDelta
	var err error
	if c.Bucket, err = name.required("bucket.name"); err != nil {
		return err
	}
	c.Key, err = key.required("object.key")
	return err
}

// readEvent reads what happened, when and where. What is missing stays as it is,
// and so does a name of OSS with its group where the record's is without one.
func (c *Change) readEvent(name, at, region value) error {
	if !name.missing() || c.Name == "" {
		own, err := name.required("eventName")
		if err != nil {
			return err
		}
		typ, ofOSS := strings.CutPrefix(c.Name, "oss:")
		if strings.Contains(own, ":") || !ofOSS || !strings.Contains(typ, ":") {
			c.Name = own
		}
	}
	c.Kind = kindOf(c.Name)
	if t := at.time(); !t.IsZero() {
		c.Time = t
	}
	if r := region.text(); r != "" {
		c.Region = r
	}
	return nil
}

// time returns the time v stands for. People read it, nothing depends on it, so
// an odd one is no error.
func (v value) time() time.Time {
	t, err := time.Parse(time.RFC3339, v.text())
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
