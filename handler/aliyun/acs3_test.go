package aliyun

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

// The example of "V3 request structure and signature", Alibaba Cloud SDK
// documentation.
func TestACS3OfTheDocumentation(t *testing.T) {
	req, err := http.NewRequest(http.MethodPost, "https://ecs.cn-shanghai.aliyuncs.com/"+
		"?RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", nil)
	if err != nil {
		t.Fatal(err)
	}
	creds := Credentials{AccessKeyID: "YourAccessKeyId", AccessKeySecret: "YourAccessKeySecret"}
	now := time.Date(2023, 10, 26, 10, 22, 32, 0, time.UTC)
	signACS3(req, nil, "RunInstances", "2014-05-26", creds, now, "3156853299f313e23d1673dc12e1703d")
	const want = "ACS3-HMAC-SHA256 Credential=YourAccessKeyId," +
		"SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
		"Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
	if got := req.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The vendor's SDK for Node.js signs the same requests in the same way: how they
// were recorded is said in aliyuntest, which checks its own signatures by them.
func TestACS3OfTheSDK(t *testing.T) {
	file, err := os.ReadFile("aliyuntest/testdata/acs3.json")
	if err != nil {
		t.Fatal(err)
	}
	var recordings []struct {
		Method, URL, Body string
		Headers           map[string]string
	}
	if err := json.Unmarshal(file, &recordings); err != nil {
		t.Fatal(err)
	}
	for _, r := range recordings {
		req, err := http.NewRequest(r.Method, "http://"+r.Headers["host"]+r.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range r.Headers {
			if name != "host" && name != "Authorization" {
				req.Header.Set(name, value)
			}
		}
		date, err := time.Parse(time.RFC3339, r.Headers["x-acs-date"])
		if err != nil {
			t.Fatal(err)
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(r.Headers["Authorization"], acs3+" Credential="), ",")
		creds := Credentials{id, "testsecret", r.Headers["x-acs-security-token"]}
		signACS3(req, []byte(r.Body), r.Headers["x-acs-action"], r.Headers["x-acs-version"], creds,
			date, r.Headers["x-acs-signature-nonce"])
		if got, want := req.Header.Get("Authorization"), r.Headers["Authorization"]; got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", r.Headers["x-acs-action"], got, want)
		}
	}
	if len(recordings) < 5 {
		t.Errorf("%d recordings, want 5", len(recordings))
	}
}

// A server that was written by the public description alone takes whatever is
// signed, and refuses it after a change.
func FuzzACS3(f *testing.F) {
	f.Add("ObjectPath", "https://www.example.com/%E5%9B%BE%201.png\na+b*c~d'!()", "a=b&c", true)
	f.Add("a b+c*d~e%f&g=h/i?j#图\x00\xff", "", "", false)
	f.Fuzz(func(t *testing.T, name, value, body string, form bool) {
		api := &aliyuntest.Server{}
		request := func(nonce string) *http.Request {
			query := url.Values{name: {value, "2"}, "Force": {"false"}}
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost,
				"http://dcdn.example.com/?"+query.Encode(), strings.NewReader(body))
			if form {
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			signACS3(req, []byte(body), "DescribeDcdnRefreshQuota", "2018-01-15", testCredentials(),
				time.Now(), nonce)
			return req
		}
		code := func(req *http.Request) string {
			w := httptest.NewRecorder()
			api.ServeHTTP(w, req)
			var answer struct{ Code string }
			if w.Code == http.StatusRequestURITooLong || w.Code == http.StatusRequestEntityTooLarge {
				t.Skip("a gateway refuses its size")
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			return answer.Code
		}
		if got := code(request("first")); got != "" {
			t.Errorf("the signed request is refused: %s", got)
		}
		changed := request("second")
		changed.URL.RawQuery += "&Force=true"
		if got := code(changed); got != "SignatureDoesNotMatch" {
			t.Errorf("a changed request: got %q, want SignatureDoesNotMatch", got)
		}
	})
}
