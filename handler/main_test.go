package handler

import (
	"flag"
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage grow to four times the live heap: collecting it is
// otherwise a third of the tests' CPU time. What measures has the usual
// percentage, and the environment's GOGC wins.
func TestMain(m *testing.M) {
	flag.Parse()
	measures := *withBars || flag.Lookup("test.bench").Value.String() != ""
	if os.Getenv("GOGC") == "" && !measures {
		debug.SetGCPercent(400)
	}
	m.Run()
}
