// Package aliyun calls the APIs of Alibaba Cloud DCDN, CDN and ESA, to refresh and
// preload, and asks them for tasks, quotas and domains. A process has one [Client];
// each invocation takes a [Caller] from it, for its credentials.
//
// Requests are those of alibaba-cloud-sdk-go, signed in the same way; those of ESA,
// which that SDK has not, are signed with ACS3-HMAC-SHA256. The round trip is our
// own, because the SDK's client takes no context, sends the token to wherever it is
// redirected, and prints it in every network error.
//
// The package plans no request, keeps to no rate and does not retry. Errors are
// [refresh.Error] values, whose class says what can be done.
package aliyun

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/utils"

	"oss-cdn-refresh/handler/refresh"
)

const (
	maxAnswer   = 1 << 20  // bytes; an answer has some hundred
	maxHeader   = 64 << 10 // bytes of an answer's header, which has less than one kB
	maxLine     = 8000     // bytes of a request line; common gateways take 8 kB
	regionID    = "cn-hangzhou"
	dialTimeout = 5 * time.Second // the SDK's connect timeout
)

// A product is one of the three APIs.
type product struct {
	name, version, endpoint string

	// The names of the operations.
	refresh, preload, describeQuota, describeTasks, describeTaskByID string

	acs3 bool // signed with ACS3-HMAC-SHA256, else with signature version 1.0 of RPC

	// inQuery says that ObjectPath, or Content of ESA, goes into the query. For
	// ObjectPath, the documentation names the form, and the vendor's generated SDKs
	// send it in the query. For Content, the SDKs and the API's metadata name the
	// query, which is too short for 1,000 URLs; that the gateway looks into the form
	// too, as it does for the other products, is not documented. When it answers
	// that the parameter is missing, the other place is tried next.
	inQuery atomic.Bool
	placed  atomic.Bool // something was accepted: the place is right
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
	UserAgent string // of each request: "oss-cdn-refresh/0-347c157d5b3f"

	// Answered, unless nil, is told the operation of each answer that is a JSON
	// object, and the names of its members in order. It is called from the
	// goroutine of the call.
	Answered func(operation string, members []string)

	endpoint  Endpoint
	transport *http.Transport
	products  map[string]*product
}

// NewClient returns a client of the endpoint, or of each product's public one.
func NewClient(endpoint Endpoint) *Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // when a connection breaks, one request is lost, not all of them
	return &Client{
		UserAgent: "oss-cdn-refresh",
		endpoint:  endpoint,
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
				preload:          "PreloadDcdnObjectCaches",
				describeQuota:    "DescribeDcdnRefreshQuota",
				describeTasks:    "DescribeDcdnRefreshTasks",
				describeTaskByID: "DescribeDcdnRefreshTaskById",
			},
			"cdn": {
				name: "Cdn", version: "2018-05-10", endpoint: "https://cdn.aliyuncs.com",
				refresh:          "RefreshObjectCaches",
				preload:          "PushObjectCache",
				describeQuota:    "DescribeRefreshQuota",
				describeTasks:    "DescribeRefreshTasks",
				describeTaskByID: "DescribeRefreshTaskById",
			},
			esa: {
				name: "ESA", version: "2024-09-10", endpoint: "https://esa.cn-hangzhou.aliyuncs.com",
				refresh: "PurgeCaches", preload: "PreloadCaches",
				describeQuota: "GetPurgeQuota", describeTasks: "DescribePurgeTasks",
				acs3: true,
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
			Message: fmt.Sprintf("%q is not a product; accepted: dcdn, cdn, esa", name),
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
	inQuery := p.inQuery.Load()
	if call.Product == esa {
		purge(request, call, inQuery)
	} else {
		params := placed(request, inQuery)
		params["ObjectPath"] = strings.Join(call.URLs, "\n") // as RefreshDcdnObjectCaches wants them
		params["ObjectType"] = call.Type
		if call.Force {
			params["Force"] = "true" // false is the default
		}
	}
	return c.submit(ctx, p, request, len(call.URLs) > 1, inQuery)
}

// placed returns the parameters of the query or of the form.
func placed(request *requests.RpcRequest, inQuery bool) map[string]string {
	if inQuery {
		return request.QueryParams
	}
	return request.FormParams
}

