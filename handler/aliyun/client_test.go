package aliyun

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// plainKey are credentials without a token.
var plainKey = Credentials{AccessKeyID: "LTAI", AccessKeySecret: "secret"}

func testCredentials() Credentials {
	c := aliyuntest.TestCredential
	return Credentials{c.AccessKeyID, c.AccessKeySecret, c.SecurityToken}
}

func caller(api *aliyuntest.Server) *Caller {
	client := NewClient(Endpoint(api.URL))
	client.DialWith(api.Dial)
	return client.With(testCredentials())
}

// always starts an API that answers every call with the fault.
func always(t *testing.T, fault aliyuntest.Fault) *aliyuntest.Server {
	t.Helper()
	return aliyuntest.NewTestServer(t, &aliyuntest.Server{
		Fault: func(aliyuntest.Call) aliyuntest.Fault { return fault },
	})
}

func call(product string, urls ...string) refresh.Call {
	return refresh.Call{Product: product, Type: "File", URLs: urls}
}

const photo = "https://www.example.com/%E5%9B%BE%201.png"

// refused returns the error of a call that must have one.
func refused(t *testing.T, c *Caller, call refresh.Call) *refresh.Error {
	t.Helper()
	receipt, err := c.Refresh(t.Context(), call)
	var e *refresh.Error
	if !errors.As(err, &e) {
		t.Fatalf("the answer is %+v and the error %v, want a refresh.Error", receipt, err)
	}
	return e
}

func TestRefresh(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn"} {
		for _, push := range []bool{false, true} {
			api := aliyuntest.NewTestServer(t, &aliyuntest.Server{PushTaskID: push})
			both := call(product, photo, "https://www.example.com/a%2Bb")
			receipt, err := caller(api).Refresh(t.Context(), both)
			if err != nil || receipt.TaskID == "" || receipt.RequestID == "" {
				t.Fatalf("%s: %+v, %v", product, receipt, err)
			}
			accepted, calls := api.Accepted(), api.Calls()
			first := aliyuntest.Accepted{Product: product, Type: "File", URL: photo, TaskID: receipt.TaskID}
			if len(accepted) != 2 || accepted[0] != first {
				t.Errorf("%s: accepted %+v", product, accepted)
			}
			if calls[0].ObjectPathIn != "form" {
				t.Errorf("%s: ObjectPath is in the %s, want the form", product, calls[0].ObjectPathIn)
			}
		}
	}
}

func TestForce(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn"} {
		api := aliyuntest.NewTestServer(t, nil)
		for _, force := range []bool{true, false} {
			directory := refresh.Call{
				Product: product, Type: "Directory", Force: force, URLs: []string{"https://www.example.com/a/"},
			}
			if _, err := caller(api).Refresh(t.Context(), directory); err != nil {
				t.Fatal(err)
			}
		}
		if accepted := api.Accepted(); !accepted[0].Force || accepted[1].Force {
			t.Errorf("%s: accepted %+v; want the first with force", product, accepted)
		}
	}
}

// Who asks what an answer has is told of each, refusals too.
func TestAnswered(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{PushTaskID: true})
	c := caller(api)
	var got []string
	c.client.Answered = func(operation string, members []string) {
		got = append(got, operation+" "+strings.Join(members, ","))
	}
	for _, url := range []string{"https://www.example.com/a", "not a URL"} {
		_, _ = c.Refresh(t.Context(), refresh.Call{Product: "dcdn", Type: "File", URLs: []string{url}})
	}
	want := []string{
		"RefreshDcdnObjectCaches PushTaskId,RequestId",
		"RefreshDcdnObjectCaches Code,HostId,Message,Recommend,RequestId",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestRefreshWithoutToken(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Credentials: []aliyuntest.Credential{
		{AccessKeyID: plainKey.AccessKeyID, AccessKeySecret: plainKey.AccessKeySecret},
	}})
	c := NewClient(Endpoint(api.URL))
	if _, err := c.With(plainKey).Refresh(t.Context(), call("dcdn", photo)); err != nil {
		t.Error(err)
	}
	e := refused(t, c.With(Credentials{}), call("dcdn", photo))
	if e.Code != "MissingCredentials" || !e.Unsent || e.Class != refresh.StopAll {
		t.Errorf("without credentials: %+v", e)
	}
}

