package events

import (
	"fmt"
	"strings"
	"time"
)

// groups are the groups of events that OSS (Event notification: event types), S3
// (Event notification types and destinations) and MinIO (Bucket notifications) have.
// kind returns what became of the object in an action of the group, and "" if
// nothing that a CDN serves has changed. An action that is new in a group of changes
// is taken for a change: a refresh too many is cheap, one too few is not noticed.
var groups = []struct {
	name string
	kind func(action string) Kind
}{
	{"ObjectCreated", createdBy},
	{"ObjectRemoved", removedBy},
	{"ObjectModified", modifiedBy},
	{"ObjectReplication", replicated},
	{"ObjectAcl", always(Modified)}, // of an object that is private now, the CDN may keep a copy
	{"LifecycleExpiration", always(Removed)},
	{"LifecycleDelMarkerExpiration", always(Removed)},
	{"ReducedRedundancyLostObject", always(Removed)},

	{"ObjectDownloaded", always("")},
	{"ObjectRestore", always("")},
	{"BucketCreated", always("")},
	{"BucketRemoved", always("")},
	{"ActionTrail", always("")}, // a change has an event of its own beside these two
	{"CloudMonitor", always("")},
	{"ObjectTagging", always("")},
	{"ObjectAccessed", always("")},
	{"ObjectTransition", always("")},
	{"LifecycleTransition", always("")},
	{"IntelligentTiering", always("")},
	{"Replication", always("")}, // tells how a copy to another bucket went
	{"TestEvent", always("")},
}

func always(kind Kind) func(string) Kind { return func(string) Kind { return kind } }

// kindOf returns what became of the object in an event, "" if nothing that a CDN
// serves has changed, and whether the event is known. Group and action are
// compared without case; some places write "oss:" or "s3:" before them.
func kindOf(name string) (kind Kind, known bool) {
	group, action, grouped := strings.Cut(trimService(name), ":")
	for _, g := range groups {
		if strings.EqualFold(g.name, group) {
			return g.kind(action), true
		}
	}
	if grouped {
		return "", false
	}
	return kindOfAction(group)
}

// isNewGroup reports whether an event is named as those of OSS are, "Group:Action",
// but of a group that is not known. It then is not of a group of changes. A name
// that begins with a small letter is one of another service, as in
// "tos:ObjectCreated:Put".
func isNewGroup(name string) bool {
	group, action, grouped := strings.Cut(trimService(name), ":")
	if !grouped || group == "" || group[0] < 'A' || group[0] > 'Z' || strings.Contains(action, ":") {
		return false
	}
	_, known := kindOf(name)
	return !known
}

func trimService(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "oss:"), "s3:")
}

// kindOfAction is kindOf for an action of OSS without its group, as OSS's table of
// event types lists it.
func kindOfAction(action string) (kind Kind, known bool) {
	switch action {
	case "PutObject", "PostObject", "CopyObject", "AppendObject", "PutSymlink", "CompleteMultipartUpload":
		return Created, true
	case "DeleteObject", "DeleteObjects":
		return Removed, true
	case "UpdateObjectMeta", "PutObjectAcl", "PutObjectACL":
		return Modified, true
	case "InitiateMultipartUpload", "UploadPart", "UploadPartCopy", "AbortMultipartUpload",
		"ChangeStorageClass", "GetObject", "FinishRestore":
		return "", true
	}
	return "", false
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
	if action == "ChangeStorageClass" {
		return ""
	}
	return Modified
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

// readObject reads what the records of OSS, S3 and Amazon EventBridge have alike,
// {"bucket":{"name":…},"object":{"key":…,"size":…,"deltaSize":…}}, from v, which is
// the member called name of the value at the path in.
func (c *Change) readObject(v value, in, name string) error {
	var bucket, object, bucketName, key, size, delta value
	if !v.isObject() {
		return v.notObject(in, name)
	}
	if err := v.fields(field{"bucket", &bucket}, field{"object", &object}); err != nil {
		return err
	}
	if !bucket.isObject() {
		return bucket.notObject(join(in, name), "bucket")
	}
	if !object.isObject() {
		return object.notObject(join(in, name), "object")
	}
	if err := bucket.fields(field{"name", &bucketName}); err != nil {
		return err
	}
	if err := object.fields(field{"key", &key}, field{"size", &size}, field{"deltaSize", &delta}); err != nil {
		return err
	}
	var hasSize, hasDelta bool
	c.Size, hasSize = size.integer()
	c.Delta, hasDelta = delta.integer()
	c.HasDelta = hasSize && hasDelta
	if c.Bucket = bucketName.text(); c.Bucket == "" {
		return bucketName.noText(join(join(in, name), "bucket"), "name")
	}
	if c.Key = key.text(); c.Key == "" {
		return key.noText(join(join(in, name), "object"), "key")
	}
	return nil
}

// readEvent reads what happened, when and where, of the record at the path in. What
// is missing stays as it is, and so does a name of OSS with its group where the
// record's is without one.
func (c *Change) readEvent(in string, name, at, region value) error {
	if !name.missing() || c.Name == "" {
		own, err := name.required(in, "eventName")
		if err != nil {
			return err
		}
		typ, ofOSS := strings.CutPrefix(c.Name, "oss:")
		if strings.Contains(own, ":") || !ofOSS || !strings.Contains(typ, ":") {
			c.Name = own
		}
	}
	var known bool
	if c.Kind, known = kindOf(c.Name); !known && !isNewGroup(c.Name) {
		return fmt.Errorf("event %.80q is not one of OSS or S3, whose names look like %q",
			c.Name, "ObjectCreated:PutObject")
	}
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
