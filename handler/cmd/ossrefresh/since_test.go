package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// startBucket is the script command "bucket": it starts an OSS that ossrefresh
// finds in the environment, with the bucket my-site and some objects.
func startBucket(ts *testscript.TestScript, _ bool, _ []string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := aliyuntest.TestCredential.AccessKeyID
		if !strings.Contains(r.Header.Get("Authorization"), "Credential="+id+"/") ||
			!strings.HasPrefix(r.URL.Path, "/my-site/") || r.URL.Query().Get("list-type") != "2" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(
				w,
				"<Error><Code>AccessDenied</Code><Message>You have no right.</Message></Error>",
			)
			return
		}
		fmt.Fprint(w, "<ListBucketResult><EncodingType>url</EncodingType>")
		for _, object := range []string{
			"www/app.js 2026-11-20T07:59:59.000Z", "www/docs/index.html 2026-11-20T08:00:00.000Z",
			"www/app.js.map 2026-11-21T08:00:00.000Z", "www/%E5%9B%BE+1.png 2026-11-22T08:00:00.000Z",
		} {
			key, at, _ := strings.Cut(object, " ")
			fmt.Fprintf(
				w,
				"<Contents><Key>%s</Key><LastModified>%s</LastModified><Size>1</Size></Contents>",
				key,
				at,
			)
		}
		fmt.Fprint(w, "<IsTruncated>false</IsTruncated></ListBucketResult>")
	}))
	ts.Defer(server.Close)
	ts.Setenv("OSS_ENDPOINT", server.URL)
}
