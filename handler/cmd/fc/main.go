// Command fc is the function on Function Compute, runtime go1. It wires the platform
// and the API to package handler, and does nothing else.
package main

import (
	"context"
	"log"
	"os"

	"github.com/aliyun/fc-runtime-go-sdk/fc"
	"github.com/aliyun/fc-runtime-go-sdk/fc/messages"
	"github.com/aliyun/fc-runtime-go-sdk/fccontext"

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
	h := handler.New(settings, handler.Platform{
		API:       func(ctx context.Context) refresh.Refresher { return client.With(credentials(ctx)) },
		Tasks:     func(ctx context.Context) refresh.TaskLister { return client.With(credentials(ctx)) },
		RequestID: requestID,
		Retry:     retry,
	})
	fc.Start(func(ctx context.Context, payload []byte) (any, error) {
		handler.FitInstance()
		report, err := h.Handle(ctx, payload)
		if err != nil {
			return nil, messages.InvokeResponse_Error{Type: handler.ErrorType(err), Message: err.Error()}
		}
		return report, nil
	})
}

// credentials are those of the function's role, which each invocation brings
// anew; a process lives longer than they do.
func credentials(ctx context.Context) aliyun.Credentials {
	if fctx, ok := fccontext.FromContext(ctx); ok && fctx.Credentials.AccessKeyId != "" {
		c := fctx.Credentials
		return aliyun.Credentials{AccessKeyID: c.AccessKeyId, AccessKeySecret: c.AccessKeySecret, SecurityToken: c.SecurityToken}
	}
	return aliyun.CredentialsFrom(os.Getenv)
}

// retry is how often Function Compute has delivered the event before.
func retry(ctx context.Context) int {
	if fctx, ok := fccontext.FromContext(ctx); ok {
		return fctx.RetryCount
	}
	return 0
}

func requestID(ctx context.Context) string {
	if fctx, ok := fccontext.FromContext(ctx); ok {
		return fctx.RequestID
	}
	return ""
}
