package events

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKinds(t *testing.T) {
	for kind, names := range map[Kind]string{
		Created: `ObjectCreated:PutObject ObjectCreated:PostObject ObjectCreated:CopyObject
			ObjectCreated:AppendObject ObjectCreated:PutSymlink ObjectCreated:CompleteMultipartUpload
			ObjectCreated:SomethingNew ObjectReplication:ObjectCreated ObjectReplication:SomethingNew
			PutObject PostObject CopyObject AppendObject PutSymlink CompleteMultipartUpload ObjectCreated
			ObjectCreated:Put ObjectCreated:Post ObjectCreated:Copy objectcreated:PutObject OBJECTCREATED:Put
			ObjectCreated:PutTagging ObjectCreated:Put:X`,
		Removed: `ObjectRemoved:DeleteObject ObjectRemoved:DeleteObjects ObjectRemoved:SomethingNew
			ObjectReplication:ObjectRemoved ObjectRemoved:Delete ObjectRemoved:DeleteMarkerCreated
			LifecycleExpiration:Delete LifecycleExpiration:DeleteMarkerCreated DeleteObject DeleteObjects
			ObjectRemoved LifecycleDelMarkerExpiration:Delete ReducedRedundancyLostObject objectRemoved:delete`,
		Modified: `ObjectModified:UpdateObjectMeta ObjectReplication:ObjectModified UpdateObjectMeta ObjectModified
			ObjectAcl:Put ObjectAcl:SomethingNew ObjectAcl ObjectACL:Put ObjectModified:PutObjectAcl
			ObjectModified:SomethingNew PutObjectAcl PutObjectACL`,
		"": `ObjectCreated:InitiateMultipartUpload ObjectCreated:UploadPart ObjectCreated:UploadPartCopy
			ObjectRemoved:AbortMultipartUpload ObjectModified:ChangeStorageClass ObjectDownloaded:GetObject
			ObjectRestore:FinishRestore InitiateMultipartUpload UploadPart UploadPartCopy AbortMultipartUpload
			ChangeStorageClass GetObject FinishRestore BucketCreated:PutBucket BucketRemoved:DeleteBucket
			ActionTrail:ConsoleOperation CloudMonitor:Any TestEvent ObjectRestore:Completed
			ObjectTagging:Put ObjectTagging:Delete LifecycleTransition IntelligentTiering ObjectAccessed:Head
			ObjectTransition:Complete Replication:OperationFailedReplication`,
	} {
		for name := range strings.FieldsSeq(names) {
			for _, prefix := range []string{"", "oss:", "s3:"} {
				if got, known := kindOf(prefix + name); got != kind || !known {
					t.Errorf("%s%s is %q, known %v; want %q, known", prefix, name, got, known, kind)
				}
				if isNewGroup(prefix + name) {
					t.Errorf("the group of %s%s is new", prefix, name)
				}
			}
		}
	}
}

// TestUnknownNames has names that neither OSS nor S3 has: of a group that is new,
// which is ignored, and of what may be another service's change, which is not.
func TestUnknownNames(t *testing.T) {
	for want, names := range map[bool]string{
		true: `ObjectLocked:PutLegalHold VectorCreated:PutVector PutObject:X oss:Table:Commit A:b Z:`,
		false: `SomethingNew tos:ObjectCreated:Put ks3:ObjectCreated:PutObject obs:ObjectCreated:Put
			cos:ObjectCreated:Post OBS:ObjectCreated:Put ObjectLifecycle:Expiration:Current :PutObject
			google.storage.object.finalize Microsoft.Storage.BlobCreated 图:PutObject [:x @:x`,
	} {
		for name := range strings.FieldsSeq(names) {
			if kind, known := kindOf(name); kind != "" || known {
				t.Errorf("%s is %q, known %v; want neither", name, kind, known)
			}
			if got := isNewGroup(name); got != want {
				t.Errorf("the group of %s is new: %v, want %v", name, got, want)
			}
			list := `{"events":[{"eventName":` + quote(name) +
				`,"oss":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`
			if !want {
				check(t, list, `0 invalid: event `+quote(name)+
					` is not one of OSS or S3, whose names look like "ObjectCreated:PutObject"`)
				continue
			}
			check(t, `{"events":[{"eventName":`+quote(name)+`,"tos":{}}]}`, "0 invalid: the record has no member oss")
			check(t, `{"events":[{"eventName":`+quote(name)+`,"eventSource":"acs:oss"}]}`, "0 ignored")
			check(t, `{"specversion":"1.0","source":"acs.oss","type":`+quote(name)+`,"data":null}`, "0 ignored")
			if i := check(t, list, "0 ignored").Ignored[0]; !i.Unknown || i.Name != name {
				t.Errorf("%s: ignored as %+v, want it unknown", name, i)
			}
		}
	}
}

