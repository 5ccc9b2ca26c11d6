package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An oldAnswer is what a table said of an object before the spellings "common" were
// the default.
type oldAnswer struct {
	Bucket, Key string
	Event       Event
	New         bool
	Rule        int // from 1; 0: none
	Ignored     string
	Warning     bool
	Targets     []string
}

// oldAnswers are those of testdata/upgrade.yaml, written by commit 347c157.
func oldAnswers(t *testing.T) (refresh map[string]any, objects []oldAnswer) {
	t.Helper()
	var old struct {
		Refresh map[string]any
		Objects []oldAnswer
	}
	data, err := os.ReadFile("testdata/upgrade.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &old); err != nil {
		t.Fatal(err)
	}
	return old.Refresh, old.Objects
}

// answer is what a table says of the same object today, and the spellings that it has
// beside those of old.
func answer(table *Table, old oldAnswer) (now oldAnswer, more []string) {
	m := table.Map(Object{old.Bucket, old.Key, old.Event, old.New})
	now = oldAnswer{
		Bucket: old.Bucket, Key: old.Key, Event: old.Event, New: old.New,
		Ignored: m.Ignored, Warning: m.Warning,
	}
	for i := range table.Rules {
		if m.Rule == &table.Rules[i] {
			now.Rule = i + 1
		}
	}
	for _, target := range m.Targets {
		text := fmt.Sprintf("%s %s %s", target.Product, target.Type, target.URL)
		for _, url := range target.Fallback {
			text += " or " + url
		}
		if target.Force || target.Site != 0 {
			text += " in another way"
		}
		if target.Respelt && !slices.Contains(old.Targets, text) {
			more = append(more, text)
			continue
		}
		now.Targets = append(now.Targets, text)
	}
	return now, more
}

// A table from before the spellings "common" is read as it was, but that these are
// added; with spellings: canonical they are not.
func TestOldTable(t *testing.T) {
	text, err := os.ReadFile("testdata/upgrade.yaml")
	if err != nil {
		t.Fatal(err)
	}
	said := strings.ReplaceAll(string(text),
		"\n      - domain: ", "\n      - spellings: canonical\n        domain: ")
	said = strings.Replace(said, "spellings: canonical\n        domain: dl.", "domain: dl.", 1)
	byDefault, canonical := parse(t, string(text)), parse(t, said)
	refresh, objects := oldAnswers(t)
	added := 0
	for _, old := range objects {
		now, more := answer(byDefault, old)
		asksForAll := old.Bucket == "my-downloads"
		if !asksForAll {
			added += len(more)
		}
		if diff := cmp.Diff(old, now); diff != "" {
			t.Errorf("by default (-old +new)\n%s", diff)
		}
		now, more = answer(canonical, old)
		if more != nil && !asksForAll {
			t.Errorf("%s: with spellings: canonical, %q is new", old.Key, more)
		}
		if diff := cmp.Diff(old, now); diff != "" {
			t.Errorf("with spellings: canonical (-old +new)\n%s", diff)
		}
	}
	if added == 0 {
		t.Error("the default adds no spelling")
	}
	compareRefresh(t, refresh, byDefault.Refresh)
}

// compareRefresh holds settings to what they were, and those that were not known to
// what changes nothing.
func compareRefresh(t *testing.T, old map[string]any, r Refresh) {
	t.Helper()
	if r.Fold != 0 || r.Unmatched != UnmatchedWarn {
		t.Errorf("fold %d, unmatched %s", r.Fold, r.Unmatched)
	}
	r.Fold, r.Unmatched, r.Limits.ESA, r.CallsPerSecond.ESA = 0, "", ESALimits{}, 0
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var now map[string]any
	if err := json.Unmarshal(data, &now); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(old, now); diff != "" {
		t.Errorf("refresh (-old +new)\n%s", diff)
	}
}
