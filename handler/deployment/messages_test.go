package deployment_test

import (
	"errors"
	"fmt"
	"testing"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
)

func TestMessages(t *testing.T) {
	var letters []string
	for i := range 20 {
		letters = append(letters, fmt.Sprintf(`{"n":%d,"text":"<&>"}`, i))
	}
	server := deploymenttest.NewTestServer(
		t,
		&deploymenttest.Server{Queues: map[string]*deploymenttest.Queue{"q": {Letters: letters}}},
	)
	m := deployment.Messages{
		Cloud:   caller(t, server).(*deployment.Cloud),
		Account: deploymenttest.Account,
		Queue:   "q",
	}
	for range 2 {
		if got, err := m.Peek(t.Context()); err != nil || len(got) != 16 ||
			got[0].Body != `{"n":0,"text":"<&>"}` ||
			got[0].Receipt != "" {
			t.Errorf("peeked %d: %v", len(got), err)
		}
	}
	for _, want := range []int{16, 4, 0} {
		got, err := m.Receive(t.Context())
		if err != nil || len(got) != want {
			t.Errorf("received %d, want %d: %v", len(got), want, err)
		}
		for _, message := range got[:min(1, len(got))] {
			if err := m.Delete(t.Context(), message.Receipt); err != nil {
				t.Error(err)
			}
		}
	}
	if q := server.Queues["q"]; q.Letters[0] != "" || q.Letters[16] != "" || q.Letters[1] == "" {
		t.Errorf("left: %v", q.Letters)
	}
	m.Queue = "none"
	var e *deployment.Error
	if _, err := m.Receive(t.Context()); !errors.As(err, &e) || e.Code != "QueueNotExist" {
		t.Errorf("%v", err)
	}
}
