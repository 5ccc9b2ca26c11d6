package refresh

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage grow to four times the live heap: collecting it is
// otherwise a third of the tests' CPU time. Benchmarks have the usual percentage,
// and the environment's GOGC wins.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("GOGC") == "" && flag.Lookup("test.bench").Value.String() == "" {
		debug.SetGCPercent(400)
	}
	m.Run()
}
