package mapping

import (
	"fmt"
	"slices"
	"strings"
)

// A Service is what has tasks and a quota of its own: a product, and of ESA a site.
type Service struct {
	Product Product
	Site    int64 // ESA only
}

// String is "dcdn", or "esa, site 7".
func (s Service) String() string {
	if s.Site != 0 {
		return fmt.Sprintf("%s, site %d", s.Product, s.Site)
	}
	return string(s.Product)
}

// Services returns the services that the table has for a domain, each once; for an
// empty domain, those of all domains.
func (t *Table) Services(domain string) []Service {
	var all []Service
	for _, r := range t.Rules {
		for _, s := range r.Targets {
			service := Service{s.Product, s.Site}
			if (domain == "" || s.Domain == domain) && !slices.Contains(all, service) {
				all = append(all, service)
			}
		}
	}
	return all
}

// TargetsOf returns what t refreshes of the type at a URL of the service, as the
// API's lists of tasks spell it: perhaps without a scheme, perhaps with its path
// decoded. A path with a "%" is not decoded, and stands for that spelling; any
// other stands for all spellings. There are none if the URL is not one of t's.
//
// A Directory that stands for files of a rule is one of t's too: with Force, since
// one of the files may have been removed. A target's path, and what is above one,
// never stands for files: see [Table.Roots].
func (t *Table) TargetsOf(service Service, typ Type, url string) []Target {
	if !strings.Contains(url, "://") {
		url = "https://" + url
	}
	encoded := strings.Contains(url, "%")
	var all []Target
	var roots map[string]bool
	for _, reading := range readings(url) {
		p, _ := cutURL(reading)
		sources, _ := Sources(t, reading)
		for _, source := range sources {
			if (Service{source.Spec.Product, source.Spec.Site}) != service {
				continue
			}
			if typ == Directory && source.Spec.Type == File && roots == nil {
				roots = t.Roots()
			}
			for _, target := range source.targets(typ) {
				if source.Spec.Type == File && roots[target.URL] {
					continue
				}
				if encoded && target.URL == p.url() {
					return []Target{target}
				}
				if Same(target.URL, p.url()) && !slices.ContainsFunc(all, func(other Target) bool { return other.URL == target.URL }) {
					all = append(all, target)
				}
			}
		}
	}
	return all
}

// targets returns the targets of the type for the source's object.
func (s Source) targets(typ Type) []Target {
	spec, rest := *s.Spec, strings.TrimPrefix(s.Key, s.Spec.StripPrefix)
	if typ == Directory && spec.Type == File {
		spec.Type, spec.Force, spec.Index = Directory, true, nil
	}
	if spec.Type != typ {
		return nil
	}
	return spec.targets(nil, rest, Modified)
}

// readings returns what a URL of a list of tasks may mean: a bare "+" is a space
// in a URL, but itself in a path that the API has decoded.
func readings(url string) []string {
	path, query, hasQuery := strings.Cut(url, "?")
	decoded := strings.ReplaceAll(path, "+", "%2B")
	if decoded == path {
		return []string{url}
	}
	if hasQuery {
		decoded += "?" + query
	}
	return []string{url, decoded}
}

// Same reports whether two URLs have the same host, the same path once that is
// decoded, and the same query. The scheme does not matter.
func Same(a, b string) bool {
	p, ok := cutURL(a)
	q, alsoOK := cutURL(b)
	return ok && alsoOK && p.host == q.host && p.query == q.query && decode(p.path) == decode(q.path)
}