// Each answer that is no acceptance has its class.
func TestClasses(t *testing.T) {
	type fault = aliyuntest.Fault
	tests := map[string]struct {
		fault fault
		code  string
		class refresh.Class
	}{
		"a code of a family":             {fault{Status: 404, Code: "InvalidAccessKeyId.Inactive"}, "InvalidAccessKeyId.Inactive", refresh.StopAll},
		"throttling of any kind":         {fault{Status: 400, Code: "Throttling.Whatever"}, "Throttling.Whatever", refresh.Again},
		"an unknown code, 400":           {fault{Status: 400, Code: "Odd.Thing"}, "Odd.Thing", refresh.Unknown},
		"an unknown code, 403":           {fault{Status: 403, Code: "Odd.Thing"}, "Odd.Thing", refresh.Unknown},
		"an unknown code, 404":           {fault{Status: 404, Code: "Odd.Thing"}, "Odd.Thing", refresh.Unknown},
		"another case":                   {fault{Status: 404, Code: "invaliddomain.notfound"}, "invaliddomain.notfound", refresh.SplitDomains},
		"blanks":                         {fault{Status: 400, Code: " Quota Exceeded.Refresh "}, " Quota Exceeded.Refresh ", refresh.Quota},
		"a path's fault":                 {fault{Status: 400, Code: "InvalidObjectPath.TooLong"}, "InvalidObjectPath.TooLong", refresh.Halve},
		"a domain's fault":               {fault{Status: 403, Code: "InvalidDomain.Locked"}, "InvalidDomain.Locked", refresh.SplitDomains},
		"a row within a family":          {fault{Status: 500, Code: "InvalidDomain.configure_failed"}, "InvalidDomain.configure_failed", refresh.Busy},
		"forbidden":                      {fault{Status: 403, Code: "Forbidden"}, "Forbidden", refresh.SplitDomains},
		"forbidden by more":              {fault{Status: 403, Code: "ForbiddenOperation.X"}, "ForbiddenOperation.X", refresh.SplitDomains},
		"no permission":                  {fault{Status: 403, Code: "NoPermission.System"}, "NoPermission.System", refresh.SplitDomains},
		"another quota":                  {fault{Status: 400, Code: "QuotaExceeded"}, "QuotaExceeded", refresh.Quota},
		"a quota a minute":               {fault{Status: 400, Code: "QuotaPerMinuteExceeded"}, "QuotaPerMinuteExceeded", refresh.AgainLater},
		"the beginning of a code":        {fault{Status: 400, Code: "InvalidDomainName.Malformed"}, "InvalidDomainName.Malformed", refresh.Unknown},
		"an unknown code, 429":           {fault{Status: 429, Code: "Odd.Thing"}, "Odd.Thing", refresh.Again},
		"an unknown code, 500":           {fault{Status: 500, Code: "Odd.Thing"}, "Odd.Thing", refresh.Again},
		"a known code at another status": {fault{Status: 503, Code: "QuotaExceeded.Refresh"}, "QuotaExceeded.Refresh", refresh.Quota},
		"no code, 403":                   {fault{Status: 403, Body: `{"RequestId":"1"}`}, "HTTP403", refresh.Unknown},
		"a number for a code":            {fault{Status: 400, OddCode: 42}, "42", refresh.Unknown},
		"an object for a code, 500":      {fault{Status: 500, OddCode: map[string]int{"a": 1}}, `{"a":1}`, refresh.Again},
		"null for a code":                {fault{Status: 400, Body: `{"Code":null,"Message":[],"RequestId":{}}`}, "HTTP400", refresh.Unknown},
		"HTML, 200":                      {fault{Body: "<html>", ContentType: "text/html"}, "HTTP200", refresh.Again},
		"HTML, 404":                      {fault{Status: 404, Body: "<html>"}, "HTTP404", refresh.Again},
		"HTML, 413":                      {fault{Status: 413, Body: "<html>"}, "HTTP413", refresh.Halve},
		"HTML, 414":                      {fault{Status: 414, Body: "<html>"}, "HTTP414", refresh.Halve},
		"HTML, 502":                      {fault{Status: 502, Body: "<html>"}, "HTTP502", refresh.Again},
		"nothing":                        {fault{Empty: true}, "HTTP200", refresh.Again},
		"null":                           {fault{Body: "null"}, "HTTP200", refresh.Again},
		"a list":                         {fault{Body: "[]"}, "HTTP200", refresh.Again},
		"truncated":                      {fault{Body: `{"RequestId":"1","Refr`}, "HTTP200", refresh.Again},
		"no RequestId":                   {fault{NoRequestID: true}, "NoRequestId", refresh.Again},
		"a code at 200":                  {fault{Body: `{"Code":"Throttling","RequestId":"1"}`}, "Throttling", refresh.Again},
		"a redirect":                     {fault{Redirect: "http://127.0.0.1:1/"}, "Redirect", refresh.Permanent},
		"a redirect to GET":              {fault{Status: 302, Redirect: "/"}, "Redirect", refresh.Permanent},
		"dropped before":                 {fault{DropBefore: true}, "ConnectionBroken", refresh.Again},
		"dropped after":                  {fault{DropAfter: true}, "ConnectionBroken", refresh.Again},
	}
	for _, row := range refusals {
		code := strings.ReplaceAll(row.Code, "*", "X")
		tests["the table's "+code] = struct {
			fault fault
			code  string
			class refresh.Class
		}{fault{Status: 400, Code: code}, code, row.Class}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			api := always(t, test.fault)
			e := refused(t, caller(api), call("dcdn", photo, photo+"2"))
			if e.Code != test.code || e.Class != test.class {
				t.Errorf("%q is of class %v, want %q and %v", e.Code, e.Class, test.code, test.class)
			}
			if len(api.Calls()) != 1 {
				t.Errorf("%d calls, want one", len(api.Calls()))
			}
		})
	}
}

