package handler

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	sdk "github.com/aliyun/fc-runtime-go-sdk/events"
	"go.yaml.in/yaml/v3"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/handler/runtimetest"
	"oss-cdn-refresh/mapping"
)

var withBars = flag.Bool("bars", false, "run TestBars, which measures for a minute and prints a table")

// A bar is what was promised of speed or size, and what was measured.
type bar struct {
	what          string
	most, value   float64
	unit          string // of both; "" for a ratio
	function, ref string // the two that were measured; ref is what the function is measured against
}

// TestBars measures the function against the floor, which is the least that a
// function can be, or against itself, by turns. A ratio is the median of those
// of the single turns, which hold when the machine changes its speed; the times
// beside it do not. On a busy machine neither does: look at the load, and run it
// again.
func TestBars(t *testing.T) {
	if !*withBars {
		t.Skip("measures, and a busy machine may fail it: -bars")
	}
	dir := t.TempDir()
	function, floor := build(t, "./cmd/fc", dir), build(t, "./cmd/fc/testdata/floor", dir)
	// First, while there is little that the garbage collector has to mark here.
	pipeline, growth, loading, folding := barsOfPipeline(t), barsOfGrowth(t), barsOfLoading(t), barsOfFolding()
	bars := slices.Concat(
		barsOfStart(t, function, floor),
		pipeline,
		growth,
		folding,
		barsOfCalls(t, function),
		barsOfWaves(t, function),
		barsOfMemory(t, function, floor),
		barsOfSize(t, function, floor),
		barsOfPace(t, function),
		loading,
	)
	fmt.Println("| what | bar | measured | function | against | |\n|---|---|---|---|---|---|")
	for _, b := range bars {
		verdict := "ok"
		if b.value > b.most {
			verdict = "**missed**"
			t.Errorf("%s: %.3g%s, the bar is %g", b.what, b.value, b.unit, b.most)
		}
		fmt.Printf("| %s | ≤ %g%s | %.3g%s | %s | %s | %s |\n", b.what, b.most, b.unit, b.value, b.unit, b.function, b.ref, verdict)
	}
	fmt.Printf("\n%d cores, %s %s/%s, load %s, %s\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, load(), time.Now().Format(time.DateOnly))
}

func build(t *testing.T, pkg, dir string) string {
	t.Helper()
	binary, err := runtimetest.Build(t.Context(), pkg, dir)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// load is the machine's load in the last minute, where Linux tells.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := bytes.Cut(text, []byte(" "))
	return cmp.Or(string(first), "unknown")
}

// barsOfStart are about a process that starts, answers one event and is gone.
func barsOfStart(t *testing.T, function, floor string) []bar {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: unlimited})
	binaries := []string{function, floor}
	var polls, cpu turns
	for range 80 {
		for i, binary := range binaries {
			p := launch(t, binary, api, tableText(1))
			invoke(t, p, payload(1))
			polls[i] = append(polls[i], p.FirstPoll())
			p.Kill()
			cpu[i] = append(cpu[i], p.CPUTime())
		}
	}
	return []bar{
		ratio("start to first poll, with one rule, against the floor", 1.1, polls),
		ratio("CPU of a start and one refresh, against the floor's start and event", 1.35, cpu),
	}
}

// barsOfPipeline are about all that is done with an event but to send requests.
func barsOfPipeline(t *testing.T) []bar {
	const records = 150
	table, payload := table(t, 10), payload(records)
	ours := func() { pipeline(t, table, payload) }
	base := func() {
		var event sdk.OssEvent
		if err := json.Unmarshal(payload, &event); err != nil {
			t.Fatal(err)
		}
	}
	allocs, refAllocs := testing.AllocsPerRun(20, ours)/records, testing.AllocsPerRun(20, base)/records
	return []bar{
		ratio("decode, map, debounce and plan 150 records, against json.Unmarshal into the SDK's OssEvent", 0.75, byTurns(15, work{80, ours, fitted}, work{50, base, 100})),
		amount("allocations of the same, for each record", 4, allocs, refAllocs, ""),
	}
}

// barsOfGrowth are about events and tables that are larger than usual.
func barsOfGrowth(t *testing.T) []bar {
	small, large := table(t, 10), table(t, 10_000)
	run := func(table *mapping.Table, payloads ...[]byte) func() {
		next := 0
		return func() {
			pipeline(t, table, payloads[next%len(payloads)])
			next++
		}
	}
	var parts [][]byte // of the same records: a processor learns what it reads again and again
	for i := range 8 {
		parts = append(parts, part(1000*i, 1000))
	}
	return []bar{
		ratio("1,500 records under 10,000 rules, against 10 rules", 1.2, byTurns(16, work{8, run(large, spread(1500)), fitted}, work{8, run(small, spread(1500)), fitted})),
		ratio("8,000 records, against 1,000", 9, byTurns(40, work{2, run(small, payload(8000)), fitted}, work{16, run(small, parts...), fitted})),
	}
}

