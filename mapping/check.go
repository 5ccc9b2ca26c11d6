package mapping

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
)

// bound is the range of a number in the table, and its default.
type bound struct{ min, max, def int }

// The documents RefreshDcdnObjectCaches and RefreshObjectCaches (API
// reference) give 1,000 URLs, 10 domains and 100 directories a request and 30
// and 50 calls a second; older ones 100 URLs of a domain, which stays the
// default. For the size of a request there is no documented limit: 1 MiB holds
// 1,000 URLs of 1,024 characters, the longest that the API's sibling
// operations take.
//
// Those of ESA are from PurgeCaches, API reference (December 2025). It names no
// limit for one domain. The calls a second and the size of a request to ESA are
// not documented at all.
var bounds = map[string]bound{
	"urls_per_request":        {1, 1000, 1000},
	"urls_per_domain":         {1, 1000, 100},
	"domains_per_request":     {1, 10, 10},
	"directories_per_request": {1, 100, 100},
	"request_bytes":           {1 << 10, 1 << 20, 256 << 10},
	"dcdn":                    {1, 30, 30},
	"cdn":                     {1, 50, 50},

	"esa":                           {1, 100, 10},
	"esa.urls_per_request":          {1, 1000, 1000},
	"esa.domains_per_request":       {1, 10, 10},
	"esa.directories_per_request":   {1, 100, 100},
	"esa.ignore_params_per_request": {1, 100, 100},
	"esa.request_bytes":             {1 << 10, 1 << 20, 256 << 10},
}

// The bytes that a check accepts.
var (
	digits       = bytesOf("0123456789")
	hexDigits    = bytesOf("0123456789abcdefABCDEF")
	alphanumeric = bytesOf("abcdefghijklmnopqrstuvwxyz0123456789")
	bucketBytes  = bytesOf("abcdefghijklmnopqrstuvwxyz0123456789.-")
	labelBytes   = bytesOf("abcdefghijklmnopqrstuvwxyz0123456789-_")
	suffixBytes  = bytesOf(unreserved + bare + "%")
)

const acceptedDomain = `an exact host name in lower case, such as "www.example.com"`

