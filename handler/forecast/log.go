package forecast

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"oss-cdn-refresh/mapping"
)

// ReadLog returns what the function's own log lines say was spent on each day. It
// takes the lines as they are, or as a log service exports them, each in the
// member "message" of an object. Other lines are passed over.
func ReadLog(r io.Reader, quota Quota) ([]Day, error) {
	text, err := unzipped(r)
	if err != nil {
		return nil, err
	}
	days := map[string]*Day{}
	err = eachLine(text, func(line []byte) {
		if l := logLineOf(line); l.Msg == "refreshed" && !l.DryRun && !l.recalled() {
			l.add(days)
		}
	})
	all := []Day{}
	for _, name := range slices.Sorted(maps.Keys(days)) {
		day := *days[name]
		day.sum(quota)
		all = append(all, day)
	}
	return all, err
}

func eachLine(text *bufio.Reader, do func([]byte)) error {
	for n := 1; ; n++ {
		line, err := text.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			do(line)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

// A logLine is one of the function's, as far as it says what was spent.
type logLine struct {
	Time     time.Time       `json:"time"`
	Msg      string          `json:"msg"`
	Product  mapping.Product `json:"product"`
	Site     int64           `json:"site"` // of ESA; older lines do not say it
	Type     mapping.Type    `json:"type"`
	URLs     json.RawMessage `json:"urls"`
	Recalled json.RawMessage `json:"recalled"` // by an earlier try, which has its own line
	DryRun   bool            `json:"dry_run"`
}

func logLineOf(line []byte) logLine {
	var l logLine
	var exported struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(line, &exported) == nil && exported.Message != "" {
		line = []byte(exported.Message)
	}
	_ = json.Unmarshal(line, &l) // what is not one of the function's is passed over
	return l
}

func (l logLine) recalled() bool {
	switch string(l.Recalled) {
	case "", "null", "false", "0":
		return false
	}
	return true
}

func (l logLine) add(days map[string]*Day) {
	var urls []string
	_ = json.Unmarshal(l.URLs, &urls)
	name := l.Time.UTC().Format(time.DateOnly)
	day := days[name]
	if day == nil {
		day = &Day{Day: name, services: map[mapping.Service]*spent{}}
		days[name] = day
	}
	day.spend(mapping.Service{Product: l.Product, Site: l.Site}, l.Type, len(urls))
}
