package aliyuntest_test

import (
	"context"
	"fmt"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// A client whose first call is throttled, and what the API has accepted in the
// end.
func ExampleServer() {
	api := &aliyuntest.Server{
		Quota: aliyuntest.Quota{URLs: 10},
		Fault: func(c aliyuntest.Call) aliyuntest.Fault {
			if c.N == 0 {
				return aliyuntest.Fault{Status: 400, Code: "Throttling.User"}
			}
			return aliyuntest.Fault{}
		},
	}
	if err := api.Start(); err != nil { // tests call NewTestServer
		fmt.Println(err)
		return
	}
	defer api.Close()

	client := aliyun.NewClient(aliyun.Endpoint(api.URL))
	caller := client.With(aliyun.Credentials{
		AccessKeyID:     aliyuntest.TestCredential.AccessKeyID,
		AccessKeySecret: aliyuntest.TestCredential.AccessKeySecret,
		SecurityToken:   aliyuntest.TestCredential.SecurityToken,
	})
	call := refresh.Call{
		Product: "dcdn", Type: "File",
		URLs: []string{"https://www.example.com/a.png", "https://www.example.com/b.png"},
	}
	for range 2 {
		receipt, err := caller.Refresh(context.Background(), call)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("task", receipt.TaskID)
	}
	for _, a := range api.Accepted() {
		fmt.Println(a.Product, a.Type, a.URL)
	}
	// Output:
	// RefreshDcdnObjectCaches: Throttling.User: Bad Request (request id E5BD4B50-7A02-493A-AE0B-000000000000)
	// task 95248881
	// dcdn File https://www.example.com/a.png
	// dcdn File https://www.example.com/b.png
}
