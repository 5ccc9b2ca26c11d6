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

// acceptances are n of URLs of 100 bytes.
func acceptances(n int) map[refresh.Key]refresh.Acceptance {
	accepted := map[refresh.Key]refresh.Acceptance{}
	for i := range n {
		kind := refresh.Kind{Product: mapping.DCDN, Type: mapping.File}
		accepted[refresh.Key{Kind: kind, URL: fmt.Sprintf("%-100d", i)}] = refresh.Acceptance{}
	}
	return accepted
}

// again is a retry of event n.
func again(n int) delivery { return delivery{payload: []byte(fmt.Sprint(n)), retry: 1} }

// Ten minutes count from the first acceptance, however often the event fails.
func TestMemoryLastsTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		m.keep(again(1), acceptances(3))
		time.Sleep(9 * time.Minute)
		m.keep(again(1), acceptances(4))
		time.Sleep(time.Minute)
		if n := len(m.recall(again(1))); n != 4 {
			t.Errorf("%d are remembered after ten minutes, want 4", n)
		}
		time.Sleep(time.Second)
		if n := len(m.recall(again(1))); n != 0 || m.bytes != 0 || len(m.notes) != 0 {
			t.Errorf("%d are remembered after more than ten minutes", n)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m memory
		for i := range 100 {
			m.keep(again(i), acceptances(1000))
			time.Sleep(time.Second)
		}
		if most := memoryBytes / (1000 * (100 + entryBytes)); m.bytes > memoryBytes || len(m.notes) != most {
			t.Errorf("%d bytes of %d events are remembered, want %d events", m.bytes, len(m.notes), most)
		}
		if m.recall(again(99)) == nil || m.recall(again(0)) != nil {
			t.Error("the oldest is not what was forgotten")
		}
		huge := map[refresh.Key]refresh.Acceptance{{URL: strings.Repeat("x", memoryBytes)}: {}}
		m.keep(again(1000), huge)
		if m.recall(again(1000)) != nil {
			t.Error("more than the bound is remembered")
		}
	})
}

func TestMemoryForgetsWhatSucceeded(t *testing.T) {
	var m memory
	m.keep(again(1), acceptances(3))
	m.forget(again(1))
	if m.recall(again(1)) != nil || m.bytes != 0 {
		t.Error("what succeeded is remembered")
	}
}

// What is the same event once more, and what is an event of its own.
func TestMemoryKnowsAnEventAgain(t *testing.T) {
	first := delivery{payload: []byte("p"), requestID: "r1", messages: []string{"1", "2", "3"}}
	tests := map[string]struct {
		delivery
		want bool
	}{
		"an equal payload":                {delivery{payload: []byte("p"), requestID: "r2"}, false},
		"without a request id":            {delivery{payload: []byte("p")}, false},
		"a retry":                         {delivery{payload: []byte("p"), requestID: "r2", retry: 1}, true},
		"a retry of another payload":      {delivery{payload: []byte("q"), requestID: "r2", retry: 1}, false},
		"the same invocation":             {delivery{payload: []byte("p"), requestID: "r1"}, true},
		"the same invocation, other data": {delivery{payload: []byte("q"), requestID: "r1"}, false},
		"the same messages":               {delivery{payload: []byte("q"), requestID: "r2", messages: []string{"1", "2", "3"}}, true},
		"some of the messages":            {delivery{payload: []byte("q"), requestID: "r2", messages: []string{"3", "1"}}, true},
		"a new message among them":        {delivery{payload: []byte("q"), requestID: "r2", messages: []string{"1", "4"}}, false},
		"other messages":                  {delivery{payload: []byte("p"), requestID: "r2", messages: []string{"5"}}, false},
	}
	for name, tt := range tests {
		var m memory
		m.keep(first, acceptances(2))
		if got := len(m.recall(tt.delivery)) > 0; got != tt.want {
			t.Errorf("%s is the same event: %t, want %t", name, got, tt.want)
		}
	}
	// What a part of the messages does is added to what is known of all.
	var m memory
	m.keep(first, acceptances(2))
	m.keep(delivery{messages: []string{"2"}}, acceptances(5))
	if n := len(m.recall(delivery{messages: []string{"1", "3"}})); n != 5 || len(m.notes) != 1 {
		t.Errorf("%d are remembered in %d notes, want 5 in one", n, len(m.notes))
	}
	m.forget(delivery{messages: []string{"2"}})
	if m.recall(delivery{messages: []string{"1"}}) == nil {
		t.Error("the success of one message made the others forgotten")
	}
}

// Where an equal payload is an event of its own, its files have changed since what
// was accepted of the one before: its retries must not be taken for that one's.
func TestMemoryOfEqualEvents(t *testing.T) {
	p := []byte("p")
	for name, accepted := range map[string]int{"something": 2, "nothing": 0} {
		var m memory
		m.keep(delivery{payload: p, requestID: "r1"}, acceptances(5))
		if m.recall(delivery{payload: p, requestID: "r2"}) != nil {
			t.Error("an event of its own recalls another one")
		}
		m.keep(delivery{payload: p, requestID: "r2"}, acceptances(accepted))
		if n := len(m.recall(delivery{payload: p, requestID: "r3", retry: 1})); n != accepted {
			t.Errorf("%s accepted: the retry recalls %d, want %d", name, n, accepted)
		}
	}
}
