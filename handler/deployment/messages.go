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
	Receipt string `xml:"ReceiptHandle"` // deletes it; "" of one that was only looked at
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
	query := url.Values{"ReceiptHandle": {receipt}}
	_, err := m.call(ctx, "DeleteMessage", http.MethodDelete, query)
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
		message := "the answer is not a list of messages"
		return nil, &Error{Service: SMQ, Op: op, Code: "InvalidAnswer", Message: message}
	}
	return answer.Message, nil
}

// call makes a call of the queue's own API, which is REST and XML.
func (m Messages) call(
	ctx context.Context, op, method string, query url.Values,
) ([]byte, error) {
	c := m.Cloud
	host := fmt.Sprintf("%s.mns.%s.aliyuncs.com", m.Account, c.region)
	path := "/queues/" + url.PathEscape(m.Queue) + "/messages?" + query.Encode()
	target := cmp.Or(c.endpoint, "https://"+host) + path
	request, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, c.noAnswer(ctx, SMQ, op, err)
	}
	request.Host = host
	c.signMessages(request)
	status, body, err := c.roundTrip(request)
	if err != nil {
		return nil, c.noAnswer(ctx, SMQ, op, err)
	}
	if status/100 == 2 {
		return body, nil
	}
	var answer struct {
		Code, Message string
		RequestID     string `xml:"RequestId"`
	}
	_ = xml.Unmarshal(body, &answer) // of a gateway in trouble it is something else
	e := &Error{
		Service: SMQ, Op: op, Status: status, RequestID: answer.RequestID,
		Code: answer.Code, Message: c.creds.Hide(answer.Message),
	}
	return nil, e.classed()
}

// signMessages signs as "Sign requests" of Simple Message Queue says.
func (c *Cloud) signMessages(r *http.Request) {
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("x-mns-version", "2015-06-06")
	if c.creds.SecurityToken != "" {
		r.Header.Set("security-token", c.creds.SecurityToken)
	}
	signature := c.hmac(messageStringToSign(r), c.creds.AccessKeySecret)
	r.Header.Set("Authorization", "MNS "+c.creds.AccessKeyID+":"+signature)
}

func messageStringToSign(r *http.Request) string {
	return stringToSign(r, r.URL.RequestURI(), "x-mns-")
}

// stringToSign has the method, three headers, those whose names begin with one of
// the prefixes, and the resource: so sign Log Service and Simple Message Queue.
func stringToSign(r *http.Request, resource string, prefixes ...string) string {
	lines := []string{r.Method}
	for _, name := range []string{"Content-MD5", "Content-Type", "Date"} {
		lines = append(lines, r.Header.Get(name))
	}
	var named []string
	for name := range r.Header {
		lower := strings.ToLower(name)
		begins := func(prefix string) bool { return strings.HasPrefix(lower, prefix) }
		if slices.ContainsFunc(prefixes, begins) {
			named = append(named, lower+":"+r.Header.Get(name))
		}
	}
	slices.Sort(named)
	return strings.Join(slices.Concat(lines, named, []string{resource}), "\n")
}
