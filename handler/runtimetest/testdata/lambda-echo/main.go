// The lambda-echo command is a function for AWS Lambda that does what its
// payload says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing/iotest"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct{ Do, Text string }

func main() {
	if len(os.Args) > 1 { // an argument: cannot start
		initError(os.Args[1])
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, in event) (any, error) {
	switch in.Do {
	case "echo":
		return in.Text, nil
	case "fail":
		return nil, messages.InvokeResponse_Error{Type: "RefreshIncomplete", Message: in.Text}
	case "panic":
		panic(in.Text)
	case "stream": // breaks off
		return io.MultiReader(strings.NewReader(in.Text), iotest.ErrReader(errors.New("origin gone"))), nil
	case "context":
		lctx, _ := lambdacontext.FromContext(ctx)
		return lctx, nil
	default:
		return nil, fmt.Errorf("unknown command %q", in.Do)
	}
}

func initError(message string) {
	url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
	body := fmt.Sprintf(`{"errorType":"ConfigError","errorMessage":%q}`, message)
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err == nil {
		response.Body.Close()
	}
	os.Exit(1)
}
