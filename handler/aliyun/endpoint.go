package aliyun

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// An Endpoint is where the API is called, as scheme://host[:port]. The zero
// value is each product's public one.
type Endpoint string

// ParseEndpoint reads host[:port], or a URL of scheme and host. Plain HTTP is
// for loopback only, because a request carries its token and signature.
func ParseEndpoint(text string) (Endpoint, error) {
	if text == "" {
		return "", nil
	}
	full := text
	if !strings.Contains(full, "://") {
		full = "https://" + full
	}
	u, err := url.Parse(full)
	const accepted = "accepted: a host, host:port, or https://host[:port]"
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, " *") || !isPort(u.Port()):
		return "", fmt.Errorf("%q is not a valid endpoint; %s", withoutUser(text), accepted)
	case strings.Contains(u.Hostname(), "%"):
		return "", fmt.Errorf("%q has a zone id, which is not supported; %s",
			withoutUser(text), accepted)
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("%q has the scheme %q; accepted: https, and http to a loopback address",
			withoutUser(text), u.Scheme)
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%q has more than a scheme, a host and a port; %s",
			withoutUser(text), accepted)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "", fmt.Errorf("%q is plain HTTP to %q, which is not a loopback address,"+
			" and would show the token to the network; use https://%s", text, u.Hostname(), u.Host)
	}
	return Endpoint(u.Scheme + "://" + u.Host), nil
}

// withoutUser leaves out what stands before the host: it may be a password.
func withoutUser(text string) string {
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		return "…" + text[i:]
	}
	return text
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return text == "" || err == nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
