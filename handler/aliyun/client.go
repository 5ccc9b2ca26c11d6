// Package aliyun calls the refresh APIs of Alibaba Cloud DCDN and CDN.
//
//	client := aliyun.NewClient(endpoint)            // one a process
//	api := client.With(aliyun.Credentials{…})       // one an invocation
//	receipt, err := api.Refresh(ctx, call)
//
// Requests are modelled by alibaba-cloud-sdk-go and signed as it does; the round
// trip is our own. The SDK's client takes no context, follows redirects with the
// token in hand, and prints it with every network error. Nothing here retries:
// errors are [refresh.Error] values whose class says what can be done.
package aliyun

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"oss-cdn-refresh/handler/refresh"
)

const (
	maxAnswer   = 1 << 20  // bytes; an answer has some hundred
	maxHeader   = 64 << 10 // bytes of an answer's header, which has less than one kB
	maxLine     = 8000     // bytes of a request line; common gateways take 8 kB
	regionID    = "cn-hangzhou"
	dialTimeout = 5 * time.Second // the SDK's connect timeout
)

// A product is one of the two APIs.
type product struct {
	name, version, endpoint string

	// The names of the operations.
	refresh, describeQuota, describeTasks, describeTaskByID string

	// inQuery is set when the gateway answered that ObjectPath is missing:
	// the documentation says POST form, the vendor's generated SDKs send it
	// in the query. It holds until the gateway says the same of the query.
	inQuery atomic.Bool
}

// Credentials sign a request. The token is empty for a plain access key.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string
}

// A Client keeps what outlives an invocation: connections, and where the
// gateway looks for ObjectPath. It is safe for concurrent use.
type Client struct {
	endpoint  Endpoint
	transport *http.Transport
	products  map[string]*product
}

// NewClient returns a client of the endpoint, or of each product's public one.
func NewClient(endpoint Endpoint) *Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // a broken HTTP/1 connection costs one request, and says so
	return &Client{
		endpoint: endpoint,
		transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            remembering((&net.Dialer{Timeout: dialTimeout}).DialContext),
			TLSHandshakeTimeout:    dialTimeout,
			MaxIdleConnsPerHost:    32,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxHeader,
			Protocols:              protocols,
		},
		products: map[string]*product{
			"dcdn": {
				name: "dcdn", version: "2018-01-15", endpoint: "https://dcdn.aliyuncs.com",
				refresh:          "RefreshDcdnObjectCaches",
				describeQuota:    "DescribeDcdnRefreshQuota",
				describeTasks:    "DescribeDcdnRefreshTasks",
				describeTaskByID: "DescribeDcdnRefreshTaskById",
			},
			"cdn": {
				name: "Cdn", version: "2018-05-10", endpoint: "https://cdn.aliyuncs.com",
				refresh:          "RefreshObjectCaches",
				describeQuota:    "DescribeRefreshQuota",
				describeTasks:    "DescribeRefreshTasks",
				describeTaskByID: "DescribeRefreshTaskById",
			},
		},
	}
}

// product returns a product by its name in a mapping table.
func (c *Client) product(name string) (*product, error) {
	p, ok := c.products[name]
	if !ok {
		return nil, &refresh.Error{
			Code: "UnknownProduct", Unsent: true,
			Message: fmt.Sprintf("%q is not a product; accepted: dcdn, cdn", name),
		}
	}
	return p, nil
}

// DialWith makes the client connect by dial, whatever the host. It is for tests
// whose API is not on a network, and must come before the first call.
func (c *Client) DialWith(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.transport.DialContext = remembering(dial)
}

// base returns where the product's API is called.
func (c *Client) base(p *product) string { return cmp.Or(string(c.endpoint), p.endpoint) }

// proxyPassword returns that of the proxy between here and the product's API:
// a proxy may repeat it when it refuses a connection.
func (c *Client) proxyPassword(p *product) string {
	to, err := url.Parse(c.base(p))
	if err != nil {
		return ""
	}
	proxy, err := c.transport.Proxy(&http.Request{URL: to})
	if err != nil || proxy == nil {
		return ""
	}
	password, _ := proxy.User.Password()
	return password
}

// With returns a caller that signs with the credentials.
func (c *Client) With(creds Credentials) *Caller {
	return &Caller{client: c, creds: creds, secrets: secretsOf(creds)}
}

// A Caller makes calls with one set of credentials. It is a [refresh.Refresher].
type Caller struct {
	client  *Client
	creds   Credentials
	secrets mask
}

// Refresh submits the call's URLs as one request.
func (c *Caller) Refresh(ctx context.Context, call refresh.Call) (refresh.Receipt, error) {
	p, err := c.client.product(call.Product)
	if err != nil {
		return refresh.Receipt{}, err
	}
	request := newRequest(p, p.refresh)
	params := request.FormParams
	inQuery := p.inQuery.Load()
	if inQuery {
		params = request.QueryParams
	}
	params["ObjectPath"] = strings.Join(call.URLs, "\n")
	params["ObjectType"] = call.Type
	answer, refusal := c.do(ctx, p, request, len(call.URLs) > 1)
	if refusal != nil {
		return refresh.Receipt{}, c.switchPlacement(p, refusal, inQuery)
	}
	receipt, doubt := answer.receipt()
	if doubt != nil {
		return refresh.Receipt{}, doubt
	}
	return receipt, nil
}