func TestAcceptedWithoutTaskID(t *testing.T) {
	api := always(t, aliyuntest.Fault{NoIDs: true})
	receipt, err := caller(api).Refresh(t.Context(), call("dcdn", photo))
	if err != nil || receipt.TaskID != "" || receipt.RequestID == "" {
		t.Errorf("%+v, %v", receipt, err)
	}
}

func TestErrorsCarryFacts(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Quota: aliyuntest.Quota{URLs: -1}})
	e := refused(t, caller(api), call("cdn", photo))
	want := "RefreshObjectCaches: QuotaExceeded.Refresh: Your refresh attempts have exceeded" +
		" the daily limit. (request id " + e.RequestID + ")"
	if e.Error() != want || e.RequestID == "" {
		t.Errorf("the error is %q, want %q", e.Error(), want)
	}
}

func TestHangingConnectionEndsWithTheContext(t *testing.T) {
	api := always(t, aliyuntest.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := caller(api).Refresh(ctx, call("dcdn", photo))
	var e *refresh.Error
	if !errors.As(err, &e) || e.Code != "NoAnswer" || e.Class != refresh.Again {
		t.Errorf("the error is %v", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error %v does not come from the context", err)
	}
}

func TestKeptConnectionThatIsGoneIsTriedAtOnce(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{
		Fault: func(c aliyuntest.Call) aliyuntest.Fault { return aliyuntest.Fault{DropBefore: c.N == 1} },
	})
	c := caller(api)
	if _, err := c.Refresh(t.Context(), call("dcdn", photo)); err != nil {
		t.Fatal(err)
	}
	if e := refused(t, c, call("dcdn", photo)); e.Class != refresh.AgainNow {
		t.Errorf("the class is %v, want %v", e.Class, refresh.AgainNow)
	}
}

func TestObjectPathMovesToTheQuery(t *testing.T) {
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{PathInQuery: true})
	c := caller(api)
	e := refused(t, c, call("dcdn", photo, photo+"2"))
	if e.Class != refresh.Pack || e.Bytes <= 0 || e.Unsent {
		t.Fatalf("the first answer is %+v", e)
	}
	if _, err := c.Refresh(t.Context(), call("dcdn", photo)); err != nil {
		t.Fatal(err)
	}
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("https://www.example.com/%d/%s", i, strings.Repeat("%20", 30)))
	}
	e = refused(t, c, call("dcdn", many...))
	if e.Class != refresh.Pack || !e.Unsent || e.Bytes < 1000 || e.Bytes > maxLine {
		t.Errorf("a long request line: %+v", e)
	}
	// One long URL cannot be packed any smaller.
	long := "https://www.example.com/" + strings.Repeat("a", 7000)
	if _, err := c.Refresh(t.Context(), call("dcdn", long)); err != nil {
		t.Errorf("a long URL: %v", err)
	}
	if n := len(api.Calls()); n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
}

