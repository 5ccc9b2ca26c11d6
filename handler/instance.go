package handler

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// FitInstance fits the process to an instance that has a fraction of a core and
// handles one event at a time. With GOMAXPROCS=1 no thread steals work from
// another; the CPU time that this saves pays for a garbage collector that starts
// at 2 MB instead of 4. The environment's GOMAXPROCS and GOGC win.
//
// It is called at the first event rather than at start-up, because changing
// GOMAXPROCS stops the world, and the first poll need not wait for that. Later
// calls do nothing.
func FitInstance() { fitInstance() }

var fitInstance = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
})
