package mapping

import (
	"fmt"
	"net/netip"
	"slices"
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
// operations take. The URLs of a day, the most that a directory can be worth, are
// 10,000.
//
// Those of ESA are from PurgeCaches, API reference (December 2025). It names no
// limit for one domain. The calls a second and the size of a request to ESA are
// not documented at all.
var bounds = map[string]bound{
	"fold":                    {0, 10_000, 0},
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
	hostBytes    = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
	suffixBytes  = bytesOf(unreserved + bare + "%")
)

const acceptedDomain = `an exact host name in lower case, such as "www.example.com"`

// checkDomain accepts what the API takes as a domain and every URL parser as a
// host name: a name of two labels or more (RFC 1123, section 2.1) that is not an
// IP address.
func checkDomain(s string) (problem, hint string) {
	switch problem, host := CheckDomain(s); {
	case problem == "":
		return "", ""
	case allHave(listItems(s, separatorOrBlank), "."):
		return "names several domains", "write a target for each domain"
	case host == "":
		return problem, "accepted: " + acceptedDomain
	case ascii(host):
		return problem, "write " + quote(host)
	default:
		return problem, "write " + quote(host) + " in Punycode (xn--…): ossrefresh check shows it"
	}
}

// CheckDomain says what keeps a text from being a domain, as faults of a table say
// it, and the domain that was meant where that is certain. Both are "" for a domain;
// what was meant may be beyond ASCII.
func CheckDomain(s string) (problem, meant string) {
	if problem = domainProblem(s); problem == "" {
		return "", ""
	}
	host := meantHost(s)
	if other := domainProblem(host); other == "" || other == beyondASCII {
		return problem, host
	}
	return problem, ""
}

const beyondASCII = "has letters beyond ASCII"

// domainProblem says what is wrong with a domain; "" if nothing is.
func domainProblem(s string) string {
	host, _, colon := strings.Cut(strings.Trim(s, "[]"), ":")
	number := numeric(host[strings.LastIndexByte(host, '.')+1:])
	switch {
	case strings.Contains(s, "*"):
		return "is a wildcard, which the refresh API refuses"
	case strings.ContainsAny(s, "/?#"):
		return "is a URL or has a path"
	case strings.Contains(s, "@"):
		return "has user information"
	case number && isIP(host), colon && isIP(strings.Trim(s, "[]")):
		return "is an IP address"
	case number:
		return "ends in a number, which browsers read as an IP address"
	case colon:
		return "has a port"
	}
	if r, odd := foreignRune(s, hostBytes); odd {
		return "has " + named(r) + ", which no host name has"
	}
	switch {
	case strings.ToLower(s) != s:
		return "has letters in upper case"
	case strings.HasSuffix(s, "."):
		return "ends in a dot"
	case !ascii(s):
		if problem := domainProblem(strings.Map(letterForASCII, s)); problem != "" {
			return problem // which Punycode does not mend
		}
		return beyondASCII
	case len(s) > 253:
		return "is longer than 253 characters"
	}
	return checkLabels(s)
}

// letterForASCII returns r, or a letter for what is beyond ASCII.
func letterForASCII(r rune) rune {
	if r >= utf8.RuneSelf {
		return 'a'
	}
	return r
}

// meantHost returns the host name that s was probably meant to be.
func meantHost(s string) string {
	s = strings.ToLower(asMeant(s))
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if end := strings.IndexAny(s, "/?#"); end >= 0 {
		s = s[:end]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if port := strings.LastIndexByte(s, ':'); port >= 0 && digits.all(s[port+1:]) {
		s = s[:port]
	}
	return strings.Trim(s, ".")
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
	if isBucket(s) {
		return "", ""
	}
	problem = "is not a valid bucket name"
	if r, odd := foreignRune(s, hostBytes); odd && r >= utf8.RuneSelf {
		problem = "has " + named(r) + ", which no bucket name has"
	}
	name := strings.ToLower(asMeant(s))
	if _, rest, ok := strings.Cut(name, "://"); ok {
		name = rest
	}
	name, path, _ := strings.Cut(name, "/")
	switch {
	case len(listItems(s, separator)) > 1:
		return "names several buckets", "write a rule for each bucket"
	case isBucket(name) && path != "":
		return "has a path", "write " + quote(name) + ", and the path into prefix"
	case isBucket(name):
		return problem, "write " + quote(name)
	}
	return problem, "accepted: up to 63 lower-case letters, digits, hyphens and dots, " +
		"with a letter or digit at both ends"
}

func isBucket(s string) bool {
	return s != "" && len(s) <= 63 && bucketBytes.all(s) &&
		alphanumeric.all(s[:1]) && alphanumeric.all(last(s))
}

// checkPrefix accepts all but what no key can begin with. S3 has keys that begin
// with a slash.
func checkPrefix(s string) (problem, hint string) {
	if len(s) > 1023 {
		return "is longer than 1,023 bytes", "no key of OSS is longer"
	}
	prefixes := listItems(s, separator)
	folder := func(prefix string) bool { return strings.HasSuffix(prefix, "/") }
	if len(prefixes) > 1 && len(slices.DeleteFunc(prefixes, folder)) == 0 {
		return "names several prefixes", "write a rule for each prefix"
	}
	return "", ""
}

// checkStrip says what is wrong with a strip_prefix beside its rule's prefix.
func checkStrip(strip, prefix string) (problem, hint string) {
	bare := strings.TrimLeft(strip, "/")
	switch rest, begins := strings.CutPrefix(prefix, strip); {
	case begins && strip != "" && !strings.HasSuffix(strip, "/") && strings.HasPrefix(rest, "/"):
		return quote(strip) + ` leaves "//" in every URL`, "write " + quote(strip+"/")
	case begins:
		return "", ""
	case prefix == "":
		return "the rule has no prefix", "set prefix: " + quote(strip) + " too"
	case prefix+"/" == strip && !strings.HasSuffix(prefix, "/"):
		return quote(strip) + " is longer than the prefix " + quote(prefix),
			"set prefix: " + quote(strip) + " too"
	case bare != "" && strings.HasPrefix(prefix, bare):
		return notBeginning(strip, prefix), "write " + quote(bare)
	}
	return notBeginning(strip, prefix),
		"write " + quote(prefix) + ", or less of it from its beginning"
}

func notBeginning(strip, prefix string) string {
	return quote(strip) + " does not begin the prefix " + quote(prefix)
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
		return fmt.Sprintf(`has more than %d combinations of the alternatives in its "{"`,
			mostCombinations), "write several globs instead"
	}
	if !doublestar.ValidatePattern(s) || s == "" {
		return "is not a valid glob", `accepted: "*", "?", "[a-z]", "{a,b}" and "**", ` +
			`with "\" before a character that stands for itself`
	}
	if globs := globsOf(s); len(globs) > 1 {
		return "names several globs", "write " + listOf(globs) + "; for a comma in a name write [,]"
	}
	if crossesNothing(s) {
		hint = `accepted: "**" between slashes, as in "docs/**/*.map"`
		for _, glob := range []string{unquoted(s), wholeSegments(s)} {
			if !crossesNothing(glob) {
				hint = "write " + quote(glob)
				break
			}
		}
		return `has a "**" that is not a whole segment, and so would not cross "/"`, hint
	}
	return "", ""
}

// crossesNothing reports whether a glob has a "**" that is not a whole segment.
func crossesNothing(glob string) bool {
	for rest := glob; ; {
		before, after, found := strings.Cut(rest, "**")
		if !found {
			return false
		}
		if !strings.ContainsAny(last("/"+before), `/{,\`) ||
			!strings.ContainsAny((after + "/")[:1], "/},") {
			return true
		}
		rest = after
	}
}

// wholeSegments makes "**/*.map" of "**.map", and "docs/**" of "docs**".
func wholeSegments(glob string) string {
	for i := 0; i+2 <= len(glob); i++ {
		if glob[i:i+2] != "**" {
			continue
		}
		if i > 0 && alphanumeric.all(strings.ToLower(glob[i-1:i])) {
			glob = glob[:i] + "/" + glob[i:]
			i++
		}
		if i+2 < len(glob) && !strings.ContainsRune("/},", rune(glob[i+2])) {
			glob = glob[:i+2] + "/*" + glob[i+2:]
		}
	}
	return glob
}

// globsOf returns the globs that a list in one text names, such as "*.map, *.txt".
// A comma between braces or brackets separates none.
func globsOf(s string) []string {
	if !strings.ContainsFunc(s, separator) {
		return nil
	}
	depth := 0
	globs := listItems(s, func(r rune) bool {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		return depth == 0 && separator(r)
	})
	if allHave(globs, "*") || surelyList(s) && allHave(globs, "*./") {
		return globs
	}
	return nil
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
	hint = `accepted: a name without a slash, such as "index.html"`
	if names := listItems(s, separator); allHave(names, ".") || surelyList(s) && len(names) > 1 {
		return "names several index documents", "write " + listOf(names)
	}
	if s == "" || s == "." || s == ".." {
		return "is not a valid name of an index document", hint
	}
	if name := s[strings.LastIndexByte(s, '/')+1:]; name != s {
		if name != "" && name != "." && name != ".." {
			hint = "write " + quote(name) + ", which stands for that name in every directory"
		}
		return "is not a valid name of an index document", hint
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
		if queries := listItems(s, separator); surelyList(s) && allHave(queries, "=") {
			return "names several queries", "write " + listOf(queries)
		}
		return "has a character that must be percent-encoded", encoded(s, hint, checkQuery)
	case badTriplet(s):
		return `has a "%" without two hexadecimal digits`, `write "%25" for a percent sign`
	}
	return "", ""
}

// encoded says to write s percent-encoded, where check then finds nothing wrong;
// else it returns the hint.
func encoded(s, hint string, check func(string) (problem, hint string)) string {
	if text := strings.ReplaceAll(sent(s), "'", "%27"); text != s {
		if problem, _ := check(text); problem == "" {
			return "write " + quote(text)
		}
	}
	return hint
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
	case allHave(listItems(s, separator), "!@"):
		return "names several suffixes", "write " + listOf(listItems(s, separator))
	case !suffixBytes.all(s):
		return "has a character that must be percent-encoded", encoded(s, hint, checkSuffix)
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