// What cannot be packed any smaller goes again as it is: a process may have no other
// event than this one.
func TestOneURLMovesToTheQuery(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn", "esa"} {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{PathInQuery: true})
		item := refresh.Target{Target: mapping.Target{
			Product: mapping.Product(product), Type: mapping.File, Domain: "www.example.com", URL: photo,
		}}
		if product == "esa" {
			item.Site = 7
		}
		s := submitter(t)
		requests := refresh.Plan(refresh.Debounce([]refresh.Target{item}), s.Limits)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		result := s.Submit(ctx, refresh.Job{API: caller(api), Requests: requests})
		if o := result.Outcomes; len(o) != 1 || o[0].Err != nil || result.Calls != 2 {
			t.Errorf("%s: %d calls, and the outcomes %+v", product, result.Calls, o)
		}
	}
}

func TestMissingParameterInTheQueryIsPermanent(t *testing.T) {
	api := always(t, aliyuntest.Fault{Status: 400, Code: "MissingParameter"})
	c := caller(api)
	refused(t, c, call("dcdn", photo))
	if e := refused(t, c, call("dcdn", photo)); e.Class != refresh.Permanent {
		t.Errorf("the second answer is %+v", e)
	}
	refused(t, c, call("dcdn", photo))
	for i, want := range []string{"form", "query", "form"} {
		if got := api.Calls()[i].ObjectPathIn; got != want {
			t.Errorf("call %d has ObjectPath in the %s, want the %s", i, got, want)
		}
	}
}

func TestMask(t *testing.T) {
	m := mask{"se/cr+et", "to ken"}.with("sig=")
	tests := map[string]string{
		"nothing":                    "nothing",
		"a se/cr+et b":               "a *** b",
		"se%2Fcr%2Bet se%2fcr%2bet":  "*** ***",
		"se%252Fcr%252Bet":           "***",
		"to+ken to%20ken to%2520ken": "*** *** ***",
		"Signature=sig%3D&x":         "Signature=***&x",
		"se/cr":                      "se/cr",
		"%2":                         "%2",
		"":                           "",
	}
	for text, want := range tests {
		if got := m.hide(text); got != want {
			t.Errorf("hide(%q) = %q, want %q", text, got, want)
		}
	}
}

