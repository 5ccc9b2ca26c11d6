package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A letter is a destination message of a failed invocation (Function Compute:
// asynchronous invocation destinations).
type letter struct {
	name string // file#2, counted from 1, or file:3 for a line that cannot be read
	raw  json.RawMessage
	err  error // it cannot be read
}

// splitLetters finds the letters in a file: JSON values, arrays of them, or
// lines of these in Base64, as a queue's consumer prints a body, in the envelopes
// that queues put around them. A line that cannot be read is a letter too, and stops
// no other.
func splitLetters(file string, data []byte) []letter {
	var all []letter
	add := func(raws []json.RawMessage) {
		for _, raw := range raws {
			for _, raw := range opened(raw, mostEnvelopes, isLetter) {
				l := letter{name: fmt.Sprintf("%s#%d", file, len(all)+1), raw: raw}
				if !isLetter(raw) && isEvent(raw) {
					l.err = errEvent
				}
				all = append(all, l)
			}
		}
	}
	if raws, ok := fromBase64(data); ok { // one Base64 text over several lines
		add(raws)
		return all
	}
	line := 1
	for text := skipBlank(data); len(text) > 0; text = skipBlank(data) {
		line += bytes.Count(data[:len(data)-len(text)], []byte("\n"))
		raws, rest, err := nextLetters(text)
		if err != nil {
			all = append(all, letter{name: fmt.Sprintf("%s:%d", file, line), err: err})
		}
		add(raws)
		line += bytes.Count(text[:len(text)-len(rest)], []byte("\n"))
		data = rest
	}
	return all
}

// skipBlank cuts blanks, and the byte order mark that some editors put before
// a text.
func skipBlank(text []byte) []byte { return bytes.TrimLeft(text, " \t\r\n\ufeff") }

// nextLetters reads the JSON value that the text begins with, over as many
// lines as it has, or else the first line.
func nextLetters(text []byte) (raws []json.RawMessage, rest []byte, err error) {
	if raws, rest, err = nextValue(text); err == nil {
		return raws, rest, nil
	}
	line, rest, _ := bytes.Cut(text, []byte("\n"))
	raws, ok := fromBase64(line)
	if ok {
		err = nil
	}
	return raws, rest, err
}

// fromBase64 reads the JSON values of a text in Base64.
func fromBase64(text []byte) (raws []json.RawMessage, ok bool) {
	text, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(skipBlank(text))))
	for text = skipBlank(text); err == nil && len(text) > 0; text = skipBlank(text) {
		var some []json.RawMessage
		some, text, err = nextValue(text)
		raws = append(raws, some...)
	}
	if err != nil {
		return nil, false
	}
	return raws, true
}

// nextValue reads the object, array or string that the text begins with, and returns
// it or the array's elements.
func nextValue(text []byte) (raws []json.RawMessage, rest []byte, err error) {
	if text[0] != '{' && text[0] != '[' && text[0] != '"' {
		return nil, text, errors.New("it is neither JSON nor Base64 of JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return nil, text, fmt.Errorf("it is not valid JSON: %w", err)
	}
	if json.Unmarshal(raw, &raws) != nil {
		raws = []json.RawMessage{raw}
	}
	return raws, text[decoder.InputOffset():], nil
}

// A content is what a letter asks for.
type content struct {
	targets []mapping.Target
	whole   bool     // the event's targets, not just those that failed
	notes   []string // what of the event cannot be refreshed
}

// read works out what is to be refreshed: what failed where the letter lists
// it whole, else all that the event asks for.
func (l letter) read(table *mapping.Table) (content, error) {
	if l.err != nil {
		return content{}, l.err
	}
	message, err := handler.ReadLetter(l.raw)
	if err != nil {
		return content{}, err
	}
	batch, err := message.Decode()
	if err != nil {
		return content{}, err
	}
	targets := handler.Map(table, batch.Changes).Targets
	whole := fromEvent(table, batch)
	if message.Failed == nil {
		return whole, nil
	}
	if c, ok := fromReport(*message.Failed, targets); ok {
		return c, nil
	}
	whole.notes = append(whole.notes, "it lists URLs that its event does not ask for by this table, and is not trusted with them")
	return whole, nil
}

func fromEvent(table *mapping.Table, batch events.Batch) content {
	c := content{whole: true}
	trace, names := handler.Map(table, batch.Changes), buckets(table)
	for _, t := range trace.Targets {
		c.targets = append(c.targets, t.Target)
	}
	for i, change := range trace.Changes {
		if trace.Fate(i) == handler.Unmatched {
			c.notes = append(c.notes, fmt.Sprintf("record %s (%s %s): %s",
				change.Origin, shown(change.Bucket), shown(change.Key), noRule(names, change.Bucket)))
		}
	}
	for _, i := range batch.Invalid {
		c.notes = append(c.notes, fmt.Sprintf("record %s is invalid: %v", i.Origin, i.Err))
	}
	for _, origin := range batch.Loops {
		note := fmt.Sprintf("record %s is a dead letter inside a dead letter", origin)
		c.notes = append(c.notes, note)
	}
	return c
}

// fromReport returns what a letter lists as failed. It returns false where one of
// its URLs is not a target of the letter's event: whoever may write to the queue
// could otherwise have any URL refreshed.
func fromReport(report handler.Report, targets []refresh.Target) (content, bool) {
	removed := map[targetView]bool{} // of each target of the event: whether its object was removed
	kinds := map[targetView]refresh.Kind{}
	note := func(t mapping.Target) {
		key := newTarget(t)
		unnamed := key
		unnamed.Site = 0 // older letters do not say it
		for _, key := range []targetView{key, unnamed} {
			removed[key] = removed[key] || t.Event == mapping.Removed
			kinds[key] = refresh.Kind{Site: t.Site, Force: t.Force || kinds[key].Force}
		}
	}
	for _, t := range targets {
		note(t.Target)
		for _, url := range t.Fallback {
			file := t.Target
			file.Type, file.Force, file.URL = mapping.File, false, url
			note(file)
		}
	}
	var c content
	for _, g := range report.Failed {
		for _, url := range g.URLs {
			key := targetView{g.Product, g.Site, g.Type, url}
			gone, asked := removed[key]
			if !asked {
				return content{}, false
			}
			t := urlTarget(mapping.Product(g.Product), mapping.Type(g.Type), url, domainOf(url))
			t.Site, t.Force = kinds[key].Site, kinds[key].Force
			c.targets = append(c.targets, t)
			if gone { // the same again, which only adds that it comes first
				t.Event = mapping.Removed
				c.targets = append(c.targets, t)
			}
		}
	}
	for _, i := range report.Invalid {
		c.notes = append(c.notes, fmt.Sprintf("record %s is invalid: %s", i.Record, i.Error))
	}
	if n := report.Omitted.Invalid; n > 0 {
		more := plural(n, "more record")
		c.notes = append(c.notes, "the letter does not say which "+more+" could not be read")
	}
	return c, true
}

// domainOf returns the domain of a canonical URL.
func domainOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	domain, _, _ := strings.Cut(rest, "/")
	return domain
}
