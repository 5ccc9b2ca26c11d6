package aliyuntest

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The refusals of the refresh operations are those of "RefreshDcdnObjectCaches,
// API reference"; InvalidDomain.NotFound and Forbidden.RAM are among the error
// codes of CDN.
var (
	errRAM      = &refusal{403, "Forbidden.RAM", "User not authorized to operate on the specified resource, or this API doesn't support RAM."}
	errType     = &refusal{400, "InvalidObjectType.Malformed", "The specified ObjectType is invalid."}
	errPath     = &refusal{400, "InvalidObjectPath.Malformed", "The specified ObjectPath is invalid."}
	errWildcard = &refusal{400, "InvalidExtensiveDomain.ValueNotSupported", "The specified ExtensiveDomain is not supported."}
	errDomain   = &refusal{404, "InvalidDomain.NotFound", "The domain provided does not exist in our records."}
	errQuota    = &refusal{400, "QuotaExceeded.Refresh", "Your refresh attempts have exceeded the daily limit."}
)

func (s *Server) refresh(q request) answer {
	q.Type = cmp.Or(q.Type, "File")
	for _, check := range []func(request) *refusal{
		s.checkPolicy, s.checkType, s.checkPaths, s.checkLimits, s.checkDomains, s.checkQuota,
	} {
		if refused := check(q); refused != nil {
			return refused.answer(q)
		}
	}
	return s.accept(q)
}

// checkPolicy refuses the whole request for one forbidden domain: no document
// says that the API would accept a part.
func (s *Server) checkPolicy(q request) *refusal {
	for _, raw := range q.URLs {
		if len(s.Forbidden) > 0 && slices.Contains(s.Forbidden, host(raw)) {
			return errRAM
		}
	}
	return nil
}

func (s *Server) checkType(q request) *refusal {
	if q.Type == "File" || q.Type == "Directory" || q.Type == "IgnoreParams" && !s.NoIgnoreParams {
		return nil
	}
	return errType
}

// checkPaths refuses the first wrong URL. Like the API, the refusal does not say
// which one it is.
func (s *Server) checkPaths(q request) *refusal { return s.checkPathsOf(q, errPath) }

func (s *Server) checkPathsOf(q request, wrong *refusal) *refusal {
	if len(q.URLs) == 0 || s.PathInQuery && q.ObjectPathIn != "query" {
		if q.Product == "esa" {
			return missing("Content")
		}
		return missing("ObjectPath")
	}
	for _, raw := range q.URLs {
		switch {
		case malformed(raw), q.Type == "Directory" && !strings.HasSuffix(raw, "/"):
			return wrong
		case strings.Contains(host(raw), "*"):
			return errWildcard
		case s.NoBareBrackets && strings.ContainsAny(raw, "[]|"):
			return wrong
		case s.MalformedURLs != nil && s.MalformedURLs(raw):
			return wrong
		}
	}
	return nil
}

// malformed reports whether a URL has no domain, is neither http nor https, or
// has characters that must be percent-encoded.
func malformed(raw string) bool {
	u, err := parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return true
	}
	_, err = url.PathUnescape(raw) // url.Parse does not look into the query
	return err != nil || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// parse reads a URL with or without a scheme: those in the API reference's
// samples have none.
func parse(raw string) (*url.URL, error) {
	if scheme, _, ok := strings.Cut(raw, "://"); !ok || strings.ContainsAny(scheme, "/?#") {
		raw = "http://" + raw
	}
	return url.Parse(raw)
}

