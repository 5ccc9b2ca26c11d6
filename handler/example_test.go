package handler_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// An upload, handled against the refresh API on this machine.
func ExampleHandler_Handle() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	table := filepath.Join(dir, "mapping.yaml")
	_ = os.WriteFile(table, []byte(`rules: [{bucket: my-site, targets: [{domain: www.example.com}]}]`), 0o600)

	api := &aliyuntest.Server{}
	if err := api.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer api.Close()
	endpoint, _ := aliyun.ParseEndpoint(api.URL)
	caller := aliyun.NewClient(endpoint).With(aliyun.Credentials{
		AccessKeyID:     aliyuntest.TestCredential.AccessKeyID,
		AccessKeySecret: aliyuntest.TestCredential.AccessKeySecret,
		SecurityToken:   aliyuntest.TestCredential.SecurityToken,
	})

	h := handler.New(handler.Settings{MappingFile: table, Output: io.Discard}, handler.Platform{
		API:       func(context.Context) refresh.Refresher { return caller },
		RequestID: func(context.Context) string { return "1-67a0" },
	})
	report, err := h.Handle(context.Background(), []byte(`{"events": [{
		"eventName": "ObjectCreated:PutObject", "eventSource": "acs:oss",
		"oss": {"bucket": {"name": "my-site"}, "object": {"key": "photo (1).jpg"}}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Mapped, "record mapped,", report.Requests, "request")
	fmt.Println(report.Refreshed[0].URLs[0])
	// Output:
	// 1 record mapped, 1 request
	// https://www.example.com/photo%20(1).jpg
}