// barsOfFolding are about files that directories may take the place of.
func barsOfFolding() []bar {
	const most, files = 10, 10_000
	var targets []refresh.Target
	for i := range files {
		targets = append(targets, refresh.Target{Record: i, Target: mapping.Target{
			Product: mapping.DCDN, Type: mapping.File, Domain: "www.example.com", Event: mapping.Created,
			URL: fmt.Sprintf("https://www.example.com/docs-%d/chapter-%d/page-%d.html", i/300, i/30, i),
		}})
	}
	items := refresh.Debounce(targets)
	fold := func() { refresh.Fold(items, refresh.FoldRules{Cost: 20}) }
	debounce := func() { refresh.Debounce(targets) }
	times := byTurns(15, work{20, fold, fitted}, work{10, debounce, fitted})
	folding := median(times[0])
	return []bar{{
		what: "fold 10,000 URLs, beside their debounce", most: most, value: float64(folding) / float64(time.Millisecond),
		unit: " ms", function: milliseconds(folding), ref: milliseconds(median(times[1])),
	}}
}

// pipeline goes from the payload to the plan.
func pipeline(tb testing.TB, table *mapping.Table, payload []byte) []refresh.Request {
	batch, err := events.Decode(payload)
	if err != nil {
		tb.Fatal(err)
	}
	return refresh.Plan(refresh.Debounce(Map(table, batch.Changes).Targets), limits)
}

// barsOfCalls are about the number of connections and calls.
func barsOfCalls(t *testing.T, function string) []bar {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: unlimited})
	p := launch(t, function, api, tableText(1))
	for range 150 {
		invoke(t, p, payload(1))
	}
	calls, bound, worst := 0, 0, 1.0
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		n, least := submit(t, r)
		calls, bound = calls+n, bound+least
		worst = max(worst, float64(n)/float64(least))
	}
	return []bar{
		amount("connections of 150 warm invocations", 1, float64(api.Connections()), 1, ""),
		{
			what: "calls for any of 2,000 publishes, against the lower bound", most: 1, value: worst,
			function: fmt.Sprintf("%d in all", calls), ref: fmt.Sprint(bound),
		},
	}
}

// An accepting API answers every call with a receipt.
type accepting struct{}

func (accepting) Refresh(context.Context, refresh.Call) (refresh.Receipt, error) {
	return refresh.Receipt{TaskID: "1"}, nil
}

// submit submits a random publish, and returns the calls that it took and the
// fewest that it could have taken: a call holds 100 URLs of each of 10 domains
// (RefreshDcdnObjectCaches, API reference). All URLs must have been accepted.
func submit(t *testing.T, r *rand.Rand) (calls, least int) {
	var targets []refresh.Target
	chunks, most := 0, 0
	for d := range 1 + r.IntN(25) {
		n := 1 + r.IntN(1+r.IntN(400))
		for i := range n {
			domain := fmt.Sprintf("w%d.example.com", d)
			event := []mapping.Event{mapping.Created, mapping.Modified, mapping.Removed}[r.IntN(3)]
			suffix := []string{".png", ".html"}[r.IntN(2)]
			target := mapping.Target{
				Product: mapping.DCDN, Type: mapping.File, Domain: domain, Event: event,
				URL: fmt.Sprintf("https://%s/%d%s", domain, i, suffix),
			}
			targets = append(targets, refresh.Target{Target: target, Record: len(targets)})
		}
		chunks, most = chunks+(n+99)/100, max(most, (n+99)/100)
	}
	r.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	submitter := refresh.Submitter{Limits: limits, CallsPerSecond: map[mapping.Product]int{mapping.DCDN: 1000}}
	result := submitter.Submit(t.Context(), refresh.Job{API: accepting{}, Requests: refresh.Plan(refresh.Debounce(targets), limits)})
	if accepted := len(result.Accepted()); accepted != len(targets) {
		t.Errorf("%d of %d URLs were accepted", accepted, len(targets))
	}
	return result.Calls, max(most, (chunks+9)/10)
}

// barsOfWaves are about how requests go out together.
func barsOfWaves(t *testing.T, function string) []bar {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: unlimited, Latency: 100 * time.Millisecond})
	const text = `
rules:
  - {bucket: my-site, prefix: www/, targets: [{domain: a.example.com}, {domain: b.example.com}, {domain: c.example.com}]}
  - {bucket: one, targets: [{domain: a.example.com}]}
`
	all, one := payload(667), bytes.ReplaceAll(payload(1), []byte(`"my-site"`), []byte(`"one"`))
	var walls turns
	for range 7 { // a process for each, because one may start only 30 calls a second
		p := launch(t, function, api, text)
		invoke(t, p, one) // connects
		walls[1] = append(walls[1], invoke(t, p, one))
		walls[0] = append(walls[0], invoke(t, p, all))
		p.Kill()
	}
	return []bar{ratio("2,001 URLs of one importance over 3 domains at 100 ms a call, against one call", 1.5, walls)}
}

