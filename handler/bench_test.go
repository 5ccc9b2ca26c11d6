package handler

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aliyun/fc-runtime-go-sdk/events"

	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// record is one record of an OSS trigger, as Function Compute sends it.
const record = `{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","eventTime":"2026-05-13T06:45:43.000Z","eventVersion":"1.0","oss":{"bucket":{"arn":"acs:oss:cn-hangzhou:1234567890123456:my-site","name":"my-site","ownerIdentity":"1234567890123456","virtualBucket":""},"object":{"deltaSize":122539,"eTag":"688A7BF4F233DC9C88A80BF985AB7329","key":"%s","objectMeta":{"mimeType":"image/png"},"size":122539},"ossSchemaVersion":"1.0","ruleId":"9adac8e253828f4f7c0466d941fa3db81161e853"},"region":"cn-hangzhou","requestParameters":{"sourceIPAddress":"140.205.1.1"},"responseElements":{"requestId":"58F9FF2D3DF792092E12044C"},"userIdentity":{"principalId":"164901546557"}}`

// payload is an event of n photos.
func payload(n int) []byte { return part(0, n) }

// part is an event of n of the photos that payload has.
func part(first, n int) []byte {
	return event(n, func(i int) string { return fmt.Sprintf("www/assets/img/photo-%d.png", first+i) })
}

// spread is an event of n photos of as many rules of a large table, and of some
// that it lacks.
func spread(n int) []byte {
	return event(n, func(i int) string { return fmt.Sprintf("www/p%d/img/photo.png", i*7%11_000) })
}

func event(n int, key func(i int) string) []byte {
	records := make([]string, n)
	for i := range records {
		records[i] = fmt.Sprintf(record, key(i))
	}
	return []byte(`{"events":[` + strings.Join(records, ",") + `]}`)
}

func tableText(rules int) string {
	var text strings.Builder
	text.WriteString("rules:\n- {bucket: my-site, prefix: www/, targets: [{domain: www.example.com, strip_prefix: www/}]}\n")
	for i := range rules - 1 {
		fmt.Fprintf(&text, "- {bucket: my-site, prefix: www/p%d/, targets: [{domain: www.example.com}]}\n", i)
	}
	return text.String()
}

func table(tb testing.TB, rules int) *mapping.Table {
	tb.Helper()
	t, err := mapping.Parse("bench", []byte(tableText(rules)))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

var limits = refresh.Limits{URLsPerRequest: 1000, URLsPerDomain: 100, DomainsPerRequest: 10, DirectoriesPerRequest: 100, RequestBytes: 262144}

// BenchmarkPipeline goes from payload to plan, at sizes that show its growth.
func BenchmarkPipeline(b *testing.B) {
	for _, rules := range []int{10, 10_000} {
		table := table(b, rules)
		for _, n := range []int{1, 150, 1000, 1500, 8000} {
			payload := payload(n)
			b.Run(fmt.Sprintf("rules=%d/records=%d", rules, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					pipeline(b, table, payload)
				}
			})
		}
	}
}

// BenchmarkFloor decodes the same payloads with the platform's SDK.
func BenchmarkFloor(b *testing.B) {
	for _, n := range []int{1, 150, 1000, 1500, 8000} {
		payload := payload(n)
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var event sdk.OssEvent
				if err := json.Unmarshal(payload, &event); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
