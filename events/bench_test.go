package events

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	fc "github.com/aliyun/fc-runtime-go-sdk/events"
)

// burst returns a compact OSS notification of n records, taken from the sample.
func burst(tb testing.TB, n int) []byte {
	tb.Helper()
	sample, err := os.ReadFile("oss-burst.json")
	if err != nil {
		tb.Fatal(err)
	}
	var event struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(sample, &event); err != nil {
		tb.Fatal(err)
	}
	for len(event.Events) < n {
		event.Events = append(event.Events, event.Events...)
	}
	event.Events = event.Events[:n]
	payload, err := json.Marshal(event)
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}

// BenchmarkDecode has the decoding alone of fc-runtime-go-sdk beside it.
func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{10, 150, 1500} {
		payload := burst(b, n)
		b.Run(fmt.Sprintf("records=%d/ours", n), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if batch, err := Decode(payload); err != nil || batch.Records() != n {
					b.Fatalf("%d records, error %v", batch.Records(), err)
				}
			}
		})
		b.Run(fmt.Sprintf("records=%d/sdk", n), func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				var event fc.OssEvent
				if err := json.Unmarshal(payload, &event); err != nil || len(event.Events) != n {
					b.Fatalf("%d records, error %v", len(event.Events), err)
				}
			}
		})
	}
}

// TestAllocations keeps the memory of the common cases in bounds.
func TestAllocations(t *testing.T) {
	const records, most = 150, 2
	s3 := `{"Records":[` + strings.Repeat(s3Put(`"www/a.html"`)+`,`, records-1) + s3Put(`"k"`) + `]}`
	for name, payload := range map[string][]byte{"OSS": burst(t, records), "S3": []byte(s3)} {
		got := testing.AllocsPerRun(10, func() {
			if batch, err := Decode(payload); err != nil || batch.Records() != records {
				t.Fatalf("%d records, error %v", batch.Records(), err)
			}
		})
		if got > records*most {
			t.Errorf("%s: %v allocations for %d records, want at most %d for each", name, got, records, most)
		}
	}
}
