package aliyun

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"oss-cdn-refresh/handler/refresh"
)

// An answer is the JSON object that the API sent, whatever the types of its
// members: a gateway in trouble has been seen to send numbers for codes.
type answer struct {
	op        string
	fields    map[string]json.RawMessage
	code      any    // the value of Code, as valueOf returns it
	requestID string // empty unless it is text that is not blank, or a number
	secrets   mask
}

// read makes an answer of a response, or an error: a refusal, or something that
// cannot be an answer. An answer without an error has not yet accepted anything:
// see [answer.receipt]. The answer's request id is set in any case.
func read(op string, status int, body []byte, secrets mask) (answer, *refresh.Error) {
	a := answer{op: op, secrets: secrets}
	isObject := json.Unmarshal(body, &a.fields) == nil && a.fields != nil
	a.code = a.findCode()
	a.requestID = a.show(id(valueOf(a.fields["RequestId"])), 128)
	switch {
	case status/100 != 2, saysNo(a.code), a.deniesSuccess():
		return a, a.refusal(status, isObject, len(body))
	case !isObject:
		return a, a.doubt(fmt.Sprintf("HTTP%d", status), notAnObject(status, len(body)))
	case a.requestID == "":
		return a, a.doubt("NoRequestId", "the answer has no RequestId")
	}
	return a, nil
}

// maxValue is the longest member that is decoded, in bytes: a list takes many
// times its length.
const maxValue = 64 << 10

// valueOf decodes a member. Numbers are a json.Number, since ids have more
// digits than a float64. What is too long is an empty list.
func valueOf(raw json.RawMessage) (value any) {
	switch {
	case len(raw) == 0:
		return nil
	case len(raw) > maxValue && raw[0] != '"':
		return []any{}
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil
	}
	return value
}

// members returns the values of a member, in any case of its name, in the order
// of these names.
func (a answer) members(name string) []any {
	var names []string
	for spelled := range a.fields {
		if strings.EqualFold(spelled, name) {
			names = append(names, spelled)
		}
	}
	slices.Sort(names)
	var values []any
	for _, spelled := range names {
		values = append(values, valueOf(a.fields[spelled]))
	}
	return values
}

// findCode returns the answer's code, in any case of its name. If there are
// several, it is one that says no, or one that is not a code.
func (a answer) findCode() any {
	var code any
	for _, value := range a.members("Code") {
		if code == nil || isOddCode(value) && !saysNo(code) || saysNo(value) {
			code = value
		}
	}
	return code
}

func isOddCode(code any) bool {
	switch code.(type) {
	case bool, []any, map[string]any:
		return true
	}
	return false
}

// saysNo reports whether a code refuses the request, even in an answer with a
// status of success.
func saysNo(code any) bool {
	switch c := code.(type) {
	case string:
		normal := normalCode(c)
		return normal != "" && normal != "0" && normal != "200" && normal != "ok"
	case json.Number:
		return c != "0" && c != "200"
	}
	return false
}

// deniesSuccess reports whether a member Success, in any case of its name, is
// false.
func (a answer) deniesSuccess() bool {
	for _, value := range a.members("Success") {
		if strings.EqualFold(text(value), "false") {
			return true
		}
	}
	return false
}

// receipt returns the API's word that it accepted a request. An answer without
// a task id is accepted only if it says nothing else either, and never one of ESA,
// whose success always has one. The error is that of an answer in doubt.
func (a answer) receipt() (refresh.Receipt, *refresh.Error) {
	task := a.taskID()
	says := cmp.Or(a.message(), a.show(text(a.code), 128))
	switch {
	case isOddCode(a.code):
		return refresh.Receipt{}, a.doubt("OddCode", "the answer's code is "+a.show(text(a.code), 128))
	case task == "" && a.hasOddTaskID():
		return refresh.Receipt{}, a.doubt("NoTaskId", "the answer has a task id that is not valid")
	case task == "" && says != "":
		reason := fmt.Sprintf("the answer has no task id, but says %q", says)
		return refresh.Receipt{}, a.doubt("NoTaskId", reason)
	case task == "" && needsTaskID[a.op]:
		return refresh.Receipt{}, a.doubt("NoTaskId", "the answer has no task id")
	}
	return refresh.Receipt{TaskID: task, RequestID: a.requestID}, nil
}

