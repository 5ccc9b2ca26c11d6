package handler

import (
	"encoding/json"
	"errors"
	"strings"

	"oss-cdn-refresh/events"
)

// A Letter is a dead letter: what the platform keeps of an event whose
// invocations all failed (Function Compute: asynchronous invocation
// destinations).
type Letter struct {
	Event []byte // the letter itself, which events.Decode unwraps
	// Failed is the report of the last invocation where that lists every URL
	// that failed. It is nil where the report was cut to fit into a message,
	// where records of no rule failed, where an older version wrote it, and
	// where there is none: then all that the event asks for may have failed.
	Failed *Report
}

// ReadLetter reads a dead letter as the platform writes it. The error says what
// is wrong with a message that is not one. It reads what [IncompleteError]
// writes.
func ReadLetter(message []byte) (Letter, error) {
	var parts struct {
		RequestContext struct {
			Condition string `json:"condition"`
		} `json:"requestContext"`
		RequestPayload  json.RawMessage `json:"requestPayload"`
		ResponsePayload json.RawMessage `json:"responsePayload"`
		ResponseContext json.RawMessage `json:"responseContext"`
	}
	err := json.Unmarshal(message, &parts)
	if err != nil || parts.RequestPayload == nil || string(parts.RequestPayload) == "null" {
		return Letter{}, errors.New(`it is not a dead letter: it has no "requestPayload"`)
	}
	if strings.EqualFold(parts.RequestContext.Condition, "Success") {
		return Letter{}, errors.New("it is not a dead letter: its event was handled with success")
	}
	letter := Letter{Event: message}
	for _, answer := range []json.RawMessage{parts.ResponsePayload, parts.ResponseContext} {
		if report := failedReport(answer); report != nil {
			letter.Failed = report
			break
		}
	}
	return letter, nil
}

// Decode reads the letter's event.
func (l Letter) Decode() (events.Batch, error) { return events.Decode(l.Event) }

// failedReport returns the report in an answer, where it lists all URLs that
// failed; else nil.
func failedReport(answer json.RawMessage) *Report {
	var text string
	if json.Unmarshal(answer, &text) == nil {
		answer = json.RawMessage(text)
	}
	var reply struct {
		ErrorMessage string `json:"errorMessage"`
		ErrorType    string `json:"errorType"`
	}
	if json.Unmarshal(answer, &reply) != nil || reply.ErrorType != ErrorType(&IncompleteError{}) {
		return nil
	}
	_, body, _ := strings.Cut(reply.ErrorMessage, "\n")
	var report struct {
		Report
		FailedURLs *int `json:"failed_urls"` // nil in what an older version wrote
	}
	if json.Unmarshal([]byte(body), &report) != nil || report.FailedURLs == nil {
		return nil
	}
	if *report.FailedURLs != count(report.Failed) {
		return nil
	}
	if len(report.UnmatchedRecords)+report.Omitted.Unmatched > 0 { // whose URLs nobody knows yet
		return nil
	}
	report.Report.FailedURLs = *report.FailedURLs
	return &report.Report
}
