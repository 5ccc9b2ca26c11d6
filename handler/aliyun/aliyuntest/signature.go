package aliyuntest

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxClockSkew is how far a Timestamp may be from the server's clock, "Common
// error codes" of the OpenAPI gateway.
const maxClockSkew = 15 * time.Minute

// The refusals of the gateway are those of "Common error codes", except the
// status of InvalidVersion and the messages of UnsupportedHTTPMethod and
// MismatchWithAccessKey, which are not documented there.
var (
	errMethod           = &refusal{400, "UnsupportedHTTPMethod", "This http method is not supported."}
	errVersion          = &refusal{404, "InvalidVersion", "Specified parameter Version is not valid."}
	errAction           = &refusal{404, "InvalidAction.NotFound", "Specified api is not found, please check your url and method."}
	errFormat           = &refusal{400, "InvalidParameter.Format", "Specified parameter format is not valid."}
	errSignatureMethod  = &refusal{400, "InvalidSignatureMethod", "Specified signature method is not valid."}
	errSignatureVersion = &refusal{400, "InvalidSignatureVersion", "Specified parameter SignatureVersion is not valid."}
	errAccessKey        = &refusal{404, "InvalidAccessKeyId.NotFound", "Specified access key is not found."}
	errTimeFormat       = &refusal{400, "InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."}
	errTimeExpired      = &refusal{400, "InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."}
	errNonce            = &refusal{400, "SignatureNonceUsed", "Specified signature nonce was used already."}
	errTokenMalformed   = &refusal{400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed."}
	errTokenMismatch    = &refusal{400, "InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey."}
	errTokenExpired     = &refusal{400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."}
)

// authenticate makes the gateway's checks, whose order is not documented. The
// nonce of a request that is refused may be used again.
func (s *Server) authenticate(q request) *refusal {
	checkForm, checkSignature := checkParameters, s.checkSignature
	if q.signedWithACS3 {
		checkForm, checkSignature = checkHeaders, s.checkACS3
	}
	for _, check := range []func(request) *refusal{
		checkForm, s.checkAccessKey, checkTimestamp, s.checkNonce, s.checkToken, checkSignature,
	} {
		if refused := check(q); refused != nil {
			return refused
		}
	}
	if s.nonces == nil {
		s.nonces = map[string]bool{}
	}
	s.nonces[q.nonce] = true
	return nil
}

// checkParameters checks the common parameters of "Request syntax and signature
// method V2 for RPC APIs". Format must be JSON: the default, XML, is not
// supported by this server.
func checkParameters(q request) *refusal {
	for _, name := range []string{
		"AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp",
	} {
		if q.params[name] == "" {
			return missing(name)
		}
	}
	switch {
	case !strings.EqualFold(q.params["Format"], "JSON"):
		return errFormat
	case q.params["SignatureMethod"] != "HMAC-SHA1":
		return errSignatureMethod
	case q.params["SignatureVersion"] != "1.0":
		return errSignatureVersion
	}
	return nil
}

func (s *Server) checkAccessKey(q request) *refusal {
	if s.credential(q.AccessKeyID) == nil {
		return errAccessKey
	}
	return nil
}

// credential returns the Credential of an access key, or nil.
func (s *Server) credential(accessKeyID string) *Credential {
	for _, c := range s.credentials() {
		if c.AccessKeyID == accessKeyID {
			return &c
		}
	}
	return nil
}

func (s *Server) credentials() []Credential {
	if s.Credentials == nil {
		return []Credential{TestCredential}
	}
	return s.Credentials
}

func checkTimestamp(q request) *refusal {
	stamp, err := time.Parse("2006-01-02T15:04:05Z", q.timestamp)
	if err != nil {
		return errTimeFormat
	}
	if q.Time.Sub(stamp).Abs() > maxClockSkew {
		return errTimeExpired
	}
	return nil
}

func (s *Server) checkNonce(q request) *refusal {
	if s.nonces[q.nonce] {
		return errNonce
	}
	return nil
}

func (s *Server) checkToken(q request) *refusal {
	c, token := s.credential(q.AccessKeyID), q.token
	switch {
	case token == "" && c.SecurityToken != "":
		return missing("SecurityToken")
	case token == c.SecurityToken && !c.Expires.IsZero() && !q.Time.Before(c.Expires):
		return errTokenExpired
	case token == c.SecurityToken:
		return nil
	}
	for _, other := range s.credentials() {
		if other.SecurityToken == token {
			return errTokenMismatch
		}
	}
	return errTokenMalformed
}

// checkSignature repeats the string to sign in its message, as the API does.
func (s *Server) checkSignature(q request) *refusal {
	toSign := stringToSign(q)
	want := signature(toSign, s.credential(q.AccessKeyID).AccessKeySecret)
	if !hmac.Equal([]byte(want), []byte(q.params["Signature"])) {
		return &refusal{
			400, "SignatureDoesNotMatch",
			"Specified signature is not matched with our calculation. server string to sign is:" + toSign,
		}
	}
	return nil
}

func signature(toSign, secret string) string {
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(toSign))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// stringToSign is the method, an escaped slash and the escaped query of all
// parameters but Signature, sorted by name: "Request syntax and signature
// method V2 for RPC APIs".
func stringToSign(q request) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(q.params)) {
		if name != "Signature" {
			pairs = append(pairs, percentEncode(name)+"="+percentEncode(q.params[name]))
		}
	}
	return q.method + "&" + percentEncode("/") + "&" + percentEncode(strings.Join(pairs, "&"))
}

// percentEncode escapes every byte but the unreserved ones of RFC 3986.
func percentEncode(s string) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 0, 2*len(s))
	for _, c := range []byte(s) {
		isLetter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if isLetter || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(b)
}
