package aliyuntest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const acs3 = "ACS3-HMAC-SHA256"

// The refusals of requests that are signed with ACS3. What is not found in
// "Common error codes": the code and message of a hash that is not the body's.
var (
	errAuthorization = &refusal{400, "IncompleteSignature", "The request signature does not conform to Aliyun standards."}
	errContentHash   = &refusal{400, "InvalidContentSha256", "Specified x-acs-content-sha256 is not the hash of the request's body."}
)

// An authorization is what the header of that name says.
type authorization struct {
	credential    string
	signedHeaders []string
	signature     string
}

// parseAuthorization reads "ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,
// Signature=…", as "V3 request structure and signature" describes it. Missing
// parts are empty.
func parseAuthorization(header string) authorization {
	var a authorization
	parts, _ := strings.CutPrefix(header, acs3+" ")
	for part := range strings.SplitSeq(parts, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			a.credential = value
		case "SignedHeaders":
			a.signedHeaders = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	return a
}

// checkHeaders checks the common headers of a request that is signed with ACS3.
// Every one of them, Host and Content-Type must be signed.
func checkHeaders(q request) *refusal {
	for _, name := range []string{"X-Acs-Date", "X-Acs-Signature-Nonce", "X-Acs-Content-Sha256"} {
		if q.header.Get(name) == "" {
			return missing(name)
		}
	}
	a := parseAuthorization(q.header.Get("Authorization"))
	if a.credential == "" || a.signature == "" || !slices.Contains(a.signedHeaders, "host") {
		return errAuthorization
	}
	for name := range q.header {
		name = strings.ToLower(name)
		common := strings.HasPrefix(name, "x-acs-") || name == "content-type"
		if common && !slices.Contains(a.signedHeaders, name) {
			return errAuthorization
		}
	}
	if q.header.Get("X-Acs-Content-Sha256") != hexHash(q.body) {
		return errContentHash
	}
	return nil
}

// checkACS3 compares the signature. Like the API, it repeats the signed text in
// its message.
func (s *Server) checkACS3(q request) *refusal {
	a := parseAuthorization(q.header.Get("Authorization"))
	canonical := canonicalRequest(q, a.signedHeaders)
	toSign := acs3 + "\n" + hexHash([]byte(canonical))
	mac := hmac.New(sha256.New, []byte(s.credential(q.AccessKeyID).AccessKeySecret))
	mac.Write([]byte(toSign))
	if !hmac.Equal([]byte(hex.EncodeToString(mac.Sum(nil))), []byte(a.signature)) {
		return &refusal{
			400, "SignatureDoesNotMatch",
			"Specified signature does not match our calculation. server string to sign is:" + toSign +
				" server canonical request is:" + canonical,
		}
	}
	return nil
}

// canonicalRequest is the text whose hash is signed, "V3 request structure and
// signature".
func canonicalRequest(q request, signedHeaders []string) string {
	var headers strings.Builder
	for _, name := range signedHeaders {
		value := q.host
		if name != "host" {
			value = strings.Join(trimmed(q.header[http.CanonicalHeaderKey(name)]), ",")
		}
		headers.WriteString(name + ":" + value + "\n")
	}
	return strings.Join([]string{
		q.method, q.path, canonicalQuery(q.query), headers.String(),
		strings.Join(signedHeaders, ";"), q.header.Get("X-Acs-Content-Sha256"),
	}, "\n")
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			pairs = append(pairs, percentEncode(name)+"="+percentEncode(value))
		}
	}
	return strings.Join(pairs, "&")
}

func trimmed(values []string) []string {
	var list []string
	for _, value := range values {
		list = append(list, strings.TrimSpace(value))
	}
	slices.Sort(list)
	return list
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
