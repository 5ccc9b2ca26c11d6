package aliyun

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// acs3 names the signature of "V3 request structure and signature", Alibaba
// Cloud SDK documentation. The vendor's current SDKs use it for all products.
const acs3 = "ACS3-HMAC-SHA256"

// signACS3 completes a request for an operation of a version of an API: it adds
// the common headers, orders the query and adds the signature of all of these
// and of the body. The nonce must be new for each request. It returns the signature.
func signACS3(
	req *http.Request, body []byte, action, version string, creds Credentials, now time.Time, nonce string,
) (signature string) {
	req.Header.Set("x-acs-action", action)
	req.Header.Set("x-acs-version", version)
	req.Header.Set("x-acs-date", now.UTC().Format(apiTime))
	req.Header.Set("x-acs-signature-nonce", nonce)
	req.Header.Set("x-acs-content-sha256", hexSHA256(body))
	if creds.SecurityToken != "" {
		req.Header.Set("x-acs-security-token", creds.SecurityToken)
	}
	req.URL.RawQuery = canonicalQuery(req.URL.Query())
	canonical, signedHeaders := canonicalRequest(req)
	mac := hmac.New(sha256.New, []byte(creds.AccessKeySecret))
	mac.Write([]byte(acs3 + "\n" + hexSHA256([]byte(canonical))))
	signature = hex.EncodeToString(mac.Sum(nil))
	req.Header.Set("Authorization", acs3+" Credential="+creds.AccessKeyID+
		",SignedHeaders="+signedHeaders+",Signature="+signature)
	return signature
}

// canonicalRequest returns the text whose hash is signed, and the names of the
// headers in it: the host, the content type and the API's own.
func canonicalRequest(req *http.Request) (canonical, signedHeaders string) {
	values := map[string]string{"host": hostOf(req)}
	for name, all := range req.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-acs-") || name == "content-type" {
			values[name] = strings.TrimSpace(strings.Join(all, ","))
		}
	}
	names := slices.Sorted(maps.Keys(values))
	var headers strings.Builder
	for _, name := range names {
		headers.WriteString(name + ":" + values[name] + "\n")
	}
	path := req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	signedHeaders = strings.Join(names, ";")
	return strings.Join([]string{
		req.Method, path, req.URL.RawQuery, headers.String(), signedHeaders,
		req.Header.Get("x-acs-content-sha256"),
	}, "\n"), signedHeaders
}

func hostOf(req *http.Request) string {
	if req.Host != "" {
		return req.Host
	}
	return req.URL.Host
}

// canonicalQuery returns a query sorted by name, in which everything but the
// unreserved characters of RFC 3986 is escaped.
func canonicalQuery(query url.Values) string {
	return strings.ReplaceAll(query.Encode(), "+", "%20")
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
