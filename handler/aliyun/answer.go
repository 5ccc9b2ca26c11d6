package aliyun

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"oss-cdn-refresh/handler/refresh"
)

// An answer is what the API sent, whatever its types: a gateway in trouble has
// been seen to send numbers for codes.
type answer struct {
	fields    map[string]json.RawMessage
	RequestID string
	code      string
	message   string
	taskID    string
}

// read makes an answer, or a classed refusal, of a response.
func read(op string, status int, body []byte, secrets mask) (answer, *refresh.Error) {
	var a answer
	isJSON := json.Unmarshal(body, &a.fields) == nil && a.fields != nil
	text := func(name string, most int) string { return shorten(secrets.hide(a.text(name)), most) }
	a.RequestID = text("RequestId", 128)
	a.code = text("Code", 128)
	a.message = text("Message", 1000)
	a.taskID = cmp.Or(text("RefreshTaskId", 4000), text("PushTaskId", 4000)) // the reference's table has the one, its samples the other
	if status/100 == 2 && a.RequestID != "" && (a.code == "" || a.taskID != "") {
		return a, nil
	}
	return answer{}, a.refusal(op, status, isJSON, len(body))
}

func (a answer) refusal(op string, status int, isJSON bool, size int) *refresh.Error {
	e := &refresh.Error{Op: op, Code: a.code, Message: a.message, RequestID: a.RequestID}
	class, known := classOf(a.code)
	if status/100 == 3 || !known {
		class = classOfStatus(status, isJSON)
	}
	e.Class = class
	switch {
	case status/100 == 3:
		e.Code, e.Message = "Redirect", fmt.Sprintf("HTTP %d: a redirect is never followed, since it would carry the token to another host; check REFRESH_ENDPOINT", status)
	case !isJSON:
		e.Code, e.Message = fmt.Sprintf("HTTP%d", status), fmt.Sprintf("the answer is no JSON object (HTTP %d %s, %d bytes)", status, http.StatusText(status), size)
	case a.code == "" && status/100 == 2:
		e.Code, e.Message = "NoRequestId", "the answer has no RequestId; whether the API accepted the request is unknown"
	case a.code == "":
		e.Code = fmt.Sprintf("HTTP%d", status)
	case strings.HasPrefix(a.code, "SignatureDoesNotMatch"), strings.HasPrefix(a.code, "IncompleteSignature"):
		e.Message = "the API did not accept the signature; its message repeats the signed request and is left out"
	}
	return e
}

// text returns a field as text: a string's value, nothing for null or a
// missing one, any other type as JSON.
func (a answer) text(name string) string {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(a.fields[name]))
	decoder.UseNumber() // ids have more digits than a float64
	if decoder.Decode(&value) != nil || value == nil {
		return ""
	}
	if s, ok := value.(string); ok {
		return s
	}
	var b strings.Builder // written anew, since escapes would get past the mask
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// shorten cuts text to most bytes: an answer of the API has less.
func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// requestPath is ObjectPath as the request line carries it.
func requestPath(request *requests.RpcRequest) string {
	return url.QueryEscape(request.QueryParams["ObjectPath"])
}