// TestOSSForeignSource has records of other services in the list of OSS.
func TestOSSForeignSource(t *testing.T) {
	const accepted = ": this service is not read; send event notifications of OSS (acs:oss) or S3 (aws:s3)"
	for source, want := range map[string]string{
		`"tos"`:                          `eventSource is "tos"` + accepted,
		`"ks3"`:                          `eventSource is "ks3"` + accepted,
		`"acs:tablestore"`:               `eventSource is "acs:tablestore"` + accepted,
		`"qcs::cos"`:                     `eventSource is "qcs::cos"` + accepted,
		`"aws:s3"`:                       `eventSource is "aws:s3" in "events": records of S3 belong in "Records"`,
		`"minio:s3"`:                     `eventSource is "minio:s3" in "events": records of S3 belong in "Records"`,
		`"s3.amazonaws.com"`:             `eventSource is "s3.amazonaws.com": records of CloudTrail are not read; send the event notifications of S3`,
		`"oss-cn-hangzhou.aliyuncs.com"`: `eventSource is "oss-cn-hangzhou.aliyuncs.com": records of ActionTrail are not read; send the event notifications of OSS`,
	} {
		for _, name := range []string{
			"ObjectCreated:PutObject", "ObjectDownloaded:GetObject",
			"PutObject",
		} {
			check(t, `{"events":[{"eventName":"`+name+`","eventSource":`+source+
				`,"oss":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`, "0 invalid: "+want)
		}
	}
	for _, source := range []string{`"acs:oss"`, `"acs.oss"`, `""`, `null`, `7`} {
		check(t, `{"events":[{"eventName":"PutObject","eventSource":`+source+
			`,"oss":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`, "0 created b/k")
	}
}

// TestOSSRecords has one list of each record alone, between two that are good.
func TestOSSRecords(t *testing.T) {
	with := func(name, oss string) string { return `{"eventName":` + name + `,"oss":` + oss + `}` }
	const (
		name   = `"ObjectCreated:PutObject"`
		object = `"object":{"key":"k"}`
	)
	for record, want := range map[string]string{
		`null`:                                  "the record is not an object",
		`"x"`:                                   "the record is not an object",
		`[]`:                                    "the record is not an object",
		`{}`:                                    "the record has no member eventName",
		put(`1`):                                "oss.object.key is not a string: \"1\"",
		put(`{"key":"k"}`):                      `oss.object.key is not a string: "{\"key\":\"k\"}"`,
		put(`null`):                             "oss.object.key is null",
		put(`""`):                               "oss.object.key is empty",
		put("\"a\xff\""):                        `oss.object.key is not UTF-8: "a\xff"`,
		put(`"a\ud83d"`):                        `oss.object.key is not UTF-8: "a\xed\xa0\xbd"`,
		put(`"k","key":"l"`):                    `member "key" is given twice`,
		put(`"k","k\u0065y":"l"`):               `member "key" is given twice`,
		with(`7`, `{}`):                         `eventName is not a string: "7"`,
		with(name, `{"bucket":{"name":"b"}}`):   "oss has no member object",
		with(name, `{`+object+`}`):              "oss has no member bucket",
		with(name, `{"bucket":"b",`+object+`}`): `oss.bucket is not an object: "b"`,
		with(name, `{"bucket":{"name":""},`+object+`}`):           "oss.bucket.name is empty",
		with(name, `{"bucket":{"name":["b"]},`+object+`}`):        `oss.bucket.name is not a string: "[\"b\"]"`,
		with(name, "{\"bucket\":{\"name\":\"\xff\"},"+object+"}"): `oss.bucket.name is not UTF-8: "\xff"`,
		with(name, `[]`):            `oss is not an object: "[]"`,
		with(name, `null`):          "oss is null",
		`{"eventName":"PutObject"}`: "the record has no member oss",
		`{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},` + object + `}}`: "the record has no member oss",
		`{"events":[` + put(`"k"`) + `]}`:                                               "the record has no member eventName",
		`{"data":` + put(`"k"`) + `}`:                                                   "the record has no member eventName",
		`{"eventName":null}`:                                                            "eventName is null",
		`{"eventName":""}`:                                                              "eventName is empty",
		with(name, `{"bucket":{},`+object+`}`):                                          "oss.bucket has no member name",
		with(name, `{"bucket":null,`+object+`}`):                                        "oss.bucket is null",
		with(name, `{"bucket":{"name":"b"},"object":{}}`):                               "oss.object has no member key",
		with(name, `{"bucket":{"name":"b"},"object":null}`):                             "oss.object is null",
		with(name, `{"bucket":{"name":"b"},"object":"k"}`):                              `oss.object is not an object: "k"`,
		with(name, `{"bucket":{"name":"b"},"key":"k"}`):                                 "oss has no member object",
		with(name+`,"eventName":"x"`, `{}`):                                             `member "eventName" is given twice`,
		with(name, `{},"oss":{}`):                                                       `member "oss" is given twice`,
	} {
		t.Run(record, func(t *testing.T) {
			check(t, `{"events":[`+put(`"0"`)+`,`+record+`,`+put(`"2"`)+`]}`, "0 created b/0",
				"2 created b/2", "1 invalid: "+want)
		})
	}
}

