package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"oss-cdn-refresh/mapping"
)

// withScheme puts https:// before a URL that has no scheme.
func withScheme(text string) string {
	scheme, _, ok := strings.Cut(text, "://")
	if !ok || strings.ContainsAny(scheme, "/?#") { // else it stands in the path or query
		return "https://" + text
	}
	return text
}

// complete returns a URL as the API takes it, and its domain, in the spelling in
// which it was given. The scheme may be missing; what people copy raw, such as
// spaces and Chinese, is percent-encoded; a fragment, which no server sees, is
// cut. http:// becomes https://: the API takes both for one URL, and refreshes
// both.
func complete(text string) (full, domain string, err error) {
	scheme, rest, _ := strings.Cut(withScheme(text), "://")
	rest, _, _ = strings.Cut(rest, "#")
	end := hostEnd(rest)
	domain, rest = strings.ToLower(rest[:end]), rest[end:]
	if scheme = strings.ToLower(scheme); scheme != "https" && scheme != "http" {
		return "", "", fmt.Errorf("%q begins with %q, not with https:// or http://", text, scheme+"://")
	}
	if err := checkDomain(domain); err != nil {
		return "", "", fmt.Errorf("%q: %w", text, err)
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	if path == "" {
		path = "/"
	}
	path = encode(path)
	full = "https://" + domain + resolve(path)
	if hasQuery {
		full += "?" + encode(query)
	}
	if resolve(path) != path {
		return "", "", fmt.Errorf(`%q: browsers resolve "." and "..", and ask for %q`, text, full)
	}
	return full, domain, nil
}

// hostEnd is where the domain of a URL without its scheme ends.
func hostEnd(rest string) int {
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		return end
	}
	return len(rest)
}

// resolve takes the segments "." and ".." out of a path as a browser does: an
// encoded dot is one too (URL Standard, section 4.4, path state).
func resolve(path string) string {
	segments := strings.Split(path, "/")
	var kept []string
	for i, segment := range segments {
		dots := strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
		if dots != "." && dots != ".." {
			kept = append(kept, segment)
			continue
		}
		if dots == ".." {
			kept = kept[:max(len(kept)-1, 1)] // never what stands before the first slash
		}
		if i == len(segments)-1 {
			kept = append(kept, "") // what is left is a directory
		}
	}
	return strings.Join(kept, "/")
}

func checkDomain(domain string) error {
	u, err := url.Parse("https://" + domain + "/")
	switch {
	case strings.Contains(domain, "*"):
		return errors.New("the API takes no wildcard domain")
	case err != nil || u.Host != domain || strings.ContainsAny(domain, " @") || !strings.Contains(domain, "."):
		return errors.New("there is no domain where one belongs")
	case u.Port() != "":
		return errors.New("a URL to refresh has no port")
	case strings.ContainsFunc(domain, func(r rune) bool { return r > '~' }):
		return errors.New("write a domain beyond ASCII in Punycode: xn--…")
	}
	return nil
}

// encode percent-encodes what no URL has bare, and leaves what is encoded
// already. "[", "]", "|" and "^" stay, since browsers and other clients ask so.
func encode(s string) string {
	const bare = "-._~!$&'()*+,;=:@/?[]|^"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(bare, c) >= 0:
			b.WriteByte(c)
		case c == '%' && len(s) > i+2 && isHex(s[i+1]) && isHex(s[i+2]):
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// urlTarget makes a target of a complete URL. Its change counts as one of
// metadata, so that no Directory stands in for it: what was named is
// submitted.
func urlTarget(product mapping.Product, typ mapping.Type, full, domain string) mapping.Target {
	return mapping.Target{Product: product, Type: typ, Domain: domain, URL: full, Event: mapping.Modified}
}
