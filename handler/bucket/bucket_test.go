package bucket

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler/aliyun"
)

// The example of OSS's documentation, "Include signatures in the Authorization
// header".
func TestSignature(t *testing.T) {
	r, err := http.NewRequest("PUT", "http://127.0.0.1/nelson", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Content-Md5": "ODBGOERFMDMzQTczRUY3NUE3NzA5QzdFNUYzMDQxNEM=", "Content-Type": "text/html",
		"Date": "Thu, 17 Nov 2005 18:49:58 GMT", "X-OSS-Meta-Author": "foo@bar.com", "X-OSS-Magic": "abracadabra",
	} {
		r.Header.Set(name, value)
	}
	mac := hmac.New(sha1.New, []byte("OtxrzxIsfpFjA7SwPzILwy8Bw21TLhquhboDYROV"))
	mac.Write([]byte(stringToSign(r, "/oss-example/nelson")))
	if got, want := base64.StdEncoding.EncodeToString(mac.Sum(nil)), "26NBxoKdsyly4EDv6inkoDft/yA="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

var creds = aliyun.Credentials{
	AccessKeyID:     "id",
	AccessKeySecret: "secret+key",
	SecurityToken:   "token/of",
}

// serve is OSS with n objects, which it lists two a page.
func serve(t *testing.T, keys []string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		mac := hmac.New(sha1.New, []byte(creds.AccessKeySecret))
		fmt.Fprintf(
			mac,
			"GET\n\n\n%s\nx-oss-security-token:%s\n/my-site/",
			r.Header.Get("Date"),
			creds.SecurityToken,
		)
		if r.Header.Get(
			"Authorization",
		) != "OSS id:"+base64.StdEncoding.EncodeToString(
			mac.Sum(nil),
		) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(
				w,
				"<Error><Code>AccessDenied</Code><Message>no</Message><RequestId>1</RequestId></Error>",
			)
			return
		}
		fmt.Fprint(w, "<ListBucketResult>")
		listed, last := 0, ""
		truncated := false
		for _, key := range keys {
			if key <= query.Get("marker") || !strings.HasPrefix(key, query.Get("prefix")) {
				continue
			}
			if truncated = listed == 2; truncated {
				break
			}
			listed, last = listed+1, key
			fmt.Fprint(w, "<Contents><Key>")
			_ = xml.EscapeText(w, []byte(url.QueryEscape(key)))
			fmt.Fprint(
				w,
				"</Key><LastModified>2026-11-20T08:00:00.000Z</LastModified><Size>7</Size></Contents>",
			)
		}
		fmt.Fprintf(
			w,
			"<IsTruncated>%t</IsTruncated><NextMarker>%s</NextMarker></ListBucketResult>",
			truncated,
			url.QueryEscape(last),
		)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestListGoesThroughAllPages(t *testing.T) {
	keys := []string{"a+b.txt", "www/ x.png", "www/a&b", "www/图.png", "www/\u0001", "z"}
	b, err := New(
		serve(t, []string{"a+b.txt", "www/\u0001", "www/ x.png", "www/a&b", "www/图.png", "z"}),
		"cn-hangzhou",
		"my-site",
		creds,
	)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	if err := b.List(t.Context(), "", func(o Object) {
		seen[o.Key] = o.Size == 7 && o.Modified.Equal(time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC))
	}); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if !seen[key] {
			t.Errorf("%q is not listed as it is", key)
		}
	}
	n := 0
	if err := b.List(t.Context(), "www/", func(Object) { n++ }); err != nil || n != 4 {
		t.Errorf("%d objects of www/, %v", n, err)
	}
}

func TestRefusal(t *testing.T) {
	b, err := New(serve(t, nil), "cn-hangzhou", "my-site", aliyun.Credentials{AccessKeyID: "other"})
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := b.List(t.Context(), "", func(Object) {}); !errors.As(err, &e) ||
		e.Code != "AccessDenied" ||
		e.RequestID != "1" {
		t.Errorf("%v", err)
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"", "a", "a/b", "evil.example.com/", "A-bucket", "-ab"} {
		if _, err := New("", "cn-hangzhou", name, creds); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}
