// The fc-echo command is a function for Function Compute that does what the
// first line of the payload says with the rest of it.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fc/messages"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"
)

var meeting = make(chan struct{})

func main() {
	if len(os.Args) > 1 { // an argument: never polls
		fmt.Println("dozing", os.Args[1])
		time.Sleep(time.Hour)
	}
	fc.Start(handle)
}

func handle(ctx context.Context, payload []byte) (any, error) {
	command, rest, _ := strings.Cut(string(payload), "\n")
	switch command {
	case "echo":
		return []byte(rest), nil
	case "print":
		fmt.Print(rest)
	case "fail":
		return nil, messages.InvokeResponse_Error{Type: "RefreshIncomplete", Message: rest}
	case "panic":
		panic(rest)
	case "exit":
		fmt.Fprintln(os.Stderr, rest)
		os.Exit(3)
	case "hang":
		fmt.Println("hanging")
		select {}
	case "meet": // returns when two are here
		select {
		case meeting <- struct{}{}:
		case <-meeting:
		}
	case "environment":
		return os.Environ(), nil
	case "context":
		fctx, _ := fccontext.FromContext(ctx)
		return fctx, nil
	case "spin": // for a while
		d, err := time.ParseDuration(rest)
		for end := time.Now().Add(d); time.Now().Before(end); {
		}
		return nil, err
	case "deadline":
		deadline, _ := ctx.Deadline()
		return deadline, nil
	case "answer": // for another request id
		return answer(rest)
	default:
		return nil, fmt.Errorf("unknown command %q", command)
	}
	return nil, nil
}

func answer(id string) (int, error) {
	url := "http://" + os.Getenv("FC_RUNTIME_API") + "/2020-11-11/runtime/invocation/" + id + "/response"
	response, err := http.Post(url, "application/json", strings.NewReader("null"))
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
