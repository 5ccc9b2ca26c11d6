// Command lambda is the function on AWS Lambda, for S3 buckets behind the same
// CDN. It takes S3 notifications directly, through SQS, SNS and Amazon
// EventBridge. It wires the platform and the API to package handler, and answers an SQS
// batch message by message; all else is handler's.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/refresh"
)

func main() {
	log.SetOutput(aliyun.FilterLog(os.Stderr))
	settings := handler.SettingsFrom(os.Getenv, os.Stdout)
	client, err := aliyun.ClientFrom(os.Getenv, handler.Version())
	if err != nil {
		settings.Fault(err)
	}
	api := client.With(aliyun.CredentialsFrom(os.Getenv))
	h := handler.New(settings, handler.Platform{
		API:       func(context.Context) refresh.Refresher { return api },
		Tasks:     func(context.Context) refresh.TaskLister { return api },
		RequestID: requestID,
	})
	lambda.Start(function{h, settings.PartialBatch})
}

// A function is a lambda.Handler: it sees the payload as it came, where a
// typed function would see only what encoding/json lets through.
type function struct {
	handler *handler.Handler
	partial bool // the event source mapping reports batch item failures
}

// Invoke answers with the report or, for an SQS batch whose mapping reads that,
// with the messages that are to be delivered again. Where it does not, a batch
// with a failure fails whole: Lambda would delete the messages of an answer that
// it does not read, the failed ones too.
func (f function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	handler.FitInstance()
	report, err := f.handler.Handle(ctx, payload)
	var incomplete *handler.IncompleteError
	if (err == nil || errors.As(err, &incomplete)) && report.SQS && f.partial {
		if failures, ok := batchFailures(report); ok {
			return json.Marshal(failures)
		}
	}
	if err != nil {
		return nil, messages.InvokeResponse_Error{Type: handler.ErrorType(err), Message: err.Error()}
	}
	return json.Marshal(report)
}

// A batchResponse is the partial batch response (AWS Lambda: using Lambda with
// Amazon SQS).
type batchResponse struct {
	Failures []batchFailure `json:"batchItemFailures"`
}

type batchFailure struct {
	MessageID string `json:"itemIdentifier"`
}

// batchFailures names the messages with something failed or invalid. It is not
// ok where one of them has no id: only the failure of the whole batch brings
// that one back.
func batchFailures(report *handler.Report) (response batchResponse, ok bool) {
	ids, ok := report.Unfinished()
	response.Failures = []batchFailure{}
	for _, id := range ids {
		response.Failures = append(response.Failures, batchFailure{id})
	}
	return response, ok
}

func requestID(ctx context.Context) string {
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		return lc.AwsRequestID
	}
	return ""
}
