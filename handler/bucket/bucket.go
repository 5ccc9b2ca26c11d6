// Package bucket lists what a bucket of OSS holds, read only:
//
//	b, err := bucket.New(endpoint, "cn-hangzhou", "my-site", creds)
//	err = b.List(ctx, "www/", func(o bucket.Object) { … })
//
// It does not read, write or remove objects.
package bucket

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/aliyun"
)

// An Object is one of a listing.
type Object struct {
	Key      string // raw
	Modified time.Time
	Size     int64 // bytes
}

// An Error is a listing's refusal by OSS, or that there was no answer.
type Error struct {
	Bucket    string
	Code      string
	Message   string
	RequestID string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("listing the bucket %s: %s: %s", e.Bucket, e.Code, e.Message)
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// A Bucket is called with one set of credentials.
type Bucket struct {
	name, host, base string
	creds            aliyun.Credentials
	transport        *http.Transport
}

// Names are 3 to 63 lower-case letters, digits and hyphens (OSS: bucket naming).
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// New returns a bucket of a region. The endpoint, if any, stands for
// BUCKET.oss-REGION.aliyuncs.com, for tests.
func New(endpoint, region, name string, creds aliyun.Credentials) (*Bucket, error) {
	if !bucketName.MatchString(name) {
		return nil, fmt.Errorf("%q is not a valid name of a bucket; "+
			"accepted: 3 to 63 lower-case letters, digits and hyphens", name)
	}
	parsed, err := aliyun.ParseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	host := fmt.Sprintf("%s.oss-%s.aliyuncs.com", name, region)
	base := cmp.Or(string(parsed), "https://"+host)
	return &Bucket{name: name, host: host, base: base, creds: creds, transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
	}}, nil
}

// A page is the answer of GetBucket (ListObjects), of which it has what is used.
type page struct {
	IsTruncated bool
	NextMarker  string
	Contents    []struct {
		Key          string
		LastModified time.Time
		Size         int64
	}
}

// List hands each object whose key begins with the prefix to visit, in the order
// of the keys. Its error is an *[Error].
func (b *Bucket) List(ctx context.Context, prefix string, visit func(Object)) error {
	marker := ""
	for {
		p, err := b.page(ctx, prefix, marker)
		if err != nil {
			return err
		}
		for _, c := range p.Contents {
			key, err := url.QueryUnescape(c.Key)
			if err != nil {
				return b.invalid(fmt.Sprintf("the key %q is not encoded as it should be", c.Key))
			}
			visit(Object{key, c.LastModified, c.Size})
		}
		next, err := url.QueryUnescape(p.NextMarker)
		if !p.IsTruncated {
			return nil
		}
		if err != nil || next <= marker {
			return b.invalid("the listing does not go on")
		}
		marker = next
	}
}

func (b *Bucket) invalid(message string) *Error {
	return &Error{Bucket: b.name, Code: "InvalidAnswer", Message: message}
}

func (b *Bucket) page(ctx context.Context, prefix, marker string) (page, error) {
	query := url.Values{"max-keys": {"1000"}, "encoding-type": {"url"}}
	if prefix != "" {
		query.Set("prefix", prefix)
	}
	if marker != "" {
		query.Set("marker", marker)
	}
	target := b.base + "/?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return page{}, b.invalid(b.creds.Hide(err.Error()))
	}
	request.Host = b.host // which names the bucket, wherever the request goes
	b.sign(request)
	var response *http.Response
	var body []byte
	for try := 0; ; try++ { // it changes nothing, so that it may be asked again
		response, body, err = b.roundTrip(request)
		if err == nil && response.StatusCode < 500 || try == 2 || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		message := b.creds.Hide(err.Error())
		return page{}, &Error{Bucket: b.name, Code: "NoAnswer", Message: message}
	}
	if response.StatusCode != http.StatusOK {
		return page{}, b.refusal(response, body)
	}
	var p page
	if err := xml.Unmarshal(body, &p); err != nil {
		return page{}, b.invalid("the answer is not a listing: " + err.Error())
	}
	return p, nil
}

// roundTrip goes around http.Client, which follows redirects with the token.
func (b *Bucket) roundTrip(request *http.Request) (*http.Response, []byte, error) {
	response, err := b.transport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	return response, body, err
}

func (b *Bucket) refusal(response *http.Response, body []byte) *Error {
	var answer struct {
		Code, Message string
		RequestID     string `xml:"RequestId"`
	}
	_ = xml.Unmarshal(body, &answer) // of a gateway in trouble it is something else
	e := &Error{
		Bucket: b.name, Code: answer.Code, Message: b.creds.Hide(answer.Message),
		RequestID: answer.RequestID,
	}
	if e.Code == "" {
		e.Code, e.Message = fmt.Sprintf("HTTP%d", response.StatusCode), "it says no more"
	}
	if e.Code == "SignatureDoesNotMatch" {
		e.Message = "the signature was not accepted; what else it says repeats the request"
	}
	return e
}

// sign signs as "Include signatures in the Authorization header" of OSS says
// (version 1). The parameters of a listing are not signed.
func (b *Bucket) sign(r *http.Request) {
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	r.Header.Set("User-Agent", "oss-cdn-refresh")
	if b.creds.SecurityToken != "" {
		r.Header.Set("x-oss-security-token", b.creds.SecurityToken)
	}
	mac := hmac.New(sha1.New, []byte(b.creds.AccessKeySecret))
	mac.Write([]byte(stringToSign(r, "/"+b.name+"/")))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	r.Header.Set("Authorization", "OSS "+b.creds.AccessKeyID+":"+signature)
}

func stringToSign(r *http.Request, resource string) string {
	lines := []string{r.Method}
	for _, name := range []string{"Content-MD5", "Content-Type", "Date"} {
		lines = append(lines, r.Header.Get(name))
	}
	var named []string
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-oss-") {
			named = append(named, name+":"+r.Header.Get(name))
		}
	}
	slices.Sort(named)
	return strings.Join(slices.Concat(lines, named, []string{resource}), "\n")
}
