package handler

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// accepted is a result of n items, each with a URL of 100 bytes.
func accepted(n int) refresh.Result {
	var result refresh.Result
	for i := range n {
		url := fmt.Sprintf("%-100d", i)
		result.Outcomes = append(result.Outcomes, refresh.Outcome{Item: refresh.Item{Kind: refresh.Kind{Type: mapping.File}, URL: url}})
	}
	return result
}

func (m *memory) memo(payload int) memo { return m.of([]byte(fmt.Sprint(payload))) }

func TestMemoryLastsTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		m.memo(1).keep(accepted(3), true)
		time.Sleep(memoryTime)
		if n := len(m.memo(1).recall()); n != 3 {
			t.Errorf("%d are remembered after ten minutes, want 3", n)
		}
		time.Sleep(time.Second)
		if n := len(m.memo(1).recall()); n != 0 || m.bytes != 0 {
			t.Errorf("%d are remembered after more than ten minutes", n)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		for i := range 100 {
			m.memo(i).keep(accepted(1000), true)
			time.Sleep(time.Second)
		}
		if most := memoryBytes / (1000 * (100 + entryBytes)); m.bytes > memoryBytes || len(m.notes) != most {
			t.Errorf("%d bytes of %d payloads are remembered, want %d payloads", m.bytes, len(m.notes), most)
		}
		if m.memo(99).recall() == nil || m.memo(0).recall() != nil {
			t.Error("the oldest is not what was forgotten")
		}
		huge := accepted(1)
		huge.Outcomes[0].Item.URL = strings.Repeat("x", memoryBytes)
		m.memo(1000).keep(huge, true)
		if m.memo(1000).recall() != nil {
			t.Error("more than the bound is remembered")
		}
	})
}

func TestMemoryForgetsWhatSucceeded(t *testing.T) {
	var m memory
	m.memo(1).keep(accepted(3), true)
	m.memo(1).keep(accepted(4), false)
	if m.memo(1).recall() != nil || m.bytes != 0 {
		t.Error("what succeeded is remembered")
	}
}
