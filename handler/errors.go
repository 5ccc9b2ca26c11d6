package handler

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A ConfigError means that the table or the environment is wrong. Nothing was
// refreshed.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return fit(e.Err.Error()) }
func (e *ConfigError) Unwrap() error { return e.Err }

// An EventError means that nothing in the payload has a known shape. Nothing
// was refreshed.
type EventError struct{ Err error }

func (e *EventError) Error() string { return fit(e.Err.Error()) }
func (e *EventError) Unwrap() error { return e.Err }

// An IncompleteError means that something was not refreshed, or not
// understood. Its text is one readable line and then the report as JSON, cut
// so that a dead-letter queue takes it.
type IncompleteError struct{ Report *Report }

func (e *IncompleteError) Error() string {
	summary := e.Report.summary()
	return summary + "\n" + e.Report.cut(maxErrorMessage-lengthInLog(summary)-1)
}

// A LogError means that the log could not be written in time, which is the only
// complete record of what became of the event. Everything was refreshed.
type LogError struct{ Err error }

func (e *LogError) Error() string { return "writing the log: " + fit(e.Err.Error()) }
func (e *LogError) Unwrap() error { return e.Err }

// ErrorType names an error of this package as answers do: ConfigError,
// EventError, RefreshIncomplete, LogError. Any other is not this package's.
func ErrorType(err error) string {
	switch err.(type) {
	case *ConfigError:
		return "ConfigError"
	case *EventError:
		return "EventError"
	case *IncompleteError:
		return "RefreshIncomplete"
	case *LogError:
		return "LogError"
	}
	return "Error"
}

// maxErrorMessage is the size of an error's text as JSON, in bytes. A dead
// letter carries it beside the payload, and a queue takes messages up to 64 kB
// (Function Compute: asynchronous invocation destinations).
const maxErrorMessage = 8000

// fit cuts a text to maxErrorMessage.
func fit(text string) string {
	for most := len(text); ; most /= 2 {
		short := truncate(text, most)
		if quoted, _ := json.Marshal(short); len(quoted) <= maxErrorMessage {
			return short
		}
	}
}

// err returns an error where the platform is to deliver the event again. A sweep
// is not: the next one finds what this one could not refresh.
func (r *Report) err() error {
	if r.Sweep != nil || r.FailedURLs+len(r.Invalid)+len(r.UnmatchedRecords) == 0 {
		return nil
	}
	return &IncompleteError{r}
}

// summary says in a line what is missing.
func (r *Report) summary() string {
	var parts []string
	if n := r.FailedURLs; n > 0 {
		urls := plural(n, "URL was", "URLs were")
		parts = append(parts, fmt.Sprintf("%s not refreshed (%s)", urls, r.failedByCode()))
	}
	if n := len(r.Invalid) + r.Omitted.Invalid; n > 0 {
		parts = append(parts, plural(n, "record was", "records were")+" invalid")
	}
	if n := len(r.UnmatchedRecords) + r.Omitted.Unmatched; n > 0 {
		parts = append(parts, plural(n, "record was", "records were")+" of no rule of the table")
	}
	refreshed := plural(r.refreshedURLs, "URL was", "URLs were")
	return fmt.Sprintf("%s; %s refreshed", strings.Join(parts, "; "), refreshed)
}

// failedByCode counts the URLs of each code, the commonest first.
func (r *Report) failedByCode() string {
	urls := map[string]int{}
	for _, g := range r.Failed {
		urls[printable(g.Code)] += len(g.URLs) + g.Omitted
	}
	codes := slices.SortedFunc(maps.Keys(urls), func(a, b string) int {
		return cmp.Or(cmp.Compare(urls[b], urls[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, code := range codes[:min(5, len(codes))] {
		parts = append(parts, fmt.Sprintf("%d %s", urls[code], code))
	}
	if len(codes) > len(parts) {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// cut returns the report as JSON without the URLs of what was refreshed. Where
// it would be longer than size as a JSON string, lists and texts are cut.
func (r *Report) cut(size int) string {
	for room := (room{entries: 256, groups: 256, text: 300}); ; room = room.less() {
		text, _ := json.Marshal(r.keeping(room))
		text = appendEscaped(nil, text)
		quoted, _ := json.Marshal(string(text))
		if len(quoted) <= size || room.groups == 0 {
			return string(text)
		}
	}
}

// A room is what a report may have: entries in a list, groups, and bytes in the text
// of an error.
type room struct{ entries, groups, text int }

// less cuts lists first, then texts, and the groups themselves last.
func (r room) less() room {
	switch {
	case r.entries > 0:
		r.entries /= 2
		r.groups = max(r.entries, 8)
	case r.text > 50:
		r.text /= 2
	default:
		r.groups /= 2
	}
	return r
}

// keeping returns a copy with no more than there is room for.
func (r *Report) keeping(room room) *Report {
	short := *r
	short.Invalid = r.Invalid[:min(room.entries, len(r.Invalid))]
	short.UnmatchedRecords = r.UnmatchedRecords[:min(room.entries, len(r.UnmatchedRecords))]
	short.Refreshed = keepGroups(r.Refreshed, room.entries, 0, room.text)
	short.Failed = keepGroups(r.Failed, room.groups, room.entries, room.text)
	short.Omitted = Omitted{
		Invalid:   r.Omitted.Invalid + len(r.Invalid) - len(short.Invalid),
		Unmatched: r.Omitted.Unmatched + len(r.UnmatchedRecords) - len(short.UnmatchedRecords),
		Refreshed: len(r.Refreshed) - len(short.Refreshed),
		Failed:    len(r.Failed) - len(short.Failed),
	}
	return &short
}

func keepGroups(groups []Group, most, urls, text int) []Group {
	kept := make([]Group, min(most, len(groups)))
	for i := range kept {
		g := groups[i]
		g.Error = truncate(g.Error, text)
		n := min(urls, len(g.URLs))
		g.Omitted += len(g.URLs) - n
		g.URLs = g.URLs[:n]
		kept[i] = g
	}
	return kept
}

// printable returns a text of others on one line, without characters that steer
// a terminal.
func printable(text string) string {
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func truncate(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
