package deployment

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/aliyun"
)

const (
	maxAnswer = 4 << 20 // bytes
	maxLine   = 4000    // bytes of parameters in a request line; what is longer goes into the form
)

// A Cloud calls the APIs with one set of credentials. It is a [Caller].
type Cloud struct {
	endpoint  string // of all services; "": each one's own
	region    string
	creds     aliyun.Credentials
	transport *http.Transport
}

// NewCloud returns a Cloud of a region. The endpoint, if any, stands for every
// service: http:// and a loopback host, for tests.
func NewCloud(endpoint, region string, creds aliyun.Credentials) (*Cloud, error) {
	parsed, err := aliyun.ParseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	if endpoint != "" && !strings.HasPrefix(string(parsed), "http://") {
		return nil, fmt.Errorf("%q does not stand for every service; "+
			"accepted: http:// and a loopback host", string(parsed))
	}
	return &Cloud{
		endpoint: string(parsed), region: region, creds: creds,
		transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
		},
	}, nil
}

// Call makes a call, once. Its error is an *[Error].
func (c *Cloud) Call(ctx context.Context, call Call) (Answer, error) {
	var request *http.Request
	var err error
	if call.Path != "" {
		request, err = c.logRequest(ctx, call)
	} else {
		request, err = c.rpcRequest(ctx, call)
	}
	var status int
	var body []byte
	if err == nil {
		status, body, err = c.roundTrip(request)
	}
	if err != nil {
		return nil, c.noAnswer(ctx, call.Service, call.Op, err)
	}
	answer, fault := readAnswer(status, body)
	if fault == nil {
		return answer, nil
	}
	fault.Service, fault.Op = call.Service, call.Op
	fault.Message = c.creds.Hide(fault.Message)
	return nil, fault
}

func (c *Cloud) noAnswer(ctx context.Context, service Service, op string, err error) *Error {
	return &Error{
		Service: service, Op: op, Code: "NoAnswer", Message: c.creds.Hide(err.Error()),
		again: ctx.Err() == nil,
	}
}

// roundTrip goes around http.Client, which follows redirects and puts the URL,
// and so the token, into its errors.
func (c *Cloud) roundTrip(request *http.Request) (int, []byte, error) {
	request.Header.Set("User-Agent", "oss-cdn-refresh")
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, body, err
}

// readAnswer makes an answer of a response, or an error. Simple Message Queue
// says no with success false, whatever the HTTP status is.
func readAnswer(status int, body []byte) (Answer, *Error) {
	var a Answer
	isJSON := json.Unmarshal(body, &a) == nil
	ok := status/100 == 2 && (isJSON || len(bytes.TrimSpace(body)) == 0)
	if ok && a.text("Success") != "false" {
		return a, nil
	}
	e := &Error{Status: status, RequestID: cmp.Or(a.text("RequestId"), a.text("requestId"))}
	if ok { // the code is a number then, and the status a word
		e.Code = cmp.Or(a.text("Status"), a.text("Code"))
	} else {
		e.Code = cmp.Or(a.text("Code"), a.text("errorCode"))
	}
	e.Message = cmp.Or(a.text("Message"), a.text("errorMessage"))
	if e.Code == "" {
		e.Code = fmt.Sprintf("HTTP%d", status)
	}
	return nil, e.classed()
}

// classed notes whether another try may help, and leaves out what a message about
// the signature repeats: the signed request.
func (e *Error) classed() *Error {
	if strings.Contains(e.Code, "Signature") {
		e.Message = "the signature was not accepted; what else it says repeats the request"
	}
	e.again = e.Status == http.StatusTooManyRequests || e.Status >= 500 ||
		hasPrefixFold(e.Code, "Throttling")
	return e
}

var (
	versions = map[Service]string{
		RAM: versionRAM, STS: versionSTS, ResourceManager: versionResources, SMQ: versionSMQ,
		LogService: versionLogs,
	}
	errHost = errors.New("the service has no endpoint")
)

