package deployment

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A Message is one of a queue.
type Message struct {
	ID      string `xml:"MessageId"`
	Body    string `xml:"MessageBody"`
	Receipt string `xml:"ReceiptHandle"` // with it, the message can be deleted; "" of one that was only looked at
}

// maxMessages is how many messages one call brings (BatchReceiveMessage and
// BatchPeekMessage, Simple Message Queue API reference).
const maxMessages = 16

// Messages reads a queue's messages. It is called with an account's id.
type Messages struct {
	Cloud          *Cloud
	Account, Queue string
}

// Peek returns the first messages, at most 16, and changes nothing.
func (m Messages) Peek(ctx context.Context) ([]Message, error) {
	return m.get(ctx, "BatchPeekMessage", url.Values{"peekonly": {"true"}})
}

// Receive returns some messages, at most 16, which the queue hides for its
// visibility timeout: what is not deleted by then comes again. There are none
// where all are hidden.
func (m Messages) Receive(ctx context.Context) ([]Message, error) {
	return m.get(ctx, "BatchReceiveMessage", url.Values{})
}

// Delete deletes a message that was received.
func (m Messages) Delete(ctx context.Context, receipt string) error {
	_, err := m.call(ctx, "DeleteMessage", http.MethodDelete, url.Values{"ReceiptHandle": {receipt}})
	return err
}

func (m Messages) get(ctx context.Context, op string, query url.Values) ([]Message, error) {
	query.Set("numOfMessages", fmt.Sprint(maxMessages))
	body, err := m.call(ctx, op, http.MethodGet, query)
	var e *Error
	if errors.As(err, &e) && e.Code == "MessageNotExist" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var answer struct {
		Message []Message
	}
	if err := xml.Unmarshal(body, &answer); err != nil {
		return nil, &Error{Service: SMQ, Op: op, Code: "InvalidAnswer", Message: "the answer is not XML"}
	}
	return answer.Message, nil
}

// call makes a call of the queue's own API, which is REST and XML.
func (m Messages) call(ctx context.Context, op, method string, query url.Values) ([]byte, error) {
	c := m.Cloud
	host := fmt.Sprintf("%s.mns.%s.aliyuncs.com", m.Account, c.region)
	target := fmt.Sprintf("%s/queues/%s/messages?%s", cmp.Or(c.endpoint, "https://"+host), url.PathEscape(m.Queue), query.Encode())
	request, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, &Error{Service: SMQ, Op: op, Code: "BadRequest", Message: c.creds.Hide(err.Error())}
	}
	request.Host = host
	c.signMessages(request)
	status, body, err := c.roundTrip(request)
	if err != nil {
		return nil, &Error{Service: SMQ, Op: op, Code: "NoAnswer", Message: c.creds.Hide(err.Error()), again: ctx.Err() == nil}
	}
	if status/100 == 2 {
		return body, nil
	}
	var answer struct {
		Code, Message string
		RequestID     string `xml:"RequestId"`
	}
	_ = xml.Unmarshal(body, &answer) // of a gateway in trouble it is something else
	e := &Error{Service: SMQ, Op: op, Status: status, Code: answer.Code, Message: c.creds.Hide(answer.Message), RequestID: answer.RequestID}
	if e.Code == "SignatureDoesNotMatch" {
		e.Message = "the API did not accept the signature; its message repeats the signed request and is left out"
	}
	e.again = status >= 500
	return nil, e
}

// signMessages signs as "Sign requests" of Simple Message Queue says.
func (c *Cloud) signMessages(r *http.Request) {
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("x-mns-version", "2015-06-06")
	r.Header.Set("User-Agent", "oss-cdn-refresh")
	if c.creds.SecurityToken != "" {
		r.Header.Set("security-token", c.creds.SecurityToken)
	}
	r.Header.Set("Authorization", "MNS "+c.creds.AccessKeyID+":"+c.hmac(messageStringToSign(r), c.creds.AccessKeySecret))
}

func messageStringToSign(r *http.Request) string {
	lines := []string{r.Method, r.Header.Get("Content-MD5"), r.Header.Get("Content-Type"), r.Header.Get("Date")}
	return strings.Join(slices.Concat(lines, headersOf(r, "x-mns-"), []string{r.URL.RequestURI()}), "\n")
}

// headersOf returns the headers whose names begin so, as signatures have them:
// "name:value", in lower case and sorted.
func headersOf(r *http.Request, prefixes ...string) []string {
	var all []string
	for name := range r.Header {
		lower := strings.ToLower(name)
		if slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(lower, prefix) }) {
			all = append(all, lower+":"+r.Header.Get(name))
		}
	}
	slices.Sort(all)
	return all
}