// host returns the domain of a URL in lower case, "" if it has none.
func host(raw string) string {
	u, err := parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// of returns the limits of a product's requests.
func (l Limits) of(product string) Limits {
	perDomain, ignoreParams := cmp.Or(l.URLsPerDomain, 100), math.MaxInt
	if product == "esa" {
		perDomain, ignoreParams = math.MaxInt, 100
	}
	return Limits{
		URLsPerRequest:         cmp.Or(l.URLsPerRequest, 1000),
		URLsPerDomain:          perDomain,
		DomainsPerRequest:      cmp.Or(l.DomainsPerRequest, 10),
		DirectoriesPerRequest:  cmp.Or(l.DirectoriesPerRequest, 100),
		IgnoreParamsPerRequest: cmp.Or(l.IgnoreParamsPerRequest, ignoreParams),
		PreloadsPerRequest:     cmp.Or(l.PreloadsPerRequest, 100),
		RequestBytes:           l.RequestBytes,
	}
}

func (s *Server) checkLimits(q request) *refusal {
	limits, urlsOf, most := s.Limits.of(q.Product), map[string]int{}, 0
	for _, raw := range q.URLs {
		domain := host(raw)
		urlsOf[domain]++
		most = max(most, urlsOf[domain])
	}
	size := len(url.QueryEscape(cmp.Or(q.params["Content"], q.params["ObjectPath"])))
	switch {
	case len(q.URLs) > limits.URLsPerRequest:
		return overLimit(limits.URLsPerRequest, "URLs")
	case q.Type == "Directory" && len(q.URLs) > limits.DirectoriesPerRequest:
		return overLimit(limits.DirectoriesPerRequest, "directories")
	case q.Type == "IgnoreParams" && len(q.URLs) > limits.IgnoreParamsPerRequest:
		return overLimit(limits.IgnoreParamsPerRequest, "URLs without parameters")
	case q.Type == "Preload" && len(q.URLs) > limits.PreloadsPerRequest:
		return overLimit(limits.PreloadsPerRequest, "URLs")
	case len(urlsOf) > limits.DomainsPerRequest:
		return overLimit(limits.DomainsPerRequest, "domains")
	case most > limits.URLsPerDomain:
		return overLimit(limits.URLsPerDomain, "URLs of one domain")
	case limits.RequestBytes > 0 && size > limits.RequestBytes:
		message := fmt.Sprintf("The size of ObjectPath is bigger than %d.", limits.RequestBytes)
		return &refusal{400, "InvalidObjectPath.Size.Malformed", message}
	}
	return nil
}

func overLimit(n int, what string) *refusal {
	message := fmt.Sprintf("A maximum of %d %s are supported for each request.", n, what)
	return &refusal{400, "SingleRequest.OverLimit", message}
}

func (s *Server) checkDomains(q request) *refusal {
	for _, raw := range q.URLs {
		if s.Domains != nil && !slices.Contains(s.Domains, host(raw)) {
			return errDomain
		}
	}
	return nil
}

// allowance is what has a quota of its own.
type allowance struct {
	product string
	site    int64 // ESA only
	kind    string
}

// of returns the day's quota of an ObjectType.
func (q Quota) of(kind string) int {
	switch kind {
	case "Directory":
		return max(0, cmp.Or(q.Directories, 100))
	case "IgnoreParams":
		return max(0, cmp.Or(q.IgnoreParams, 100))
	case "Preload":
		return max(0, cmp.Or(q.Preloads, 1000))
	}
	return max(0, cmp.Or(q.URLs, 2000))
}

// checkQuota refuses the whole request if the quota is too small for it. Whether
// the API would accept a part is not documented.
func (s *Server) checkQuota(q request) *refusal {
	if s.used[allowance{q.Product, q.Site, q.Type}]+len(q.URLs) > s.Quota.of(q.Type) {
		return errQuota
	}
	return nil
}

func (s *Server) accept(q request) answer {
	name := "RefreshTaskId"
	if s.PushTaskID {
		name = "PushTaskId"
	}
	return success(q, map[string]any{name: s.record(q)})
}

// record notes what is accepted, and returns the task id.
func (s *Server) record(q request) string {
	id := strconv.Itoa(95248880 + q.N)
	for _, raw := range q.URLs {
		a := Accepted{
			Product: q.Product, Site: q.Site, Type: q.Type, Force: q.Force, URL: raw, TaskID: id, Call: q.N,
		}
		end := Complete
		if s.TaskEnd != nil {
			end = cmp.Or(s.TaskEnd(a), Complete)
		}
		s.accepted = append(s.accepted, a)
		s.tasks = append(s.tasks, task{a, q.Time, end})
	}
	if s.used == nil {
		s.used = map[allowance]int{}
	}
	s.used[allowance{q.Product, q.Site, q.Type}] += len(q.URLs)
	return id
}
