// Package aliyun calls the refresh APIs of Alibaba Cloud DCDN and CDN. A process
// has one [Client]; each invocation takes a [Caller] from it, for its credentials.
//
// Requests are those of alibaba-cloud-sdk-go, signed in the same way. The round
// trip is our own, because the SDK's client takes no context, sends the token to
// wherever it is redirected, and prints it in every network error.
//
// The package does not retry. Errors are [refresh.Error] values, whose class
// says what can be done.
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

	// inQuery says that ObjectPath goes into the query. The documentation says
	// that it belongs into the form; the vendor's generated SDKs send it in the
	// query. When the gateway answers that it is missing, the other place is
	// tried next.
	inQuery atomic.Bool
}

// Credentials sign a request. The token is empty for a plain access key.
type Credentials struct {
	AccessKeyID     string
	AccessKeySecret string
	SecurityToken   string
}

// A Client holds what outlives an invocation: connections, and where the
// gateway looks for ObjectPath. It is safe for concurrent use.
type Client struct {
	endpoint  Endpoint
	transport *http.Transport
	products  map[string]*product
}

// NewClient returns a client of the endpoint, or of each product's public one.
func NewClient(endpoint Endpoint) *Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // when a connection breaks, one request is lost, not all of them
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
// whose API is not on a network, and must be called before the first request.
func (c *Client) DialWith(
	dial func(ctx context.Context, network, address string) (net.Conn, error),
) {
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
	params["ObjectPath"] = strings.Join(call.URLs, "\n") // as RefreshDcdnObjectCaches wants them
	params["ObjectType"] = call.Type
	if call.Force {
		params["Force"] = "true" // false is the default
	}
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

// do signs the request, sends it and reads the answer. A divisible request is
// not sent if its request line is too long for common gateways.
func (c *Caller) do(
	ctx context.Context, p *product, request *requests.RpcRequest, divisible bool,
) (answer, *refresh.Error) {
	op := request.GetActionName()
	if c.creds.AccessKeyID == "" || c.creds.AccessKeySecret == "" {
		return answer{}, &refresh.Error{
			Op: op, Code: "MissingCredentials", Class: refresh.StopAll, Unsent: true,
			Message: "there are no credentials; give the function a role, or set " +
				"ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET",
		}
	}
	sign(request, c.creds)
	secrets := c.secrets.with(request.QueryParams["Signature"])
	line := request.BuildQueries()
	if over := len(line) - maxLine; over > 0 && divisible {
		path := len(url.QueryEscape(request.QueryParams["ObjectPath"]))
		return answer{}, &refresh.Error{
			Op: op, Code: "RequestLineTooLong", Class: refresh.Pack, Unsent: true,
			Bytes: max(1, path-over),
		}
	}
	var trace requestTrace
	status, body, err := c.roundTrip(ctx, p, request, line, &trace)
	if err != nil {
		err.Op = op
		secrets = secrets.with(c.client.proxyPassword(p))
		err.Message = answer{secrets: secrets}.show(err.Message, 1000)
		return answer{}, err
	}
	a, err := read(op, status, body, secrets)
	if trace.connection.Load().repeats(a.requestID) {
		return answer{}, &refresh.Error{
			Op: op, Code: "RepeatedAnswer", Class: refresh.Again, RequestID: a.requestID,
			Message: "the answer belongs to an earlier call: its request id came before on this connection",
		}
	}
	return a, err
}

// roundTrip sends a signed request. It does not use http.Client, which follows
// redirects and puts the URL, and so the token, into its errors.
func (c *Caller) roundTrip(
	ctx context.Context, p *product, request *requests.RpcRequest, line string, trace *requestTrace,
) (status int, body []byte, failure *refresh.Error) {
	req, err := http.NewRequestWithContext(
		httptrace.WithClientTrace(ctx, trace.hooks()),
		http.MethodPost, c.client.base(p)+line, bytes.NewReader(request.GetContent()))
	if err != nil {
		return 0, nil, &refresh.Error{
			Code: "BadRequest", Class: refresh.Permanent, Unsent: true,
			Message: "the URL of the request is not valid", // err repeats it, with the token
		}
	}
	for name, value := range request.GetHeaders() {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", "oss-cdn-refresh")
	resp, err := c.client.transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil && trace.reused.Load() {
			// The others may have died unnoticed too, while the instance was frozen.
			c.client.transport.CloseIdleConnections()
		}
		return 0, nil, trace.failure(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 { // a switch of protocols: the body does not end with the context
		err := fmt.Errorf("the server sent HTTP %d instead of an answer", resp.StatusCode)
		return 0, nil, trace.failure(ctx, err)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, trace.failure(ctx, err)
	}
	return resp.StatusCode, body, nil
}

// A requestTrace records how far a request has come.
type requestTrace struct {
	connection atomic.Pointer[connection] // nil until there is one
	reused     atomic.Bool                // the connection had carried another request before
	sent       atomic.Bool                // the request's header was written
	answered   atomic.Bool                // the answer's first byte came
}

func (t *requestTrace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			t.reused.Store(info.Reused)
			t.connection.Store(connectionOf(info.Conn))
		},
		WroteHeaders:         func() { t.sent.Store(true) },
		GotFirstResponseByte: func() { t.answered.Store(true) },
	}
}

// failure classes an error that came in place of an answer. A reused connection
// that breaks is normal after a freeze: the server has closed it meanwhile, and
// the request can go again at once.
func (t *requestTrace) failure(ctx context.Context, err error) *refresh.Error {
	e := &refresh.Error{
		Code: "ConnectionBroken", Class: refresh.Again, Message: err.Error(),
		Unsent: !t.sent.Load(), Err: ctx.Err(),
	}
	switch {
	case ctx.Err() != nil && e.Unsent:
		e.Code, e.Message = "NoConnection", "no connection in time"
	case ctx.Err() != nil:
		e.Code, e.Message = "NoAnswer", "no answer in time; "+maybeAccepted
	case t.reused.Load() && !t.answered.Load():
		e.Class = refresh.AgainNow
	}
	return e
}

// FilterLog returns a writer for package log that drops what net/http logs when
// a server sends more than its answer: that may repeat the request's URL.
func FilterLog(w io.Writer) io.Writer { return filter{w} }

type filter struct{ io.Writer }

func (f filter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("Unsolicited response")) {
		return len(line), nil
	}
	return f.Writer.Write(line)
}