// barsOfMemory are about what a process holds at its peak, which only Linux
// tells.
func barsOfMemory(t *testing.T, function, floor string) []bar {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: unlimited})
	event := payload(128 << 10 / len(payload(1))) // an asynchronous invocation takes 128 kB (Function Compute: limits)
	peak := func(binary string) float64 {
		p := launch(t, binary, api, tableText(10), "GOMAXPROCS=1", fmt.Sprint("GOGC=", fitted)) // the floor too
		for range 50 {
			invoke(t, p, event)
			time.Sleep(40 * time.Millisecond) // each makes two calls, and 30 may start in a second
		}
		return float64(p.PeakMemory()) / 1e6
	}
	measured, least := peak(function), peak(floor)
	if measured == 0 {
		return nil
	}
	return []bar{amount("resident memory at the peak, events of 128 kB", 12, measured, least, " MB")}
}

// barsOfSize are about what is deployed.
func barsOfSize(t *testing.T, function, floor string) []bar {
	return []bar{amount("zipped package", 3.3, zipped(t, function, "../mapping/mapping.yaml"), zipped(t, floor), " MB")}
}

// zipped is the size of an archive of the files, in MB.
func zipped(t *testing.T, files ...string) float64 {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.Create(filepath.Base(file))
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return float64(archive.Len()) / 1e6
}

// barsOfLoading are about a large table.
func barsOfLoading(t *testing.T) []bar {
	text := []byte(tableText(10_000))
	ours := func() {
		if _, err := mapping.Parse("bars", text); err != nil {
			t.Fatal(err)
		}
	}
	library := func() {
		var node yaml.Node
		if err := yaml.Unmarshal(text, &node); err != nil {
			t.Fatal(err)
		}
	}
	return []bar{ratio("loading 10,000 rules, against the YAML library's parse", 1.3, byTurns(10, work{4, ours, 100}, work{4, library, 100}))}
}

// A work is done several times in a row, so that two that are compared take
// about as long, and long enough for each to pay for its garbage.
type work struct {
	times int
	do    func()
	gc    int // the garbage collector's percentage
}

// fitted is the percentage from the first event on, see handler.FitInstance.
const fitted = 50

// turns are the times of the function, and those of what it is measured
// against, taken by turns.
type turns [2][]time.Duration

// byTurns times two works. They have one core, as a small instance does: with
// two, the garbage collector costs nothing or much, as the machine's other
// users leave it room.
func byTurns(rounds int, function, ref work) turns {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	var times turns
	for range rounds {
		for i, w := range [2]work{function, ref} {
			debug.SetGCPercent(w.gc)
			runtime.GC() // nobody sweeps up after the other
			start := time.Now()
			for range w.times {
				w.do()
			}
			times[i] = append(times[i], time.Since(start)/time.Duration(w.times))
		}
	}
	return times
}

func median[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func ratio(what string, most float64, t turns) bar {
	ratios := make([]float64, len(t[0]))
	for i := range ratios {
		ratios[i] = float64(t[0][i]) / float64(t[1][i])
	}
	return bar{what: what, most: most, value: median(ratios), function: milliseconds(median(t[0])), ref: milliseconds(median(t[1]))}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
}

func amount(what string, most, function, ref float64, unit string) bar {
	return bar{what: what, most: most, value: function, unit: unit, function: fmt.Sprintf("%.3g%s", function, unit), ref: fmt.Sprintf("%.3g%s", ref, unit)}
}

var unlimited = aliyuntest.Quota{URLs: 1 << 30}

// launch starts a function, or the floor, with the table and the API.
func launch(t *testing.T, binary string, api *aliyuntest.Server, table string, env ...string) *runtimetest.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "table.yaml")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := runtimetest.StartFunctionCompute(t.Context(), runtimetest.Program{
		Path: binary,
		Env:  append(env, "MAPPING_FILE="+file, "REFRESH_ENDPOINT="+api.URL),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func testCredentials() runtimetest.Credentials {
	c := aliyuntest.TestCredential
	return runtimetest.Credentials{AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret, SecurityToken: c.SecurityToken}
}

func invoke(t *testing.T, p *runtimetest.Process, payload []byte) time.Duration {
	t.Helper()
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{Payload: payload, Credentials: testCredentials()})
	if err != nil {
		t.Fatal(err)
	}
	if result.Err != nil {
		t.Fatal(result.Err.Type, result.Err.Message)
	}
	return result.Duration
}
