package aliyuntest

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed operations.txt
var operationsText string

// realOperations are the names of the operations of the real APIs, by version.
var realOperations = sync.OnceValue(func() map[string]map[string]bool {
	byVersion := map[string]map[string]bool{}
	var current map[string]bool
	for line := range strings.Lines(operationsText) {
		name := strings.TrimSpace(line)
		version, isVersion := strings.CutPrefix(name, "version ")
		switch {
		case strings.HasPrefix(name, "#"):
		case isVersion:
			current = map[string]bool{}
			byVersion[version] = current
		default:
			current[name] = true
		}
	}
	return byVersion
})

// notHere refuses an operation that the real API has and this server has not.
// No answer of the real API is like it.
func notHere(q request) *refusal {
	here := "none"
	if names := slices.Sorted(maps.Keys(products[q.version].actions)); len(names) > 0 {
		here = strings.Join(names, ", ")
	}
	return &refusal{501, "NotEmulated", fmt.Sprintf(
		"%s is an operation of the real API, but this emulator does not have it. It has of version %s: %s.",
		q.Action, q.version, here)}
}
