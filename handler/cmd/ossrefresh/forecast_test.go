package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler/forecast"
	"oss-cdn-refresh/mapping"
)

func TestForecastStopsWhenInterrupted(t *testing.T) {
	table, err := mapping.Load(tableOfB(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	taken := 0
	endless := func(yield func(forecast.Publish, error) bool) {
		for yield(forecast.Publish{Time: time.Unix(int64(taken), 0)}, nil) {
			if taken++; taken == 3 {
				interrupt()
			}
		}
	}
	var output bytes.Buffer
	c := newConsole(nil, &output, &output, func(string) string { return "" })
	_, err = foresee(ctx, c, forecast.New(table, forecast.Options{Bucket: "b"}), endless)
	if err == nil || err.Error() != "stopped after 3 publishes" {
		t.Errorf("%v; want it to stop after 3 publishes", err)
	}
}

// The plot has the quota's line, is never wider than its columns, and a bar is the
// worst day of several.
func TestPlot(t *testing.T) {
	days := make([]forecast.Day, 130)
	for i := range days {
		days[i] = forecast.Day{Day: "2026-01-01", URLs: 1}
	}
	days[0].URLs, days[129].URLs = 60, 60
	lines := plot(days, 30)
	if first := strings.TrimRight(lines[0], " "); !strings.HasPrefix(first, "  60 ┤█") || !strings.HasSuffix(first, "█") {
		t.Errorf("the highest row is %q, want the first and the last bar", first)
	}
	if n := len([]rune(lines[0])); n != 60+len([]rune("  60 ┤")) {
		t.Errorf("a row is %d wide", n)
	}
	if !strings.HasPrefix(lines[2], "  30 ┼█╌╌") {
		t.Errorf("the quota's row is %q", lines[2])
	}
	if got := plot(nil, 30); got != nil {
		t.Errorf("without days: %q", got)
	}
}
