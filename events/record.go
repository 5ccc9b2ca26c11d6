package events

import (
	"fmt"
	"strings"
	"time"
)

// groups has the groups of events of OSS (Event notification: event types), S3 (Event
// notification types and destinations) and MinIO (Bucket notifications). kind returns
// what an action of the group did to the object, or "" if it changed nothing that a
// CDN serves. An unknown action in a group of changes counts as a change: a refresh
// too many is cheap, but nobody notices one too few.
var groups = []struct {
	name string
	kind func(action string) Kind
}{
	{"ObjectCreated", createdBy},
	{"ObjectRemoved", removedBy},
	{"ObjectModified", modifiedBy},
	{"ObjectReplication", replicated},
	{"ObjectAcl", always(Modified)}, // the CDN would go on serving an object that was made private
	{"LifecycleExpiration", always(Removed)},
	{"LifecycleDelMarkerExpiration", always(Removed)},
	{"ReducedRedundancyLostObject", always(Removed)},

	{"ObjectDownloaded", always("")},
	{"ObjectRestore", always("")},
	{"BucketCreated", always("")},
	{"BucketRemoved", always("")},
	{"ActionTrail", always("")},  // for a change, OSS sends an ObjectCreated or
	{"CloudMonitor", always("")}, // ObjectRemoved beside these two
	{"ObjectTagging", always("")},
	{"ObjectAccessed", always("")},
	{"ObjectTransition", always("")},
	{"LifecycleTransition", always("")},
	{"IntelligentTiering", always("")},
	{"Replication", always("")}, // how copying to another bucket went
	{"TestEvent", always("")},
}

func always(kind Kind) func(string) Kind { return func(string) Kind { return kind } }

// kindOf returns what an event did to its object, or "" if it changed nothing that a
// CDN serves, and reports whether the event is known. Case does not matter in the
// name of a group. Some services put "oss:" or "s3:" before the name.
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

// isNewGroup reports whether an event has a name like those of OSS, "Group:Action",
// with a group that is not known. A name that begins with a lower-case letter is not
// like those: it begins with the name of another service, "tos:ObjectCreated:Put".
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

// kindOfAction does the same as kindOf for an action of OSS without its group, which
// is how OSS's table of event types lists them.
func kindOfAction(action string) (kind Kind, known bool) {
	switch action {
	case "PutObject", "PostObject", "CopyObject", "AppendObject", "PutSymlink",
		"CompleteMultipartUpload":
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

// readObject reads the part that the records of OSS, S3 and Amazon EventBridge have in
// common, {"bucket":{"name":…},"object":{"key":…,"size":…,"deltaSize":…}}. v is that
// part, the member called name of the object at the path in.
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
	err := object.fields(
		field{"key", &key}, field{"size", &size}, field{"deltaSize", &delta})
	if err != nil {
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

// readEvent reads the name, time and region of the event, whose record is at the path
// in. c keeps what it has where they are missing. It also keeps a name of OSS with a
// group where the record's own name has none.
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

// time returns the time that v stands for, or zero. An unusual format is not an error:
// the time is for people to read, and nothing depends on it.
func (v value) time() time.Time {
	t, err := time.Parse(time.RFC3339, v.text())
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
