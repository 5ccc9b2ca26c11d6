package deploymenttest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxClockSkew is how far a request's time may be from the server's.
const maxClockSkew = 15 * time.Minute

func (s *Server) sign(text, suffix string) string {
	mac := hmac.New(sha1.New, []byte(s.Credential.AccessKeySecret+suffix))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// checkRPC makes the checks of "Request syntax and signature method V2 for RPC
// APIs".
func (s *Server) checkRPC(method string, params map[string]string) *refusal {
	stamp, err := time.Parse("2006-01-02T15:04:05Z", params["Timestamp"])
	switch nonce := params["SignatureNonce"]; {
	case params["Format"] != "JSON" || params["SignatureMethod"] != "HMAC-SHA1" || params["SignatureVersion"] != "1.0":
		return &refusal{400, "InvalidParameter", "a common parameter is missing or wrong"}
	case params["AccessKeyId"] != s.Credential.AccessKeyID:
		return &refusal{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}
	case params["SecurityToken"] != s.Credential.SecurityToken:
		return &refusal{
			400,
			"InvalidSecurityToken.Malformed",
			"Specified SecurityToken is malformed.",
		}
	case err != nil || time.Since(stamp).Abs() > maxClockSkew:
		return &refusal{
			400,
			"InvalidTimeStamp.Expired",
			"Specified time stamp or date value is expired.",
		}
	case nonce == "" || s.nonces[nonce]:
		return &refusal{400, "SignatureNonceUsed", "Specified signature nonce was used already."}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name != "Signature" {
			pairs = append(pairs, rfc3986(name)+"="+rfc3986(params[name]))
		}
	}
	toSign := method + "&" + rfc3986("/") + "&" + rfc3986(strings.Join(pairs, "&"))
	if s.sign(toSign, "&") != params["Signature"] {
		return &refusal{400, "SignatureDoesNotMatch", "server string to sign is:" + toSign}
	}
	s.nonces[params["SignatureNonce"]] = true
	return nil
}

// checkLog makes the checks of "Request signatures" of Log Service.
func (s *Server) checkLog(r *http.Request, body []byte) *refusal {
	date, err := http.ParseTime(r.Header.Get("Date"))
	var headers []string
	for name, values := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-log") ||
			strings.HasPrefix(name, "x-acs") {
			headers = append(headers, name+":"+values[0])
		}
	}
	slices.Sort(headers)
	sum := ""
	if len(body) > 0 {
		sum = fmt.Sprintf("%X", md5.Sum(body))
	}
	resource := r.URL.Path
	if r.URL.RawQuery != "" {
		resource += "?" + r.URL.RawQuery
	}
	toSign := strings.Join([]string{
		r.Method, sum, r.Header.Get("Content-Type"), r.Header.Get("Date"), strings.Join(headers, "\n"), resource,
	}, "\n")
	switch {
	case r.Header.Get("x-log-apiversion") != "0.6.0" || r.Header.Get("x-log-signaturemethod") != "hmac-sha1":
		return &refusal{400, "InvalidAPIVersion", "a common header is missing or wrong"}
	case r.Header.Get("Content-MD5") != sum:
		return &refusal{400, "InvalidContentMD5", "Content-MD5 is not that of the body"}
	case err != nil || time.Since(date).Abs() > maxClockSkew:
		return &refusal{
			400,
			"RequestTimeTooSkewed",
			"the request's time is too far from the server's",
		}
	case r.Header.Get("x-acs-security-token") != s.Credential.SecurityToken:
		return &refusal{401, "SecurityTokenInvalid", "the security token is not valid"}
	case r.Header.Get("Authorization") != "LOG "+s.Credential.AccessKeyID+":"+s.sign(toSign, ""):
		return &refusal{401, "SignatureNotMatch", "signature " + toSign + " not matched"}
	}
	return nil
}

// rfc3986 escapes every byte but the unreserved ones.
func rfc3986(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
