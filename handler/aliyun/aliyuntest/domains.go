package aliyuntest

import (
	"cmp"
	"slices"
	"strings"
)

// A Domain is a domain of the account that a [Server] serves, as the operations
// on domains tell of it.
type Domain struct {
	Product string // dcdn, cdn or esa
	Site    int64  // ESA only: the site whose record it is
	Name    string
	Status  string   // empty: online; of ESA, anything else is a record that is not proxied
	Sources []Source // origins
	Configs []Config // in the API's order
}

// A Source is an origin of a [Domain].
type Source struct {
	Type     string // oss, ipaddr, domain, fc_domain
	Content  string
	Port     int    // 0: 80
	Priority string // empty: 20
	Weight   string // empty: 10
}

// A Config is a setting of a [Domain].
type Config struct {
	Function string
	ID       string
	Parent   string // of a condition; empty: none
	Status   string // empty: success
	Args     map[string]string
}

// The refusals of the operations on domains, "DescribeDcdnUserDomains, API
// reference".
var (
	errDomainName = &refusal{400, "InvalidDomainName.Malformed", "The specified DomainName is invalid."}
	errSearchType = &refusal{400, "InvalidDomainSearchType.ValueNotSupported", "The specified value of parameter DomainSearchType is not supported."}
)

// describeDomains answers with a page of the account's domains of the product.
func (s *Server) describeDomains(q request) answer {
	page, size := number(q.params["PageNumber"], 1), number(q.params["PageSize"], 20)
	matches := searches[q.params["DomainSearchType"]]
	switch {
	case page < 1 || page > 100_000:
		return errPage.answer(q)
	case size < 1 || size > 500:
		return errPageSize.answer(q)
	case matches == nil:
		return errSearchType.answer(q)
	}
	list, total := []map[string]any{}, 0
	for _, d := range s.Account {
		if d.Product != q.Product || q.params["DomainName"] != "" && !matches(d.Name, q.params["DomainName"]) ||
			q.params["DomainStatus"] != "" && d.status() != q.params["DomainStatus"] {
			continue
		}
		if (page-1)*size <= total && total < page*size {
			list = append(list, d.describe())
		}
		total++
	}
	return success(q, map[string]any{
		"PageNumber": page,
		"PageSize":   size,
		"TotalCount": total,
		"Domains":    map[string]any{"PageData": list},
	})
}

// searches compare a domain's name with DomainName, by DomainSearchType.
var searches = map[string]func(name, wanted string) bool{
	"":            func(name, wanted string) bool { return name == wanted },
	"full_match":  func(name, wanted string) bool { return name == wanted },
	"fuzzy_match": strings.Contains,
	"pre_match":   strings.HasPrefix,
	"suf_match":   strings.HasSuffix,
}

func (d Domain) status() string { return cmp.Or(d.Status, "online") }

// describe returns the domain as its product lists it. The two differ in the
// case of a name, and CDN has one more.
func (d Domain) describe() map[string]any {
	sources := []map[string]any{}
	for _, source := range d.Sources {
		sources = append(sources, map[string]any{
			"Type": source.Type, "Content": source.Content, "Port": cmp.Or(source.Port, 80),
			"Priority": cmp.Or(source.Priority, "20"), "Weight": cmp.Or(source.Weight, "10"),
		})
	}
	fields := map[string]any{
		"DomainName":   d.Name,
		"DomainStatus": d.status(),
		"Cname":        d.Name + ".w.kunlunsl.com",
		"Sandbox":      "normal",
		"Sources":      map[string]any{"Source": sources},
	}
	if d.Product == "cdn" {
		fields["SslProtocol"], fields["CdnType"], fields["Coverage"] = "on", "web", "domestic"
	} else {
		fields["SSLProtocol"], fields["Scene"] = "on", "apiscene"
	}
	return fields
}

// describeConfigs answers with the settings of a domain, or those of some
// functions.
func (s *Server) describeConfigs(q request) answer {
	name := q.params["DomainName"]
	at := slices.IndexFunc(s.Account, func(d Domain) bool { return d.Product == q.Product && d.Name == name })
	switch {
	case name == "":
		return missing("DomainName").answer(q)
	case strings.Contains(name, ","):
		return errDomainName.answer(q)
	case slices.Contains(s.Forbidden, name):
		return errRAM.answer(q)
	case at < 0:
		return errDomain.answer(q)
	}
	list := []map[string]any{}
	for _, c := range s.Account[at].Configs {
		names := q.params["FunctionNames"]
		if names == "" || slices.Contains(strings.Split(names, ","), c.Function) {
			list = append(list, c.describe())
		}
	}
	return success(q, map[string]any{"DomainConfigs": map[string]any{"DomainConfig": list}})
}

func (c Config) describe() map[string]any {
	args := []map[string]any{}
	for name, value := range c.Args {
		args = append(args, map[string]any{"ArgName": name, "ArgValue": value})
	}
	fields := map[string]any{
		"FunctionName": c.Function,
		"ConfigId":     cmp.Or(c.ID, "6295"),
		"Status":       cmp.Or(c.Status, "success"),
		"FunctionArgs": map[string]any{"FunctionArg": args},
	}
	if c.Parent != "" {
		fields["ParentId"] = c.Parent
	}
	return fields
}
