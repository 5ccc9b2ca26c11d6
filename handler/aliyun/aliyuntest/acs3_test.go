package aliyuntest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A recorded request of the vendor's SDK for Node.js. Those in testdata/acs3.json
// were made with @alicloud/dcdn20180115 2.5.0, @alicloud/cdn20180510 5.0.0,
// @alicloud/esa20240910 2.43.0 and @alicloud/openapi-core 1.0.8, whose endpoint was
// a local HTTP server that wrote down what it got. The access keys are testid and,
// with the token test-token+/=, teststs; the secret of both is testsecret.
type recorded struct {
	Method, URL string
	Headers     map[string]string
	Body        string
}

func recordings(t *testing.T) []recorded {
	t.Helper()
	file, err := os.ReadFile("testdata/acs3.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (r recorded) request(t *testing.T) *http.Request {
	q := httptest.NewRequestWithContext(t.Context(), r.Method, r.URL, strings.NewReader(r.Body))
	for name, value := range r.Headers {
		q.Header.Set(name, value)
	}
	q.Host = r.Headers["host"]
	q.Header.Del("Host")
	return q
}

// at waits until the time of a recording, in the time of a bubble.
func (r recorded) at(t *testing.T) {
	t.Helper()
	date, err := time.Parse(time.RFC3339, r.Headers["x-acs-date"])
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(date))
}

// account has the access keys of the recordings.
func account() *Server {
	return &Server{Credentials: []Credential{
		{AccessKeyID: "testid", AccessKeySecret: "testsecret"},
		{AccessKeyID: "teststs", AccessKeySecret: "testsecret", SecurityToken: "test-token+/="},
	}}
}

// What the vendor's SDK signs with ACS3 is accepted as signed, and no longer
// after any change.
func TestACS3(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, r := range recordings(t) {
			r.at(t)
			want := ""
			if r.Headers["x-acs-action"] == "PurgeCaches" {
				want = "InvalidContent" // the URL in it is not percent-encoded
			}
			if got := account().handle(t, r.request(t)).code(); got != want {
				t.Errorf("%s: got %q, want %q", r.Headers["x-acs-action"], got, want)
			}
		}
	})
}

func TestACS3Refusals(t *testing.T) {
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	tests := []struct {
		name   string
		change func(*http.Request) // after signing
		code   string
	}{
		{"a parameter more", func(r *http.Request) { r.URL.RawQuery += "&Force=true" }, "SignatureDoesNotMatch"},
		{"a parameter less", func(r *http.Request) { r.URL.RawQuery = "" }, "SignatureDoesNotMatch"},
		{"another host", func(r *http.Request) { r.Host = "dcdn.aliyuncs.com" }, "SignatureDoesNotMatch"},
		{"another method", func(r *http.Request) { r.Method = "GET" }, "SignatureDoesNotMatch"},
		{"another action", header("X-Acs-Action", "DescribeDcdnRefreshQuota"), "SignatureDoesNotMatch"},
		{"no action", header("X-Acs-Action", ""), "MissingAction"},
		{"no version", header("X-Acs-Version", ""), "MissingVersion"},
		{"a header more", header("X-Acs-More", "1"), "IncompleteSignature"},
		{"another hash", header("X-Acs-Content-Sha256", hexHash([]byte("x"))), "InvalidContentSha256"},
		{"no hash", header("X-Acs-Content-Sha256", ""), "MissingX-Acs-Content-Sha256"},
		{"no nonce", header("X-Acs-Signature-Nonce", ""), "MissingX-Acs-Signature-Nonce"},
		{"no date", header("X-Acs-Date", ""), "MissingX-Acs-Date"},
		{"another date", header("X-Acs-Date", "2026-11-25"), "InvalidTimeStamp.Format"},
		{"old", func(*http.Request) { time.Sleep(16 * time.Minute) }, "InvalidTimeStamp.Expired"},
		{"another key", header("Authorization", acs3+" Credential=other,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=00"), "InvalidAccessKeyId.NotFound"},
		{"another signature", header("Authorization", acs3+" Credential=testid,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature=00"), "SignatureDoesNotMatch"},
		{"nothing signed", header("Authorization", acs3+" Credential=testid,Signature=00"), "IncompleteSignature"},
		{"nothing", header("Authorization", acs3+" "), "IncompleteSignature"},
		{"another algorithm", header("Authorization", "ACS3-RSA-SHA256 Credential=testid"), "MissingAction"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := recordings(t)[0]
				r.at(t)
				q := r.request(t)
				tt.change(q)
				s := account()
				if got := s.handle(t, q).code(); got != tt.code || len(s.Accepted()) != 0 {
					t.Errorf("got %q, accepted %v; want %q", got, s.Accepted(), tt.code)
				}
			})
		})
	}
}

func TestACS3NonceIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := recordings(t)[0], account()
		r.at(t)
		for _, want := range []string{"", "SignatureNonceUsed"} {
			if got := s.handle(t, r.request(t)).code(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

// An operation that is not here is told from one that is nowhere.
func TestOperationsThatAreNotHere(t *testing.T) {
	tests := []struct{ version, action, code, text string }{
		{"2018-01-15", "AddDcdnDomain", "NotEmulated", "AddDcdnDomain is an operation of the real API, but this emulator does not have it. It has of version 2018-01-15: DescribeDcdnDomainConfigs, DescribeDcdnRefreshQuota,"},
		{"2024-09-10", "CreateSite", "NotEmulated", "It has of version 2024-09-10: DescribePreloadTasks,"},
		{"2018-01-15", "RefreshObjectCaches", "InvalidAction.NotFound", "Specified api is not found"},
		{"2024-09-10", "PurgeEverything", "InvalidAction.NotFound", "Specified api is not found"},
	}
	for _, tt := range tests {
		a := NewTestServer(t, nil).send(t, call{action: tt.action, version: tt.version})
		message, _ := a.fields["Message"].(string)
		if a.code() != tt.code || !strings.Contains(message, tt.text) {
			t.Errorf("%s %s: got %q, %q", tt.version, tt.action, a.code(), message)
		}
	}
}

// What is here is in the list of what is real.
func TestOperationsAreReal(t *testing.T) {
	for version, product := range products {
		for action := range product.actions {
			if !realOperations()[version][action] {
				t.Errorf("%s is not an operation of version %s", action, version)
			}
		}
	}
}
