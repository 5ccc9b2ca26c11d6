package main

import (
	"fmt"
	"strings"

	"oss-cdn-refresh/mapping"
)

// withScheme puts https:// before a URL that has no scheme.
func withScheme(text string) string {
	scheme, _, ok := strings.Cut(text, "://")
	if !ok || strings.ContainsAny(scheme, "/?#") { // else it stands in the path or query
		return "https://" + strings.TrimPrefix(text, "//")
	}
	return text
}

// A urlError says what keeps a text from being a URL to refresh.
type urlError struct {
	text    string
	problem string
	instead string // a URL that was probably meant; "" where none is known
}

func (e *urlError) Error() string { return fmt.Sprintf("%q: %s", e.text, e.problem) }

// complete returns a URL as the API takes it, and its domain, in the spelling in
// which it was given. The scheme may be missing; what people copy raw, such as
// spaces and Chinese, is percent-encoded; a fragment, which no server sees, is
// cut; a domain beyond ASCII becomes what DNS has. http:// becomes https://: the API
// takes both for one URL, and refreshes both. The error is a *urlError.
func complete(text string) (full, domain string, err error) {
	whole := withScheme(trimmed(text))
	scheme, rest, _ := strings.Cut(whole, "://")
	rest, _, _ = strings.Cut(rest, "#")
	end := hostEnd(rest)
	host, rest := rest[:end], rest[end:]
	path, query, hasQuery := strings.Cut(rest, "?")
	if path == "" {
		path = "/"
	}
	path = encode(path)
	urlOf := func(domain string) string {
		url := "https://" + domain + resolve(path)
		if hasQuery {
			url += "?" + encode(query)
		}
		return url
	}
	domain, problem, meant := domainIn(host, strings.ToLower(scheme))
	wrong := func(problem string) (string, string, error) {
		e := &urlError{text: text, problem: problem}
		if meant != "" {
			e.instead = urlOf(meant)
		}
		return "", "", e
	}
	switch scheme = strings.ToLower(scheme); {
	case scheme != "https" && scheme != "http":
		return wrong(fmt.Sprintf("it begins with %q, not with https:// or http://", scheme+"://"))
	case problem != "":
		return wrong(problem)
	case resolve(path) != path:
		return wrong(fmt.Sprintf(`browsers resolve "." and "..", and ask for %q`, urlOf(domain)))
	}
	return urlOf(domain), domain, nil
}

// domainIn reads the domain of a URL. A port that is the scheme's own, a dot at the
// end and what an input method has made of dots and letters do not matter. Otherwise
// problem says what is wrong; meant is the domain without that, where it is known.
func domainIn(host, scheme string) (domain, problem, meant string) {
	port := map[string]string{"https": ":443", "http": ":80"}[scheme]
	domain = strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(host, port)), ".")
	if name, ok := punycode(dots.Replace(domain)); ok {
		domain = name
	}
	problem, meant = mapping.CheckDomain(domain)
	if name, ok := punycode(meant); ok {
		meant = name
	}
	if other, _ := mapping.CheckDomain(meant); other != "" {
		meant = ""
	}
	switch {
	case problem == "":
		meant = domain
	case host == "" || !strings.ContainsAny(domain, ".:"):
		problem = "it has no domain"
	default:
		problem = fmt.Sprintf("the domain %q %s", domain, problem)
	}
	return domain, problem, meant
}

// dots are the full stops that input methods write.
var dots = strings.NewReplacer("。", ".", "．", ".", "｡", ".")

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

// encode percent-encodes what no URL has bare, and leaves what is encoded
// already. "[", "]", "|" and "^" stay, since browsers and other clients ask so.
func encode(s string) string {
	const bare = "-._~!$&'()*+,;=:@/?[]|^%"
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && (len(s) < i+3 || !isHex(s[i+1]) || !isHex(s[i+2])) {
			s = s[:i] + "%25" + s[i+1:]
		}
	}
	return mapping.Encode(s, func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			strings.IndexByte(bare, c) >= 0
	})
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

// nameIn returns the part of a URL's path that its percent-encoding hides, as people
// read it: "图/1.png" of "https://www.example.com/a/%E5%9B%BE/1.png". It is "" where
// nothing is hidden.
func nameIn(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	path, _, _ := strings.Cut(rest[hostEnd(rest):], "?")
	at := strings.IndexByte(path, '%')
	if at < 0 {
		return ""
	}
	encoded := path[strings.LastIndexByte(path[:at], '/')+1:]
	name := mapping.Decode(encoded)
	if name == encoded {
		return ""
	}
	return name
}

// urlTarget makes a target of a complete URL. Its change counts as one of
// metadata, so that no Directory stands in for it: what was named is
// submitted.
func urlTarget(product mapping.Product, typ mapping.Type, full, domain string) mapping.Target {
	return mapping.Target{
		Product: product, Type: typ, Domain: domain, URL: full, Event: mapping.Modified,
	}
}
