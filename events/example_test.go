package events_test

import (
	"fmt"
	"log"

	"oss-cdn-refresh/events"
)

func ExampleDecode() {
	payload := []byte(`{"events":[
		{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss",
		 "oss":{"bucket":{"name":"my-site"},"object":{"key":"www/docs/index.html"}}},
		{"eventName":"ObjectCreated:UploadPart","eventSource":"acs:oss",
		 "oss":{"bucket":{"name":"my-site"},"object":{"key":"www/tour.mp4"}}},
		{"eventName":"ObjectRemoved:DeleteObject","eventSource":"acs:oss",
		 "oss":{"bucket":{"name":"my-site"},"object":{}}}]}`)
	batch, err := events.Decode(payload)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range batch.Changes {
		fmt.Println(c.Kind, c.Bucket, c.Key)
	}
	for _, i := range batch.Ignored {
		fmt.Println("ignored:", i.Name, i.Key)
	}
	for _, i := range batch.Invalid {
		fmt.Printf("record %v: %v\n", i.Origin, i.Err)
	}
	// Output:
	// created my-site www/docs/index.html
	// ignored: ObjectCreated:UploadPart www/tour.mp4
	// record 2: oss.object has no member key
}
