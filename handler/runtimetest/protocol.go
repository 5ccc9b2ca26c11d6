package runtimetest

import (
	"net/http"
	"strconv"
	"time"
)

// A protocol is what differs between the runtime APIs of the two platforms.
type protocol struct {
	variable string // the environment variable that holds the API's host:port
	root     string // what the API's paths begin with
	accepted int    // the HTTP status for an answer that was taken
	header   func(function string, in Invocation, deadline time.Time) map[string]string
}

// functionCompute is the API that fc-runtime-go-sdk polls (fc/entry.go,
// fc/runtime_api_client.go, fc/invoke_loop.go).
var functionCompute = protocol{
	variable: "FC_RUNTIME_API",
	root:     "/2020-11-11/runtime",
	accepted: http.StatusOK,
	header:   functionComputeHeader,
}

// functionComputeHeader rounds the timeout up: the SDK reads whole seconds, and
// never answers an invocation whose timeout is 0.
func functionComputeHeader(function string, in Invocation, deadline time.Time) map[string]string {
	return map[string]string{
		"x-fc-request-id":        in.RequestID,
		"x-fc-function-deadline": strconv.FormatInt(deadline.UnixMilli(), 10),
		"x-fc-function-timeout":  strconv.Itoa(int((in.Timeout + time.Second - 1) / time.Second)),
		"x-fc-function-type":     "0", // the handler, not one of the other hooks
		"x-fc-function-name":     function,
		"x-fc-function-handler":  function,
		"x-fc-function-memory":   "128",
		"x-fc-access-key-id":     in.Credentials.AccessKeyID,
		"x-fc-access-key-secret": in.Credentials.AccessKeySecret,
		"x-fc-security-token":    in.Credentials.SecurityToken,
		"x-fc-retry-count":       strconv.Itoa(in.RetryCount),
		"x-fc-qualifier":         "LATEST",
		"x-fc-version-id":        "",
		"x-fc-service-name":      "",
		"x-fc-region":            "cn-hangzhou",
		"x-fc-account-id":        "1234567890123456",
	}
}

// lambda is the API of "AWS Lambda: Using the Lambda runtime API".
var lambda = protocol{
	variable: "AWS_LAMBDA_RUNTIME_API",
	root:     "/2018-06-01/runtime",
	accepted: http.StatusAccepted,
	header:   lambdaHeader,
}

const arn = "arn:aws:lambda:us-east-1:123456789012:function:"

func lambdaHeader(function string, in Invocation, deadline time.Time) map[string]string {
	return map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       in.RequestID,
		"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": arn + function,
	}
}
