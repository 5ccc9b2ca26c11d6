package deployment_test

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain lets garbage grow to four times the live heap, as in ./handler.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	m.Run()
}