// base returns the scheme and host of a service.
func (c *Cloud) base(service Service) string {
	switch {
	case c.endpoint != "":
		return c.endpoint
	case service == SMQ:
		return "https://mns-open." + c.region + ".aliyuncs.com"
	}
	return "https://" + string(service) + ".aliyuncs.com"
}

// rpcRequest signs as "Request syntax and signature method V2 for RPC APIs"
// says (signature version 1.0). Parameters are in the query, as the vendor's SDK
// has them; where they would make it too long, in the form, which the gateway
// takes too.
func (c *Cloud) rpcRequest(ctx context.Context, call Call) (*http.Request, error) {
	version, known := versions[call.Service]
	if !known {
		return nil, errHost
	}
	common := url.Values{
		"Action": {call.Op}, "Version": {version}, "Format": {"JSON"}, "RegionId": {c.region},
		"Timestamp":       {time.Now().UTC().Format("2006-01-02T15:04:05Z")},
		"AccessKeyId":     {c.creds.AccessKeyID},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"},
		"SignatureNonce": {rand.Text()},
	}
	if c.creds.SecurityToken != "" {
		common.Set("SecurityToken", c.creds.SecurityToken)
	}
	params, all := url.Values{}, url.Values{}
	for name, value := range call.Params {
		params.Set(name, value)
		all.Set(name, value)
	}
	for name, value := range common {
		all[name] = value
	}
	toSign := "POST&%2F&" + url.QueryEscape(escaped(all))
	common.Set("Signature", c.hmac(toSign, c.creds.AccessKeySecret+"&"))
	query, form := common, params
	if len(params.Encode()) <= maxLine {
		all.Set("Signature", common.Get("Signature"))
		query, form = all, nil
	}
	target := c.base(call.Service) + "/?" + query.Encode()
	body := strings.NewReader(form.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err == nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return request, err
}

// escaped is the canonical query: sorted, and percent-encoded as RFC 3986 has it.
func escaped(values url.Values) string {
	return strings.ReplaceAll(values.Encode(), "+", "%20")
}

func (c *Cloud) hmac(text, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// recordsRegion holds the records of an account that belong to no project
// (alicloud_log_resource_record, Terraform: "a main region").
const recordsRegion = "cn-heyuan"

// logRequest signs as "Request signatures" of Log Service says (HMAC-SHA1).
func (c *Cloud) logRequest(ctx context.Context, call Call) (*http.Request, error) {
	var body []byte
	if call.Body != nil {
		var err error
		if body, err = json.Marshal(call.Body); err != nil {
			return nil, err
		}
	}
	host := call.Project + "." + c.region + ".log.aliyuncs.com"
	if call.Project == "" {
		host = recordsRegion + ".log.aliyuncs.com"
	}
	target := cmp.Or(c.endpoint, "https://"+host) + call.Path
	request, err := http.NewRequestWithContext(ctx, call.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Host = host // which names the project, wherever the request goes
	header := request.Header
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("x-log-apiversion", "0.6.0")
	header.Set("x-log-signaturemethod", "hmac-sha1")
	header.Set("x-log-bodyrawsize", fmt.Sprint(len(body)))
	if c.creds.SecurityToken != "" {
		header.Set("x-acs-security-token", c.creds.SecurityToken)
	}
	if len(body) > 0 {
		header.Set("Content-Type", "application/json")
		header.Set("Content-MD5", fmt.Sprintf("%X", md5.Sum(body)))
	}
	signature := c.hmac(logStringToSign(request), c.creds.AccessKeySecret)
	header.Set("Authorization", "LOG "+c.creds.AccessKeyID+":"+signature)
	return request, nil
}

func logStringToSign(r *http.Request) string {
	resource := r.URL.Path
	if query := r.URL.Query(); len(query) > 0 {
		var pairs []string
		for name := range query {
			pairs = append(pairs, name+"="+query.Get(name))
		}
		slices.Sort(pairs)
		resource += "?" + strings.Join(pairs, "&")
	}
	return stringToSign(r, resource, "x-log-", "x-acs-")
}
