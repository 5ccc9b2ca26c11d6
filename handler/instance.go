package handler

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// FitInstance fits the process to an instance that has a fraction of a core
// and handles one event at a time. On one processor, threads do not hand each
// other what there is to do, which pays for a garbage collector that runs at
// 2 MB instead of 4. Whoever sets GOMAXPROCS or GOGC is obeyed.
//
// It is for the first event: it stops the world, for which the first poll need
// not wait.
var FitInstance = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
})