// However often a secret is escaped, it is hidden. It has no percent sign:
// real ones are Base64.
func FuzzMask(f *testing.F) {
	f.Add("secret+/=", "before", "after", uint8(2), true)
	f.Fuzz(func(t *testing.T, secret, before, after string, times uint8, lower bool) {
		if len(secret) < minSecret || strings.ContainsAny(secret, "*%") {
			return
		}
		form := secret
		for range times % 4 {
			form = escape(form, lower)
		}
		got := (mask{secret}).hide(before + form + after)
		if strings.Contains(got, form) && !strings.Contains(before+after, form[:1]) {
			t.Errorf("%q as %q shows in %q", secret, form, got)
		}
	})
}

func escape(s string, lower bool) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9':
			b.WriteByte(c)
		case lower:
			fmt.Fprintf(&b, "%%%02x", c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// The secrets of other invocations are known by the names before them.
func TestMaskByName(t *testing.T) {
	tests := map[string]string{
		"POST /?Action=A&SecurityToken=CAIS%2Bx%3D&SignatureNonce=1": "POST /?Action=A&SecurityToken=***&SignatureNonce=1",
		"?Signature=a%2Bb%3D HTTP/1.1":                               "?Signature=*** HTTP/1.1",
		"SecurityToken%3DCAIS%252Bx%26SignatureMethod%3DHMAC-SHA1":   "SecurityToken%3D***%26SignatureMethod%3DHMAC-SHA1",
		"SecurityToken%253Dx%2526SignatureNonce%253D1":               "SecurityToken%253D***%2526SignatureNonce%253D1",
		"signature=x&amp;Version=1":                                  "signature=***&amp;Version=1",
		`{"SecurityToken":"CAIS+/=","AccessKeySecret": "x"}`:         `{"SecurityToken":"***","AccessKeySecret": "***"}`,
		`{\"SecurityToken\":\"CAIS\"}`:                               `{\"SecurityToken\":\"***\"}`,
		"x-acs-security-token: CAIS+/=\r\nHost: a":                   "x-acs-security-token: ***\r\nHost: a",
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET=abc":                        "ALIBABA_CLOUD_ACCESS_KEY_SECRET=***",
		"ACS3-HMAC-SHA256 Credential=x,SignedHeaders=a,Signature=0f": "ACS3-HMAC-SHA256 Credential=x,SignedHeaders=a,Signature=***",
		`invalid proxy address "http://user:p@ss@proxy:1/a@b"`:       `invalid proxy address "http://***@proxy:1/a@b"`,
		"https://www.example.com/a@b":                                "https://www.example.com/a@b",
		"Signature=":                                                 "Signature=",
		"Signature=&a":                                               "Signature=&a",
		"Signature":                                                  "Signature",
		"SignatureMethod=HMAC-SHA1":                                  "SignatureMethod=HMAC-SHA1",
		"the SecurityToken that was sent expired":                    "the SecurityToken that was sent expired",
	}
	for text, want := range tests {
		if got := (mask{}).hide(text); got != want {
			t.Errorf("hide(%q) = %q, want %q", text, got, want)
		}
	}
}

// A gateway that mixes up two calls may repeat the request of another
// invocation.
func TestSecretsOfOtherInvocationsAreMasked(t *testing.T) {
	const line = "POST /?Action=A&SecurityToken=CAISother%2Btoken&Signature=other%2Bsignature%3D&Version=1"
	for _, fault := range []aliyuntest.Fault{
		{Status: 400, Code: "Odd", Message: "you sent " + line},
		{Status: 400, Code: "Odd", Message: "you sent " + url.QueryEscape(line)},
		{Status: 400, Code: line, Message: "no"},
		{Body: `{"RequestId":"` + line + `","RefreshTaskId":"` + line + `"}`},
	} {
		api := always(t, fault)
		receipt, err := caller(api).Refresh(t.Context(), call("dcdn", photo))
		text := fmt.Sprint(receipt, err)
		shown := strings.Contains(text, "CAISother") || strings.Contains(text, "signature%")
		if shown || !strings.Contains(text, "***") {
			t.Errorf("the answer is %s", text)
		}
	}
}

func TestProxyPasswordIsMasked(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 407 user has not pass/word\r\nContent-Length: 0\r\n\r\n")
	}))
	defer proxy.Close()
	for _, host := range []string{proxy.Listener.Addr().String(), "127.0.0.1:1"} {
		client := NewClient("https://dcdn.example.com")
		through, err := url.Parse("http://user:pass%2Fword@" + host)
		if err != nil {
			t.Fatal(err)
		}
		client.transport.Proxy = http.ProxyURL(through)
		e := refused(t, client.With(plainKey), call("dcdn", photo))
		if e.Class != refresh.Again || !e.Unsent || strings.Contains(e.Error(), "word") {
			t.Errorf("%s: %+v", host, e)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	accepted := map[string]Endpoint{
		"":                          "",
		"dcdn.example.com":          "https://dcdn.example.com",
		"dcdn.example.com:8443":     "https://dcdn.example.com:8443",
		"https://dcdn.example.com/": "https://dcdn.example.com",
		"http://127.0.0.1:80":       "http://127.0.0.1:80",
		"http://127.9.9.9:80":       "http://127.9.9.9:80",
		"http://[::1]:80":           "http://[::1]:80",
		"http://localhost:80":       "http://localhost:80",
	}
	for text, want := range accepted {
		if got, err := ParseEndpoint(text); got != want || err != nil {
			t.Errorf("ParseEndpoint(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
	refused := map[string]string{
		"http://dcdn.aliyuncs.com":            "plain HTTP",
		"http://127.0.0.1.example.com":        "plain HTTP",
		"http://10.0.0.1":                     "plain HTTP",
		"ftp://127.0.0.1":                     "scheme",
		"https://":                            "not a valid endpoint",
		"://":                                 "not a valid endpoint",
		"https://a b":                         "not a valid endpoint",
		"https://dcdn.example.com/path":       "more than",
		"https://dcdn.example.com/?a=b":       "more than",
		"https://user:password@dcdn.x":        "more than",
		"127.0.0.1:80:80":                     "not a valid endpoint",
		"https://dcdn.example.com:notaport":   "not a valid endpoint",
		"http://127.0.0.1@dcdn.aliyuncs.com/": "more than",
		"ftp://user:password@dcdn.x":          "scheme",
		"https://user:password@a b":           "not a valid endpoint",
		"https://dcdn.example.com:99999":      "not a valid endpoint",
		"http://[::1%25lo]:80":                "zone",
		"https://[fe80::1%25eth0]":            "zone",
	}
	for text, want := range refused {
		_, err := ParseEndpoint(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseEndpoint(%q): %v, want %q", text, err, want)
		} else if strings.Contains(err.Error(), "password") {
			t.Errorf("ParseEndpoint(%q): %v shows the password", text, err)
		}
	}
}

// HTTPS is what goes out when nothing is said, and a certificate that is not
// the host's is refused.
func TestHTTPSIsVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	endpoint, err := ParseEndpoint(strings.TrimPrefix(server.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(endpoint).With(plainKey)
	if e := refused(t, c, call("dcdn", photo)); !strings.Contains(e.Message, "certificate") {
		t.Errorf("the error is %v", e)
	}
}

func TestUnknownProduct(t *testing.T) {
	e := refused(t, NewClient("").With(Credentials{}), call("scdn", photo))
	if e.Code != "UnknownProduct" || !e.Unsent {
		t.Errorf("the error is %+v", e)
	}
}

// raw is a server in memory that answers the first request of each connection
// with a text, given its request line.
func raw(answer func(line string) string) *Caller {
	client := NewClient("http://127.0.0.1")
	client.DialWith(func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			reader := bufio.NewReader(theirs)
			line, _ := reader.ReadString('\n')
			go io.Copy(io.Discard, reader)
			io.WriteString(theirs, answer(line))
		}()
		return ours, nil
	})
	return client.With(testCredentials())
}

func TestAnotherProtocolIsNoAnswer(t *testing.T) {
	c := raw(func(string) string {
		return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	})
	if e := refused(t, c, call("dcdn", photo)); e.Class != refresh.Again {
		t.Errorf("the error is %+v", e)
	}
}

func TestWhatFollowsAnAnswerIsNotLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log.SetOutput(FilterLog(&out))
		defer log.SetOutput(os.Stderr)
		c := raw(func(line string) string {
			return "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"RequestId\":\"1\"}" + line
		})
		if _, err := c.Refresh(t.Context(), call("dcdn", photo)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until net/http has logged
		log.Print("something else")
		text := out.String()
		if strings.Contains(text, "Signature") || !strings.Contains(text, "something else") {
			t.Errorf("the log has %q", text)
		}
	})
}

func TestForeignTextIsMaskedAndCut(t *testing.T) {
	token := aliyuntest.TestCredential.SecurityToken
	escaped := strings.NewReplacer("/", `\/`, "+", `\u002b`).Replace(token)
	answers := []aliyuntest.Fault{
		{Body: fmt.Sprintf(`{"RequestId":"%s","RefreshTaskId":"%s"}`, escaped, escaped)},
		{Status: 400, Body: fmt.Sprintf(`{"RequestId":"1","Code":["%s"],"Message":{"a":"<%s>"}}`, escaped, escaped)},
		{Status: 400, Body: fmt.Sprintf(`{"Code":%q,"Message":%q,"RequestId":%q}`, strings.Repeat("c", 20000), strings.Repeat("m", 20000), strings.Repeat("r", 20000))},
	}
	for _, answer := range answers {
		api := always(t, answer)
		receipt, err := caller(api).Refresh(t.Context(), call("dcdn", photo))
		if text := fmt.Sprint(receipt, err); strings.Contains(text, "token+/") || len(text) > 2000 {
			t.Errorf("%.300s: the answer is %d bytes, %.300s", answer.Body, len(text), text)
		}
	}
}

func TestACallThatNobodyTookIsUnsent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := NewClient(Endpoint("http://" + l.Addr().String())).With(plainKey)
	if e := refused(t, c, call("dcdn", photo)); !e.Unsent || e.Class != refresh.Again {
		t.Errorf("the error is %+v", e)
	}
}

