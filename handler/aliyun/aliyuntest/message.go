package aliyuntest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How large a request the API's gateway takes is not documented. These are
// nginx's defaults, "Module ngx_http_core_module": large_client_header_buffers
// and client_max_body_size.
const (
	maxRequestLine = 8 << 10
	maxBody        = 1 << 20
)

// request is a call as it arrived, with the parameters of query and form in one
// map.
type request struct {
	Call
	method, host, path string
	query              url.Values
	header             http.Header
	body               []byte
	params             map[string]string
	tooLarge           int // the HTTP status that refuses its size; 0: it is small enough

	// What both ways of signing have, each in its own place.
	signedWithACS3                   bool
	version, timestamp, nonce, token string
}

func read(w http.ResponseWriter, r *http.Request) request {
	q := request{
		method: r.Method, host: r.Host, path: r.URL.Path, query: r.URL.Query(),
		header: r.Header, params: map[string]string{},
	}
	q.take("query", q.query)
	q.identify()
	if len(r.Method+" "+r.RequestURI+" "+r.Proto) > maxRequestLine {
		q.tooLarge = http.StatusRequestURITooLong
		return q
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		q.tooLarge = http.StatusRequestEntityTooLarge
		return q
	}
	q.body = body
	r.Body = io.NopCloser(bytes.NewReader(body))
	_ = r.ParseForm() // what cannot be read is missing
	q.take("form", r.PostForm)
	q.identify()
	return q
}

// take adds parameters. Those of the form are taken last and so win; which ones
// win at the API is not documented.
func (q *request) take(from string, values url.Values) {
	for name, v := range values {
		q.params[name] = v[0]
	}
	if path := values.Get("ObjectPath"); path != "" {
		q.ObjectPathIn = from
		q.URLs = strings.Split(strings.ReplaceAll(path, "\r\n", "\n"), "\n")
	}
	if values.Get("Content") != "" {
		q.ObjectPathIn = from
	}
	q.Type = q.params["ObjectType"]
	q.Force = q.params["Force"] == "true"
}

// identify reads what is asked of which product, and by whom. ACS3 has that in
// the header, the older signature in parameters.
func (q *request) identify() {
	authorization := q.header.Get("Authorization")
	q.signedWithACS3 = strings.HasPrefix(authorization, acs3+" ")
	if q.signedWithACS3 {
		q.Action = q.header.Get("X-Acs-Action")
		q.AccessKeyID = parseAuthorization(authorization).credential
		q.version = q.header.Get("X-Acs-Version")
		q.timestamp = q.header.Get("X-Acs-Date")
		q.nonce = q.header.Get("X-Acs-Signature-Nonce")
		q.token = q.header.Get("X-Acs-Security-Token")
	} else {
		q.Action = q.params["Action"]
		q.AccessKeyID = q.params["AccessKeyId"]
		q.version = q.params["Version"]
		q.timestamp = q.params["Timestamp"]
		q.nonce = q.params["SignatureNonce"]
		q.token = q.params["SecurityToken"]
	}
	q.Product = products[q.version].name
	if q.Product == "esa" {
		q.readContent()
	}
}

// requestID is made from the call's number, so that it is the same in each run of
// a test.
func (q request) requestID() string { return fmt.Sprintf("E5BD4B50-7A02-493A-AE0B-%012X", q.N) }

// refusal is an error of the API.
type refusal struct {
	status        int
	code, message string
}

// missing is the refusal of a request without a parameter, "Common error
// codes" of the OpenAPI gateway.
func missing(parameter string) *refusal {
	return &refusal{400, "Missing" + parameter, parameter + " is mandatory for this action."}
}

func (r refusal) answer(q request) answer {
	return answer{status: r.status, code: r.code, contentType: contentJSON, fields: map[string]any{
		"RequestId": q.requestID(),
		"HostId":    q.host,
		"Code":      r.code,
		"Message":   r.message,
		"Recommend": "https://api.aliyun.com/troubleshoot?q=" + url.QueryEscape(r.code),
	}}
}

// success is the answer of an operation, with its fields.
func success(q request, fields map[string]any) answer {
	fields["RequestId"] = q.requestID()
	return answer{status: http.StatusOK, contentType: contentJSON, fields: fields}
}

// gatewayPage is the HTML page of a gateway that does not pass a request on.
func gatewayPage(status int) answer {
	title := fmt.Sprint(status, " ", http.StatusText(status))
	return answer{
		status: status, contentType: "text/html",
		body: "<html><head><title>" + title + "</title></head>" +
			"<body><h1>" + title + "</h1></body></html>\n",
	}
}

const contentJSON = "application/json;charset=utf-8"

// answer is what is sent to the client.
type answer struct {
	status      int
	code        string // for the record
	contentType string
	fields      map[string]any // of the JSON object; nil: the body is sent as it is
	body        string
	location    string
	slow        time.Duration // between the halves of the body
	repeat      time.Duration // until the answer is sent once more; 0: it is not
	drop, hang  bool          // no answer: cut the connection, at once or when the client leaves
}

// send answers after the latency. A panic with http.ErrAbortHandler makes
// net/http cut the connection.
func (a answer) send(w http.ResponseWriter, r *http.Request, latency time.Duration) {
	wait(r.Context(), latency)
	if a.hang {
		<-r.Context().Done()
	}
	if a.drop || a.hang || r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
	connectionOf(r).repeatAfter(a.repeat)
	body := a.encode()
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if a.location != "" {
		w.Header().Set("Location", a.location)
	}
	w.WriteHeader(a.status)
	if a.slow > 0 {
		half := len(body) / 2
		w.Write(body[:half])
		http.NewResponseController(w).Flush()
		wait(r.Context(), a.slow)
		body = body[half:]
	}
	w.Write(body)
}

func (a answer) encode() []byte {
	if a.fields == nil {
		return []byte(a.body)
	}
	body, err := json.Marshal(a.fields)
	if err != nil {
		panic(fmt.Errorf("encoding an answer with the OddCode of a Fault: %w", err))
	}
	return body
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
