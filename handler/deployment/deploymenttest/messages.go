package deploymenttest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// visibility is for how long a message is hidden that was received (CreateQueue,
// Simple Message Queue API reference: the default).
const visibility = 30 * time.Second

func (q *Queue) held() (n int) {
	for _, letter := range q.Letters {
		if letter != "" {
			n++
		}
	}
	return n
}

// messages serves the API of a queue's messages: peeking, receiving, deleting.
func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	queue := s.Queues[strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/queues/"), "/messages")]
	query := r.URL.Query()
	n, err := strconv.Atoi(query.Get("numOfMessages"))
	refused := s.checkMessages(r)
	call := Call{
		N:       len(s.calls),
		Service: "mns",
		Op:      r.Method,
		Changes: r.Method == http.MethodDelete,
	}
	switch {
	case refused != nil:
	case queue == nil:
		refused = &refusal{404, "QueueNotExist", "The queue name you provided is not exist."}
	case r.Method == http.MethodDelete:
		if refused = queue.remove(query.Get("ReceiptHandle")); refused == nil {
			w.WriteHeader(http.StatusNoContent)
		}
	case r.Method != http.MethodGet || err != nil || n < 1 || n > 16:
		refused = &refusal{400, "InvalidArgument", "numOfMessages is 1 to 16."}
	default:
		refused = queue.list(w, n, query.Get("peekonly") == "true")
	}
	if refused != nil {
		call.Code = refused.code
		w.WriteHeader(refused.status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>", refused.code)
		_ = xml.EscapeText(w, []byte(refused.message))
		fmt.Fprintf(w, "</Message><RequestId>request-%d</RequestId></Error>", call.N)
	}
	s.calls = append(s.calls, call)
}

func (q *Queue) list(w http.ResponseWriter, most int, peek bool) *refusal {
	var answer struct {
		XMLName xml.Name `xml:"http://mns.aliyuncs.com/doc/v1/ Messages"`
		Message []struct{ MessageId, MessageBody, ReceiptHandle string }
	}
	for i, letter := range q.Letters {
		if letter == "" || len(answer.Message) == most || time.Since(q.hidden[i]) < visibility {
			continue
		}
		m := struct{ MessageId, MessageBody, ReceiptHandle string }{
			fmt.Sprintf("message-%d", i+1),
			letter,
			"",
		}
		if !peek {
			m.ReceiptHandle = fmt.Sprintf("receipt-%d", i)
			if q.hidden == nil {
				q.hidden = map[int]time.Time{}
			}
			q.hidden[i] = time.Now()
		}
		answer.Message = append(answer.Message, m)
	}
	if len(answer.Message) == 0 {
		return &refusal{404, "MessageNotExist", "Message not exist."}
	}
	_ = xml.NewEncoder(w).Encode(answer)
	return nil
}

func (q *Queue) remove(receipt string) *refusal {
	i, err := strconv.Atoi(strings.TrimPrefix(receipt, "receipt-"))
	if err != nil || i < 0 || i >= len(q.Letters) {
		return &refusal{400, "ReceiptHandleError", "The receipt handle you provide is not valid."}
	}
	q.Letters[i] = ""
	return nil
}

// checkMessages makes the checks of "Sign requests" of Simple Message Queue.
func (s *Server) checkMessages(r *http.Request) *refusal {
	toSign := strings.Join([]string{
		r.Method, "", r.Header.Get("Content-Type"), r.Header.Get("Date"), "x-mns-version:" + r.Header.Get("x-mns-version"), r.RequestURI,
	}, "\n")
	switch {
	case r.Header.Get("x-mns-version") != "2015-06-06" || !strings.HasPrefix(r.Host, Account+".mns."):
		return &refusal{400, "InvalidArgument", "x-mns-version or the account in the host"}
	case r.Header.Get("security-token") != s.Credential.SecurityToken:
		return &refusal{403, "InvalidSecurityToken", "The security token is not valid."}
	case r.Header.Get("Authorization") != "MNS "+s.Credential.AccessKeyID+":"+s.sign(toSign, ""):
		return &refusal{
			403,
			"SignatureDoesNotMatch",
			"The request signature we calculated does not match: " + toSign,
		}
	}
	return nil
}