func TestLargeNumbersKeepTheirDigits(t *testing.T) {
	api := always(t, aliyuntest.Fault{Body: `{"RequestId":"1","RefreshTaskId":95248880123456789}`})
	receipt, err := caller(api).Refresh(t.Context(), call("dcdn", photo))
	if err != nil || receipt.TaskID != "95248880123456789" {
		t.Errorf("%+v, %v", receipt, err)
	}
}

// After a freeze, all kept connections may be dead without having said so. One
// that does not answer is reason enough to try none of the others.
func TestSilentConnectionsAreLeft(t *testing.T) {
	var all sync.WaitGroup
	all.Add(3)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // it answers once, then never
				request, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				io.Copy(io.Discard, request.Body)
				if strings.Contains(request.URL.RawQuery, "RefreshDcdnObjectCaches") {
					all.Done()
					all.Wait()
				}
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"RequestId\":\"1\"}")
			}()
		}
	}()
	c := NewClient(Endpoint("http://" + l.Addr().String())).With(plainKey)
	var warm sync.WaitGroup
	for range 3 { // three connections, all kept
		warm.Go(func() { c.Refresh(t.Context(), call("dcdn", photo)) })
	}
	warm.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Refresh(ctx, call("cdn", photo)); err == nil {
		t.Fatal("a silent connection answered")
	}
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := c.Refresh(ctx, call("cdn", photo)); err != nil {
		t.Errorf("after a silent connection: %v", err)
	}
}
