package aliyuntest

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The example of "Request syntax and signature method V2 for RPC APIs".
func TestSignatureOfTheDocumentation(t *testing.T) {
	q := request{method: "GET", params: parameters{
		"AccessKeyId":      "testid",
		"Action":           "DescribeRegions",
		"Format":           "XML",
		"Signature":        "is not signed",
		"SignatureMethod":  "HMAC-SHA1",
		"SignatureNonce":   "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf",
		"SignatureVersion": "1.0",
		"Timestamp":        "2016-02-23T12:46:24Z",
		"Version":          "2014-05-26",
	}}
	if got, want := signature(stringToSign(q), "testsecret"), "OLeaidS1JvxuMvnyHOwuJ+uX5qY="; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAuthentication(t *testing.T) {
	set := func(name, value string) func(url.Values) {
		return func(query url.Values) { query.Set(name, value) }
	}
	without := func(name string) func(url.Values) {
		return func(query url.Values) { query.Del(name) }
	}
	other := Credential{AccessKeyID: "other", AccessKeySecret: "other", SecurityToken: "of the other"}
	tests := []struct {
		name   string
		change func(url.Values) // of the query, after signing
		status int
		code   string
	}{
		{"nothing", func(url.Values) {}, 200, ""},
		{"a parameter", set("RegionId", "cn-beijing"), 400, "SignatureDoesNotMatch"},
		{"one more parameter", set("Force", "true"), 400, "SignatureDoesNotMatch"},
		{"one parameter less", without("RegionId"), 400, "SignatureDoesNotMatch"},
		{"no signature", without("Signature"), 400, "MissingSignature"},
		{"no key", without("AccessKeyId"), 400, "MissingAccessKeyId"},
		{"unknown key", set("AccessKeyId", "unknown"), 404, "InvalidAccessKeyId.NotFound"},
		{"method", set("SignatureMethod", "HMAC-SHA256"), 400, "InvalidSignatureMethod"},
		{"version", set("SignatureVersion", "2.0"), 400, "InvalidSignatureVersion"},
		{"time format", set("Timestamp", "2018-01-15 10:00:00"), 400, "InvalidTimeStamp.Format"},
		{"old", set("Timestamp", "2018-01-15T10:00:00Z"), 400, "InvalidTimeStamp.Expired"},
		{"no nonce", without("SignatureNonce"), 400, "MissingSignatureNonce"},
		{"no token", without("SecurityToken"), 400, "MissingSecurityToken"},
		{"unknown token", set("SecurityToken", "unknown"), 400, "InvalidSecurityToken.Malformed"},
		{"token of another key", set("SecurityToken", other.SecurityToken), 400, "InvalidSecurityToken.MismatchWithAccessKey"},
		{"no format", without("Format"), 400, "InvalidParameter.Format"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Server{Credentials: []Credential{TestCredential, other}}
			r := refreshing("http://a.com/").signed(t, "")
			query := r.URL.Query()
			tt.change(query)
			r.URL.RawQuery = query.Encode()
			a := s.handle(t, r)
			if a.StatusCode != tt.status || a.code() != tt.code {
				t.Errorf("got %d %q, want %d %q", a.StatusCode, a.code(), tt.status, tt.code)
			}
			if accepted := len(s.Accepted()) == 1; accepted != (tt.code == "") {
				t.Errorf("got %v for code %q", s.Accepted(), tt.code)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	permanent := Credential{AccessKeyID: "permanent", AccessKeySecret: "a"}
	wrong := Credential{AccessKeyID: "permanent", AccessKeySecret: "b"}
	tokened := Credential{AccessKeyID: "permanent", AccessKeySecret: "a", SecurityToken: "c"}
	tests := []struct {
		name string
		with Credential
		code string
	}{
		{"permanent", permanent, ""},
		{"wrong secret", wrong, "SignatureDoesNotMatch"},
		{"token where none belongs", tokened, "InvalidSecurityToken.Malformed"},
		{"test credential", TestCredential, "InvalidAccessKeyId.NotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewTestServer(t, &Server{Credentials: []Credential{permanent}})
			c := refreshing("http://a.com/")
			c.credential = &tt.with
			if a := s.send(t, c); a.code() != tt.code {
				t.Errorf("got %q, want %q", a.code(), tt.code)
			}
		})
	}
}

// The API's message repeats the signed string, token included: clients must
// not print it.
func TestMismatchRepeatsTheStringToSign(t *testing.T) {
	s := NewTestServer(t, nil)
	wrong := TestCredential
	wrong.AccessKeySecret = "wrong"
	c := refreshing("http://a.com/")
	c.credential = &wrong
	message, _ := s.send(t, c).fields["Message"].(string)
	const prefix = "Specified signature is not matched with our calculation. server string to sign is:POST&%2F&AccessKeyId%3D"
	token := percentEncode(percentEncode(TestCredential.SecurityToken))
	if !strings.HasPrefix(message, prefix) || !strings.Contains(message, token) {
		t.Errorf("got message %q", message)
	}
}

func TestNonceIsUsedOnce(t *testing.T) {
	s := &Server{}
	r := call{query: parameters{"ObjectPath": "http://a.com/"}}.signed(t, "")
	for _, want := range []string{"", "SignatureNonceUsed"} {
		if a := s.handle(t, r.Clone(t.Context())); a.code() != want {
			t.Errorf("got %q, want %q", a.code(), want)
		}
	}
	if got := len(s.Accepted()); got != 1 {
		t.Errorf("accepted %d URLs, want 1", got)
	}
}

func TestAgeOfRequestAndToken(t *testing.T) {
	tests := []struct {
		name          string
		age, lifetime time.Duration
		code          string
	}{
		{"at once", 0, 0, ""},
		{"a quarter of an hour", 15 * time.Minute, 0, ""},
		{"more", 15*time.Minute + time.Second, 0, "InvalidTimeStamp.Expired"},
		{"valid token", 9 * time.Minute, 10 * time.Minute, ""},
		{"expired token", 10 * time.Minute, 10 * time.Minute, "InvalidSecurityToken.Expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := TestCredential
				if tt.lifetime > 0 {
					c.Expires = time.Now().Add(tt.lifetime)
				}
				r := refreshing("http://a.com/").signed(t, "")
				time.Sleep(tt.age)
				s := &Server{Credentials: []Credential{c}}
				if a := s.handle(t, r); a.code() != tt.code {
					t.Errorf("got %q, want %q", a.code(), tt.code)
				}
			})
		})
	}
}

// Whatever the SDK signs is accepted as signed, and no longer with one parameter
// more.
func FuzzSignature(f *testing.F) {
	f.Add("http://a.com/图 (1).png\nhttp://a.com/a+b?c=%20~*", "x", true)
	f.Add("'\"<>&=;%zz\x00\xff", "", false)
	f.Fuzz(func(t *testing.T, path, added string, form bool) {
		c := call{query: parameters{"ObjectPath": path}}
		if form {
			c = call{form: parameters{"ObjectPath": path}}
		}
		s := &Server{}
		changed := c.signed(t, "")
		changed.URL.RawQuery += "&Added=" + url.QueryEscape(added)
		a := s.handle(t, changed)
		if a.StatusCode == 413 || a.StatusCode == 414 {
			return
		}
		if a.code() != "SignatureDoesNotMatch" {
			t.Errorf("changed: got %q, want SignatureDoesNotMatch", a.code())
		}
		if a := s.handle(t, c.signed(t, "")); a.code() == "SignatureDoesNotMatch" {
			t.Errorf("got %v", a.fields)
		}
	})
}
