package events

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestKinds(t *testing.T) {
	for kind, names := range map[Kind]string{
		Created: `ObjectCreated:PutObject ObjectCreated:PostObject ObjectCreated:CopyObject ObjectCreated:AppendObject
			ObjectCreated:PutSymlink ObjectCreated:CompleteMultipartUpload ObjectCreated:SomethingNew ObjectReplication:ObjectCreated
			ObjectReplication:SomethingNew PutObject PostObject CopyObject AppendObject PutSymlink CompleteMultipartUpload ObjectCreated
			ObjectCreated:Put ObjectCreated:Post ObjectCreated:Copy`,
		Removed: `ObjectRemoved:DeleteObject ObjectRemoved:DeleteObjects ObjectRemoved:SomethingNew ObjectReplication:ObjectRemoved
			ObjectRemoved:Delete ObjectRemoved:DeleteMarkerCreated LifecycleExpiration:Delete LifecycleExpiration:DeleteMarkerCreated
			DeleteObject DeleteObjects ObjectRemoved`,
		Modified: `ObjectModified:UpdateObjectMeta ObjectReplication:ObjectModified UpdateObjectMeta ObjectModified`,
		"": `ObjectCreated:InitiateMultipartUpload ObjectCreated:UploadPart ObjectCreated:UploadPartCopy ObjectRemoved:AbortMultipartUpload
			ObjectModified:ChangeStorageClass ObjectDownloaded:GetObject ObjectRestore:FinishRestore InitiateMultipartUpload
			UploadPart UploadPartCopy AbortMultipartUpload ChangeStorageClass GetObject FinishRestore SomethingNew PutObject:X
			BucketCreated:PutBucket BucketRemoved:DeleteBucket ActionTrail:ConsoleOperation CloudMonitor:Any TestEvent objectcreated:PutObject`,
	} {
		for name := range strings.FieldsSeq(names) {
			for _, prefix := range []string{"", "oss:", "s3:"} {
				if got := kindOf(prefix + name); got != kind {
					t.Errorf("%s%s is %q, want %q", prefix, name, got, kind)
				}
			}
		}
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
		`{}`:                                    "eventName is missing",
		put(`1`):                                "object.key is not a string: \"1\"",
		put(`{"key":"k"}`):                      `object.key is not a string: "{\"key\":\"k\"}"`,
		put(`null`):                             "object.key is missing",
		put(`""`):                               "object.key is empty",
		put("\"a\xff\""):                        `object.key is not UTF-8: "a\xff"`,
		put(`"a\ud83d"`):                        `object.key is not UTF-8: "a\xed\xa0\xbd"`,
		put(`"k","key":"l"`):                    `member "key" is given twice`,
		put(`"k","k\u0065y":"l"`):               `member "key" is given twice`,
		with(`7`, `{}`):                         `eventName is not a string: "7"`,
		with(name, `{"bucket":{"name":"b"}}`):   "object.key is missing",
		with(name, `{`+object+`}`):              "bucket.name is missing",
		with(name, `{"bucket":"b",`+object+`}`): "bucket.name is missing",
		with(name, `{"bucket":{"name":""},`+object+`}`):           "bucket.name is empty",
		with(name, `{"bucket":{"name":["b"]},`+object+`}`):        `bucket.name is not a string: "[\"b\"]"`,
		with(name, "{\"bucket\":{\"name\":\"\xff\"},"+object+"}"): `bucket.name is not UTF-8: "\xff"`,
		with(name, `[]`):                    "bucket.name is missing",
		with(name+`,"eventName":"x"`, `{}`): `member "eventName" is given twice`,
		with(name, `{},"oss":{}`):           `member "oss" is given twice`,
	} {
		t.Run(record, func(t *testing.T) {
			check(t, `{"events":[`+put(`"0"`)+`,`+record+`,`+put(`"2"`)+`]}`, "0 created b/0", "2 created b/2", "1 invalid: "+want)
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
	check(t, list("PutObject", "DeleteObjects", "UpdateObjectMeta", "UploadPart"), "0 created b/k", "1 removed b/k", "2 modified b/k", "3 ignored")
}

func TestOSSIgnored(t *testing.T) {
	batch := check(t, `{"events":[{"eventName":"ObjectCreated:UploadPart"},`+put(`"k"`)+`]}`, "1 created b/k", "0 ignored")
	if got, want := batch.Ignored[0].Reason, `event "ObjectCreated:UploadPart" does not change what a CDN serves`; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
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