// submit sends a request and reads the receipt.
func (c *Caller) submit(
	ctx context.Context, p *product, request *requests.RpcRequest, divisible, inQuery bool,
) (refresh.Receipt, error) {
	answer, refusal := c.do(ctx, p, request, divisible)
	if refusal != nil {
		return refresh.Receipt{}, switchPlacement(p, refusal, divisible, inQuery)
	}
	receipt, doubt := answer.receipt()
	if doubt != nil {
		return refresh.Receipt{}, doubt
	}
	p.placed.Store(true)
	return receipt, nil
}

// switchPlacement handles the answer that ObjectPath or Content is missing: the next
// try has it in the other place. If that was the form, the request goes again, packed
// for the query where it can be; else the error is permanent.
//
// What ESA answers to a Content that it does not find is not documented. Until it has
// accepted something, a code that may mean that is taken for it; of one that comes in
// the query too, the class bounds the search for the URLs at fault.
func switchPlacement(p *product, err *refresh.Error, divisible, wasInQuery bool) error {
	missing := err.Class == refresh.Pack && !err.Unsent
	mayMean := invalidContent(err.Code) || err.Class == refresh.Unknown
	unsure := p.acs3 && !p.placed.Load() && mayMean
	if !missing && !unsure {
		return err
	}
	p.inQuery.Store(!wasInQuery)
	switch {
	case wasInQuery && missing:
		err.Class = refresh.Permanent
	case wasInQuery:
		err.Class = refresh.Unknown
	case divisible:
		err.Class, err.Bytes = refresh.Pack, maxLine/2
	default:
		err.Class = refresh.AgainNow
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
	var trace requestTrace
	req, signature, err := c.signed(httptrace.WithClientTrace(ctx, trace.hooks()), p, request)
	if err != nil {
		return answer{}, err
	}
	secrets := c.secrets.with(signature)
	if over := len(req.URL.RequestURI()) - maxLine; over > 0 && divisible {
		path := len(url.QueryEscape(request.QueryParams["ObjectPath"] + request.QueryParams["Content"]))
		return answer{}, &refresh.Error{
			Op: op, Code: "RequestLineTooLong", Class: refresh.Pack, Unsent: true,
			Bytes: max(1, path-over-contentFrame),
		}
	}
	status, body, err := c.roundTrip(req, &trace)
	if err != nil {
		err.Op = op
		secrets = secrets.with(c.client.proxyPassword(p))
		err.Message = answer{secrets: secrets}.show(err.Message, 1000)
		return answer{}, err
	}
	a, err := read(op, status, body, secrets)
	if answered := c.client.Answered; answered != nil && a.fields != nil {
		answered(op, slices.Sorted(maps.Keys(a.fields)))
	}
	if trace.connection.Load().repeats(a.requestID) {
		return answer{}, &refresh.Error{
			Op: op, Code: "RepeatedAnswer", Class: refresh.Again, RequestID: a.requestID,
			Message: "the answer belongs to an earlier call: its request id came before on this connection",
		}
	}
	return a, err
}

// signed returns the request as it is sent, and its signature, which nobody may see.
func (c *Caller) signed(
	ctx context.Context, p *product, request *requests.RpcRequest,
) (req *http.Request, signature string, failure *refresh.Error) {
	line := ""
	if p.acs3 {
		line = "/?" + canonicalQuery(valuesOf(request.QueryParams))
		request.SetContent([]byte(valuesOf(request.FormParams).Encode()))
	} else {
		sign(request, c.creds)
		signature, line = request.QueryParams["Signature"], request.BuildQueries()
	}
	req, err := http.NewRequestWithContext(
		ctx, http.MethodPost, c.client.base(p)+line, bytes.NewReader(request.GetContent()))
	if err != nil {
		return nil, "", &refresh.Error{
			Op: request.GetActionName(), Code: "BadRequest", Class: refresh.Permanent, Unsent: true,
			Message: "the URL of the request is not valid", // err repeats it, with the token
		}
	}
	if p.acs3 {
		req.Header.Set("Content-Type", requests.Form)
		req.Header.Set("Accept", "application/json")
		signature = signACS3(req, request.GetContent(), request.GetActionName(), p.version, c.creds,
			time.Now(), utils.GetNonce())
	}
	for name, value := range request.GetHeaders() {
		req.Header.Set(name, value)
	}
	req.Header.Set("User-Agent", c.client.UserAgent)
	return req, signature, nil
}

// roundTrip sends a signed request. It does not use http.Client, which follows
// redirects and puts the URL, and so the token, into its errors.
func (c *Caller) roundTrip(
	req *http.Request, trace *requestTrace,
) (status int, body []byte, failure *refresh.Error) {
	ctx := req.Context()
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
