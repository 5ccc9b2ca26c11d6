package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/mapping"
)

// A letter is a destination message of a failed invocation (Function Compute:
// asynchronous invocation destinations).
type letter struct {
	name string // of the file, with the letter's place in it counted from 1
	raw  json.RawMessage
	err  error // it cannot be read
}

// splitLetters finds the letters in a file: one JSON value, many, an array of
// them, or any of these in Base64, as a queue's consumer prints a body.
func splitLetters(file string, data []byte) []letter {
	var all []letter
	add := func(raw json.RawMessage, err error) {
		all = append(all, letter{fmt.Sprintf("%s#%d", file, len(all)+1), raw, err})
	}
	text := bytes.TrimSpace(data)
	if len(text) > 0 && text[0] != '{' && text[0] != '[' {
		decoded, err := decodeLines(text)
		if err != nil {
			add(nil, errors.New("it is neither JSON nor Base64 of JSON"))
			return all
		}
		text = decoded
	}
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err == io.EOF {
			return all
		} else if err != nil {
			add(nil, fmt.Errorf("it is no JSON: %w", err))
			return all
		}
		for _, each := range elements(raw) {
			add(each, nil)
		}
	}
}

// decodeLines decodes Base64, whether its lines are one text or a text each.
func decodeLines(text []byte) ([]byte, error) {
	if whole, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
		return whole, nil
	}
	var all []byte
	for _, line := range lines(string(text)) {
		decoded, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, err
		}
		all = append(append(all, decoded...), '\n')
	}
	return all, nil
}

// elements returns those of an array, or the value itself.
func elements(raw json.RawMessage) []json.RawMessage {
	var array []json.RawMessage
	if json.Unmarshal(raw, &array) == nil {
		return array
	}
	return []json.RawMessage{raw}
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
	var message struct {
		RequestPayload  json.RawMessage `json:"requestPayload"`
		ResponsePayload json.RawMessage `json:"responsePayload"`
		ResponseContext json.RawMessage `json:"responseContext"`
	}
	if err := json.Unmarshal(l.raw, &message); err != nil || message.RequestPayload == nil {
		return content{}, errors.New(`it is no dead letter: it has no "requestPayload"`)
	}
	for _, answer := range []json.RawMessage{message.ResponsePayload, message.ResponseContext} {
		if report, ok := failedReport(answer); ok {
			return fromReport(report), nil
		}
	}
	batch, err := events.Decode(l.raw)
	if err != nil {
		return content{}, err
	}
	return fromEvent(table, batch), nil
}

func fromEvent(table *mapping.Table, batch events.Batch) content {
	c := content{whole: true}
	for _, change := range batch.Changes {
		_, targets := follow(table, "", change)
		c.targets = append(c.targets, targets...)
	}
	for _, i := range batch.Invalid {
		c.notes = append(c.notes, fmt.Sprintf("record %s is invalid: %v", i.Origin, i.Err))
	}
	for _, origin := range batch.Loops {
		c.notes = append(c.notes, fmt.Sprintf("record %s is a dead letter inside a dead letter", origin))
	}
	return c
}

func fromReport(report handler.Report) content {
	var c content
	for _, g := range report.Failed {
		for _, url := range g.URLs {
			c.targets = append(c.targets, urlTarget(mapping.Product(g.Product), mapping.Type(g.Type), url, domainOf(url)))
		}
	}
	for _, i := range report.Invalid {
		c.notes = append(c.notes, fmt.Sprintf("record %s is invalid: %s", i.Record, i.Error))
	}
	return c
}

// summary is how the function's error begins when URLs have failed.
var summary = regexp.MustCompile(`^(\d+) URLs? (?:was|were) not refreshed`)

// failedReport returns the report of an answer that lists everything that
// failed. The report is cut to fit into a queue's message; the line before it
// counts all URLs.
func failedReport(answer json.RawMessage) (report handler.Report, ok bool) {
	var text string
	if json.Unmarshal(answer, &text) == nil {
		answer = json.RawMessage(text)
	}
	var reply struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}
	if json.Unmarshal(answer, &reply) != nil || reply.ErrorType != "RefreshIncomplete" {
		return report, false
	}
	line, body, _ := strings.Cut(reply.ErrorMessage, "\n")
	if json.Unmarshal([]byte(body), &report) != nil {
		return report, false
	}
	counted := 0
	if match := summary.FindStringSubmatch(line); match != nil {
		counted, _ = strconv.Atoi(match[1])
	}
	return report, listed(report) == counted
}

// listed counts the URLs that a report says have failed; -1 where one of them
// cannot be submitted as it stands.
func listed(report handler.Report) int {
	products := []string{string(mapping.DCDN), string(mapping.CDN)}
	types := []string{string(mapping.File), string(mapping.Directory), string(mapping.IgnoreParams)}
	n := 0
	for _, g := range report.Failed {
		for _, url := range g.URLs {
			if !slices.Contains(products, g.Product) || !slices.Contains(types, g.Type) || domainOf(url) == "" {
				return -1
			}
			n++
		}
	}
	return n
}

// domainOf returns the domain of a canonical URL.
func domainOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	domain, _, _ := strings.Cut(rest, "/")
	return domain
}
