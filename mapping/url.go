package mapping

import "strings"

// hasDotSegment reports whether a browser would resolve a part of the path
// away. In a key, "%2e" is not a dot: its "%" is encoded.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// A place is what a URL says of where something is.
type place struct {
	host  string // in lower case, without a port
	path  string // "/a%20b", as it is asked for
	query string // "?v=2", or ""
}

// cutURL reads an absolute http or https URL; a fragment is cut. What no client
// sends bare is encoded as a browser does it, so that people may write "/图 1".
func cutURL(url string) (p place, ok bool) {
	scheme, rest, ok := strings.Cut(url, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "https" && scheme != "http" {
		return p, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	end := len(rest)
	if at := strings.IndexAny(rest, "/?"); at >= 0 {
		end = at
	}
	host := rest[strings.LastIndexByte(rest[:end], '@')+1 : end]
	if port := strings.LastIndexByte(host, ':'); port >= 0 && digits.all(host[port+1:]) {
		host = host[:port]
	}
	path, query, hasQuery := strings.Cut(rest[end:], "?")
	p = place{host: strings.ToLower(host), path: sent(path)}
	if p.path == "" {
		p.path = "/"
	}
	if hasQuery {
		p.query = "?" + sent(query)
	}
	return p, host != ""
}

// url is the place as a URL with https://, which is that of a Target.
func (p place) url() string { return "https://" + p.host + p.path + p.query }

// sent percent-encodes what no browser leaves bare in a path (path
// percent-encode set, URL Standard, section 1.3). It leaves the "^" of that set
// alone: some clients do.
func sent(path string) string {
	return Encode(path, func(c byte) bool {
		return c > ' ' && c < 0x7f && strings.IndexByte("\"<>`{}", c) < 0
	})
}

// Encode percent-encodes the bytes of s that are not to be left bare.
func Encode(s string, bare func(c byte) bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; bare(c) {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
		}
	}
	return b.String()
}

// decode reads a path as OSS does: a bare "+" is a space. A "%" without two
// hexadecimal digits stands for itself, as it does for lenient servers.
func decode(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '+':
			b.WriteByte(' ')
		case c == '%' && len(path) > i+2 && hexDigits.all(path[i+1:i+3]):
			b.WriteByte(unhex(path[i+1])<<4 | unhex(path[i+2]))
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Decode reads percent-encoding, and nothing else: a "+" stays, and so does a "%"
// without two hexadecimal digits.
func Decode(s string) string {
	return decode(strings.ReplaceAll(s, "+", "%2B"))
}

// unhex is the value of a hexadecimal digit.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