// switchPlacement handles the answer that ObjectPath is missing: the next try
// puts it into the query. If it was there already, the error is permanent.
func (c *Caller) switchPlacement(p *product, err *refresh.Error, wasInQuery bool) error {
	if err.Class != refresh.Pack || err.Unsent {
		return err
	}
	p.inQuery.Store(!wasInQuery)
	if wasInQuery {
		err.Class = refresh.Permanent
	} else {
		err.Bytes = maxLine / 2
	}
	return err
}

func newRequest(p *product, action string) *requests.RpcRequest {
	request := new(requests.RpcRequest)
	request.InitWithApiInfo(p.name, p.version, action, "", "")
	return request
}

// do signs the request, sends it and reads the answer. Where the request line
// would be too long for a gateway, and the request can be made smaller, it is
// not sent.
func (c *Caller) do(ctx context.Context, p *product, request *requests.RpcRequest, divisible bool) (answer, *refresh.Error) {
	op := request.GetActionName()
	if c.creds.AccessKeyID == "" || c.creds.AccessKeySecret == "" {
		return answer{}, &refresh.Error{
			Op: op, Code: "MissingCredentials", Class: refresh.StopAll, Unsent: true,
			Message: "there is nothing to sign with; give the function a role, or set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
		}
	}
	sign(request, c.creds)
	secrets := c.secrets.with(request.QueryParams["Signature"])
	line := request.BuildQueries()
	if over := len(line) - maxLine; over > 0 && divisible {
		path := len(requestPath(request))
		return answer{}, &refresh.Error{Op: op, Code: "RequestLineTooLong", Class: refresh.Pack, Unsent: true, Bytes: max(1, path-over)}
	}
	var sent progress
	status, body, err := c.roundTrip(ctx, p, request, line, &sent)
	if err != nil {
		err.Op = op
		err.Message = answer{secrets: secrets.with(c.client.proxyPassword(p))}.show(err.Message, 1000)
		return answer{}, err
	}
	a, err := read(op, status, body, secrets)
	if sent.connection.Load().repeats(a.requestID) {
		return answer{}, &refresh.Error{
			Op: op, Code: "RepeatedAnswer", Class: refresh.Again, RequestID: a.requestID,
			Message: "the answer is that of an earlier call: its request id came before on this connection",
		}
	}
	return a, err
}

// roundTrip sends a signed request. It goes around http.Client, which follows
// redirects and puts the URL, and so the token, into its errors.
func (c *Caller) roundTrip(
	ctx context.Context, p *product, request *requests.RpcRequest, line string, sent *progress,
) (status int, body []byte, fault *refresh.Error) {
	ctx = httptrace.WithClientTrace(ctx, sent.trace())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.client.base(p)+line, bytes.NewReader(request.GetContent()))
	if err != nil {
		return 0, nil, &refresh.Error{Code: "BadRequest", Class: refresh.Permanent, Unsent: true, Message: "the request's URL does not parse"}
	}
	for name, value := range request.GetHeaders() {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "oss-cdn-refresh")
	resp, err := c.client.transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil && sent.kept.Load() {
			c.client.transport.CloseIdleConnections() // they may all have died while the instance was frozen
		}
		return 0, nil, sent.broken(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 { // another protocol's connection, which ends with no context
		return 0, nil, sent.broken(ctx, fmt.Errorf("HTTP %d in place of an answer", resp.StatusCode))
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, sent.broken(ctx, err)
	}
	return resp.StatusCode, body, nil
}

// A progress tells how far a request has come.
type progress struct {
	kept     atomic.Bool // it went over a connection that was used before
	wrote    atomic.Bool // it went out
	answered atomic.Bool // an answer began to come

	connection atomic.Pointer[connection] // that it went over; nil before
}

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			p.kept.Store(info.Reused)
			p.connection.Store(connectionOf(info.Conn))
		},
		WroteHeaders:         func() { p.wrote.Store(true) },
		GotFirstResponseByte: func() { p.answered.Store(true) },
	}
}

// broken classes a failure to get an answer. A kept connection that is gone is
// no news after an instance was frozen: the server has closed it meanwhile.
func (p *progress) broken(ctx context.Context, err error) *refresh.Error {
	e := &refresh.Error{Code: "ConnectionBroken", Class: refresh.Again, Message: err.Error(), Unsent: !p.wrote.Load(), Err: ctx.Err()}
	switch {
	case ctx.Err() != nil && e.Unsent:
		e.Code, e.Message = "NoConnection", "no connection in time"
	case ctx.Err() != nil:
		e.Code, e.Message = "NoAnswer", "no answer in time; whether the API accepted the request is unknown"
	case p.kept.Load() && !p.answered.Load():
		e.Class = refresh.AgainNow
	}
	return e
}

// FilterLog returns a writer for package log. net/http logs there what a
// server sends beyond its answer, which may repeat the request's URL.
func FilterLog(w io.Writer) io.Writer { return filter{w} }

type filter struct{ io.Writer }

func (f filter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("Unsolicited response")) {
		return len(line), nil
	}
	return f.Writer.Write(line)
}