func TestOSSBareActions(t *testing.T) {
	const record = `{"eventName":"%s","oss":{"bucket":{"name":"b"},"object":{"key":"k"}}}`
	list := func(names ...string) string {
		var records []string
		for _, name := range names {
			records = append(records, fmt.Sprintf(record, name))
		}
		return `{"events":[` + strings.Join(records, ",") + `]}`
	}
	check(t, list("PutObject", "DeleteObjects", "UpdateObjectMeta", "UploadPart"), "0 created b/k",
		"1 removed b/k", "2 modified b/k", "3 ignored")
}

func TestOSSIgnored(t *testing.T) {
	batch := check(t, `{"events":[
		{"eventName":"ObjectCreated:UploadPart"},`+put(`"k"`)+`,
		{"eventName":"ObjectDownloaded:GetObject","oss":{"bucket":{"name":"b"},"object":{"key":"图 1.png"}}},
		{"eventName":"ObjectLocked:Put","oss":{"bucket":{"name":"b"},"object":{"key":"\ud83d"}}}]}`,
		"1 created b/k", "0 ignored", "2 ignored", "3 ignored")
	const changes = " does not change what a CDN serves"
	want := []Ignored{
		{
			Origin: Origin{Message: -1, Record: 0}, Name: "ObjectCreated:UploadPart",
			Reason: `event "ObjectCreated:UploadPart"` + changes,
		},
		{
			Origin: Origin{
				Message: -1,
				Record:  2,
			}, Name: "ObjectDownloaded:GetObject", Bucket: "b", Key: "图 1.png",
			Reason: `event "ObjectDownloaded:GetObject"` + changes,
		},
		{
			Origin: Origin{Message: -1, Record: 3}, Name: "ObjectLocked:Put", Bucket: "b",
			Reason: `event "ObjectLocked:Put" is not in a group that changes objects`, Unknown: true,
		},
	}
	if diff := cmp.Diff(want, batch.Ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
}

// TestOSSOdd has fields that are nice to have in types that nobody expects.
func TestOSSOdd(t *testing.T) {
	const record = `{"events":[{"eventName":"ObjectCreated:PutObject","eventTime":%s,"region":%s,"userIdentity":[],"oss":{
		"region":"inside","bucket":{"name":"b","ownerIdentity":{}},"object":{"key":"k","size":%s,"deltaSize":%s,"objectMeta":{"userMeta":[]}}}}]}`
	at := time.Date(2022, 8, 13, 6, 45, 43, 0, time.UTC)
	for _, test := range []struct {
		time, region, size, delta string
		want                      Change
	}{
		{`"2022-08-13T06:45:43.000Z"`, `"r"`, `5`, `-3`, Change{Time: at, Region: "r", Size: 5, Delta: -3, HasDelta: true}},
		{`"2022-08-13T14:45:43+08:00"`, `null`, `5`, `null`, Change{Time: at, Region: "inside", Size: 5}},
		{`1660373143`, `7`, `"5"`, `3`, Change{Delta: 3}},
		{`"yesterday"`, `"\ud83d"`, `99999999999999999999`, `1e3`, Change{}},
		{`null`, `{}`, `null`, `[]`, Change{}},
		{
			`""`, `""`, `9223372036854775807`, `-9223372036854775808`,
			Change{Size: math.MaxInt64, Delta: math.MinInt64, HasDelta: true},
		},
	} {
		payload := fmt.Sprintf(record, test.time, test.region, test.size, test.delta)
		c := check(t, payload, "0 created b/k").Changes[0]
		got := Change{Time: c.Time, Region: c.Region, HasDelta: c.HasDelta, Size: c.Size, Delta: c.Delta}
		if got != test.want {
			t.Errorf("%s\n got %+v\nwant %+v", payload, got, test.want)
		}
	}
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		change Change
		want   bool
	}{
		{Change{Kind: Created, Size: 5, Delta: 5, HasDelta: true}, true},
		{Change{Kind: Created, Size: 5, Delta: 2, HasDelta: true}, false},
		{Change{Kind: Created}, false},
		{Change{Kind: Removed, HasDelta: true}, false},
	} {
		if got := test.change.New(); got != test.want {
			t.Errorf("%+v is new: %v, want %v", test.change, got, test.want)
		}
	}
}