// checkDomain accepts what the API takes as a domain and every URL parser as a
// host name: a name of two labels or more (RFC 1123, section 2.1) that is no
// IP address.
func checkDomain(s string) (problem, hint string) {
	hint = "accepted: " + acceptedDomain
	host, _, colon := strings.Cut(strings.Trim(s, "[]"), ":")
	number := numeric(host[strings.LastIndexByte(host, '.')+1:])
	switch {
	case strings.Contains(s, "*"):
		return "is a wildcard, which the refresh API refuses", hint
	case strings.ContainsAny(s, "/?#"):
		return "is a URL or has a path", hint
	case strings.Contains(s, "@"):
		return "has user information", hint
	case number && isIP(host), colon && isIP(strings.Trim(s, "[]")):
		return "is an IP address", hint
	case number:
		return "ends in a number, which browsers read as an IP address", hint
	case colon:
		return "has a port", hint
	case strings.ToLower(s) != s:
		return "has letters in upper case", "write " + quote(strings.ToLower(s))
	case strings.HasSuffix(s, "."):
		return "ends in a dot", hint
	case !ascii(s):
		return "has letters beyond ASCII", "write " + quote(punycodeHost(s))
	case len(s) > 253:
		return "is longer than 253 characters", hint
	}
	return checkLabels(s), hint
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// checkLabels says what is wrong with the labels of a host name in lower case.
func checkLabels(s string) (problem string) {
	for l := range strings.SplitSeq(s, ".") {
		switch {
		case l == "":
			return "has an empty label"
		case len(l) > 63:
			return "has a label longer than 63 characters"
		case l[0] == '-' || l[len(l)-1] == '-':
			return "has a label that begins or ends with a hyphen"
		case !labelBytes.all(l):
			return "has a character that no host name has"
		case strings.Contains(l, "_"):
			return "has an underscore, which no host name has"
		}
	}
	if !strings.Contains(s, ".") {
		return "has no dot"
	}
	return ""
}

// numeric reports whether a browser takes a last label for a number, and so
// the host for an IPv4 address ("ends in a number", URL Standard, section 3.5).
func numeric(label string) bool {
	hex, isHex := strings.CutPrefix(strings.ToLower(label), "0x")
	if isHex {
		return hexDigits.all(hex)
	}
	return label != "" && digits.all(label)
}

// checkBucket accepts the names of OSS (Bucket naming conventions) and those
// of S3, which may have dots.
func checkBucket(s string) (problem, hint string) {
	if s == "" || len(s) > 63 || !bucketBytes.all(s) || !alphanumeric.all(s[:1]) || !alphanumeric.all(last(s)) {
		return "is no bucket name", "accepted: up to 63 lower-case letters, digits, hyphens and dots, with a letter or digit at both ends"
	}
	return "", ""
}

func checkPrefix(s string) (problem, hint string) {
	switch {
	case strings.HasPrefix(s, "/"):
		return "begins with a slash", "the keys of OSS do not: write " + quote(strings.TrimLeft(s, "/"))
	case len(s) > 1023:
		return "is longer than 1,023 bytes", "no key of OSS is longer"
	}
	return "", ""
}

func checkPath(s string) (problem, hint string) {
	hint = `accepted: a path such as "/" or "/static/", not percent-encoded`
	switch {
	case !strings.HasPrefix(s, "/") || !strings.HasSuffix(s, "/"):
		return "does not begin and end with a slash", hint
	case strings.Contains(s, "//"):
		return "has an empty segment", hint
	case hasDotSegment(s):
		return "has a " + dotSegment, hint
	case strings.ContainsAny(s, "?#"):
		return "has a query or a fragment", hint
	}
	return "", ""
}

// checkGlob also refuses a "**" that is not a whole segment: it would match
// like "*", which nobody who writes "**.map" means.
func checkGlob(s string) (problem, hint string) {
	if combinations(s) > mostCombinations {
		return fmt.Sprintf(`has more than %d combinations of the alternatives in its "{"`, mostCombinations), "write several globs instead"
	}
	if !doublestar.ValidatePattern(s) || s == "" {
		return "is no valid glob", `accepted: "*", "?", "[a-z]", "{a,b}" and "**", with "\" before a character that stands for itself`
	}
	for rest := s; ; {
		before, after, found := strings.Cut(rest, "**")
		if !found {
			return "", ""
		}
		if !strings.ContainsAny(last("/"+before), `/{,\`) || !strings.ContainsAny((after + "/")[:1], "/},") {
			return `has a "**" that is not a whole segment, and so would not cross "/"`, `write "**/*.map" rather than "**.map"`
		}
		rest = after
	}
}

// mostCombinations is as many as eight "{a,b}" have. Matching tries each: 24 of
// them would take minutes for one key.
const mostCombinations = 256

// combinations returns how many ways there are to choose one of each "{a,b}", or
// a few more; it stops where there are too many.
func combinations(glob string) int {
	n := 1
	for _, group := range strings.Split(glob, "{")[1:] {
		if n *= 1 + strings.Count(group, ","); n > mostCombinations {
			break
		}
	}
	return n
}

// last returns the last byte of s.
func last(s string) string { return s[len(s)-1:] }

func checkIndex(s string) (problem, hint string) {
	if s == "" || s == "." || s == ".." || strings.Contains(s, "/") {
		return "is no name of an index document", `accepted: a name without a slash, such as "index.html"`
	}
	return "", ""
}

// checkQuery refuses what a browser would encode or drop (special-query
// percent-encode set, URL Standard, section 1.3).
func checkQuery(s string) (problem, hint string) {
	hint = `accepted: a query string such as "v=2", percent-encoded where needed`
	switch {
	case strings.Trim(s, "?") == "":
		return "is empty", hint
	case s[0] == '?':
		return `begins with "?"`, "write " + quote(strings.TrimLeft(s, "?"))
	case !ascii(s) || strings.ContainsAny(s, " \"#<>'") || strings.ContainsFunc(s, control):
		return "has a character that must be percent-encoded", hint
	case badTriplet(s):
		return `has a "%" without two hexadecimal digits`, `write "%25" for a percent sign`
	}
	return "", ""
}

// checkSuffix accepts what a browser leaves as it is in a path, and the
// delimiters of OSS's image styles: "-", "_", "/" and "!" (Image styles, OSS
// documentation).
func checkSuffix(s string) (problem, hint string) {
	hint = `accepted: a delimiter and an image style such as "!small", percent-encoded where needed`
	switch dots := strings.ReplaceAll(strings.ToLower(s), "%2e", "."); {
	case s == "":
		return "is empty", hint
	case strings.ContainsAny(s, "?#"):
		return "has a query or a fragment", `for a query, use queries`
	case badTriplet(s):
		return `has a "%" without two hexadecimal digits`, `write "%25" for a percent sign`
	case !suffixBytes.all(s):
		return "has a character that must be percent-encoded", hint
	case hasDotSegment("x" + dots):
		return "has a " + dotSegment, hint
	}
	return "", ""
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

func badTriplet(s string) bool {
	for _, after := range strings.Split(s, "%")[1:] {
		if len(after) < 2 || !hexDigits.all(after[:2]) {
			return true
		}
	}
	return false
}
