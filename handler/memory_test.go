package handler

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

func of(payload int) func() digest {
	return sync.OnceValue(func() digest { return sha256.Sum256([]byte(fmt.Sprint(payload))) })
}

// partly is a result of n accepted items and one that failed.
func partly(n int) refresh.Result {
	result := refresh.Result{Outcomes: []refresh.Outcome{{Item: &refresh.Item{URL: "failed"}, Err: &refresh.Error{}}}}
	for i := range n {
		result.Outcomes = append(result.Outcomes, refresh.Outcome{Item: &refresh.Item{Type: mapping.File, URL: fmt.Sprint(i)}})
	}
	return result
}

func TestMemoryLastsTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		m.keep(of(1), partly(3))
		time.Sleep(memoryTime)
		if n := len(m.recall(of(1))); n != 3 {
			t.Errorf("%d are remembered after ten minutes, want 3", n)
		}
		time.Sleep(time.Second)
		if n := len(m.recall(of(1))); n != 0 || m.urls != 0 {
			t.Errorf("%d are remembered after more than ten minutes", n)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		for i := range 100 {
			m.keep(of(i), partly(1000))
			time.Sleep(time.Second)
		}
		if m.urls > memoryURLs || len(m.notes) != memoryURLs/1000 {
			t.Errorf("%d URLs of %d payloads are remembered", m.urls, len(m.notes))
		}
		if m.recall(of(99)) == nil || m.recall(of(0)) != nil {
			t.Error("the oldest is not what was forgotten")
		}
		m.keep(of(1000), partly(memoryURLs+1))
		if m.recall(of(1000)) != nil {
			t.Error("more than the bound is remembered")
		}
	})
}

func TestMemoryForgetsWhatSucceeded(t *testing.T) {
	var m memory
	m.keep(of(1), partly(3))
	done := partly(3)
	done.Outcomes = done.Outcomes[1:]
	m.keep(of(1), done)
	if m.recall(of(1)) != nil || m.urls != 0 {
		t.Error("what succeeded is remembered")
	}
}