// The names of the task id: the API reference's table has the first, its
// samples the second; DCDN's preloading the third and ESA the fourth.
var taskIDNames = [...]string{"RefreshTaskId", "PushTaskId", "PreloadTaskId", "TaskId"}

// needsTaskID has the operations whose success always has a task id (PurgeCaches and
// PreloadCaches, API reference).
var needsTaskID = map[string]bool{"PurgeCaches": true, "PreloadCaches": true}

func (a answer) taskID() string {
	for _, name := range taskIDNames {
		if id := id(valueOf(a.fields[name])); id != "" {
			return a.show(id, 4000)
		}
	}
	return ""
}

// hasOddTaskID reports whether a member that should hold a task id holds
// anything.
func (a answer) hasOddTaskID() bool {
	for _, name := range taskIDNames {
		if value := valueOf(a.fields[name]); value != nil && value != "" {
			return true
		}
	}
	return false
}

// id returns an identifier as text: "" if the value is not one.
func id(value any) string {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		if v != "0" {
			return v.String()
		}
	}
	return ""
}

// maybeAccepted ends the messages of calls that may have been accepted.
const maybeAccepted = "whether the API accepted the request is unknown"

// doubt returns the error of an answer that may be an acceptance.
func (a answer) doubt(code, message string) *refresh.Error {
	return &refresh.Error{
		Op: a.op, Code: code, RequestID: a.requestID, Class: refresh.Again,
		Message: message + "; " + maybeAccepted,
		Doubt:   &refresh.Receipt{TaskID: a.taskID(), RequestID: a.requestID},
	}
}

func (a answer) refusal(status int, isObject bool, size int) *refresh.Error {
	e := &refresh.Error{
		Op: a.op, Code: a.show(text(a.code), 128), Message: a.message(), RequestID: a.requestID,
	}
	class, known := classOf(text(a.code))
	if status/100 == 3 || !known {
		class = classOfStatus(status, isObject)
	}
	e.Class = class
	switch {
	case status/100 == 3:
		e.Code = "Redirect"
		e.Message = fmt.Sprintf("HTTP %d: a redirect is never followed, because it would carry"+
			" the token to another host; check REFRESH_ENDPOINT", status)
	case !isObject:
		e.Code, e.Message = fmt.Sprintf("HTTP%d", status), notAnObject(status, size)
	case status/100 == 2 && !saysNo(a.code):
		e.Code = "SuccessFalse"
		e.Message = cmp.Or(e.Message, "the answer says that the call had no success")
	case e.Code == "":
		e.Code = fmt.Sprintf("HTTP%d", status)
	case repeatsTheRequest(text(a.code)):
		e.Message = "the API did not accept the signature" +
			" (its message is left out, since it repeats the signed request)"
	}
	return e
}

func notAnObject(status, size int) string {
	return fmt.Sprintf("the answer is not a JSON object (HTTP %d %s, %d bytes)",
		status, http.StatusText(status), size)
}

// repeatsTheRequest reports whether the message beside the code has the signed
// request in it.
func repeatsTheRequest(code string) bool {
	code = normalCode(code)
	return strings.HasPrefix(code, "signaturedoesnotmatch") ||
		strings.HasPrefix(code, "incompletesignature")
}

func (a answer) message() string {
	for _, value := range a.members("Message") {
		if message := a.show(text(value), 1000); message != "" {
			return message
		}
	}
	return ""
}

// text returns a value as text: a string itself, nothing for null, anything
// else as JSON. That is written anew, since escapes would get past a mask.
func text(value any) string {
	if value == nil {
		return ""
	}
	if s, ok := value.(string); ok {
		return s
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// show makes foreign text fit for people: without secrets, cut to most bytes, and
// quoted if it has line ends or anything else that could steer a terminal.
func (a answer) show(foreign string, most int) string {
	shown := a.secrets.hide(foreign) // first, since a part of a secret would not be found
	if len(shown) > most {
		shown = strings.ToValidUTF8(shown[:most], "") + "…"
	}
	if strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return strconv.QuoteToGraphic(shown)
	}
	return shown
}
