package handler

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/runtimetest"
)

// The simulation of a burst on the plain path: so many uploads at once, an
// invocation each, on instances as small as those of s.yaml.
const (
	paceUploads = 500
	paceCalls   = 30 // a second, for the account (RefreshDcdnObjectCaches, API reference)
	paceCores   = 0.05
	// paceLatency is what a call takes. It is an assumption: no document says.
	paceLatency = 300 * time.Millisecond
)

// An account counts its calls in each second of the clock, and puts off those
// that are too many.
type account struct {
	second        int64
	calls         int
	busiest, over int
}

func (a *account) fault(aliyuntest.Call) aliyuntest.Fault {
	if now := time.Now().Unix(); now != a.second {
		a.second, a.calls = now, 0
	}
	a.calls++
	a.busiest = max(a.busiest, a.calls)
	if a.calls > paceCalls {
		a.over++
		return aliyuntest.Fault{Status: 400, Code: "Throttling.User"}
	}
	return aliyuntest.Fault{}
}

// instancesOfSYAML is how many instances a deployment has on the plain path.
func instancesOfSYAML(t *testing.T) int {
	text, err := os.ReadFile("../s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct {
			Props struct {
				ConcurrencyConfig struct {
					ReservedConcurrency int `yaml:"reservedConcurrency"`
				} `yaml:"concurrencyConfig"`
			}
		}
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Resources["refresh"].Props.ConcurrencyConfig.ReservedConcurrency
}

// A pace is what came of a burst.
type pace struct {
	wall          time.Duration
	failed        int // invocations
	over, busiest int // calls that were put off, and in the busiest second
	way           string
}

// burst is a simulation: the real binary in so many processes, each with a part of
// a core, which take the uploads one after the other.
func burst(t *testing.T, function string, instances int) pace {
	t.Helper()
	var counted account
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		Quota: unlimited, Latency: paceLatency, Fault: counted.fault,
	})
	uploads := make(chan []byte, paceUploads)
	for i := range paceUploads {
		uploads <- part(i, 1)
	}
	close(uploads)
	var result pace
	var mu sync.Mutex
	var all sync.WaitGroup
	env := []string{fmt.Sprint("INSTANCES=", instances), "GOMAXPROCS=1"}
	start := time.Now()
	for range instances {
		p := launch(t, function, api, tableText(1), env...)
		way, err := p.Share(paceCores)
		if err != nil {
			t.Fatal(err)
		}
		result.way = way
		all.Go(func() {
			for upload := range uploads {
				answer, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: upload, Credentials: testCredentials()})
				if err != nil || answer.Err != nil {
					mu.Lock()
					result.failed++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	result.wall = time.Since(start)
	result.over, result.busiest = counted.over, counted.busiest
	return result
}

// barsOfPace are about bursts on the plain path. They are a simulation.
func barsOfPace(t *testing.T, function string) []bar {
	instances := instancesOfSYAML(t)
	if runtime.GOOS != "linux" {
		return nil // which alone has shares of a core
	}
	best := time.Duration(paceUploads) * time.Second / paceCalls
	got := burst(t, function, instances)
	if got.failed > 0 || got.over > 0 {
		t.Errorf("a burst at once: %+v", got)
	}
	return []bar{{
		what: fmt.Sprintf("simulation: %d uploads, an invocation each, on %d instances of %g of a core at %v a call, against the API's own pace",
			paceUploads, instances, paceCores, paceLatency),
		most: 1.3, value: float64(got.wall) / float64(best),
		function: seconds(got.wall) + " (" + got.way + ")", ref: seconds(best),
	}}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3g s", d.Seconds()) }
