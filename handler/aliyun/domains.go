package aliyun

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A Domain is a domain of the account, as the product lists it.
type Domain struct {
	Name    string // in lower case; a wildcard begins with "." or "*."
	Status  string // online, offline, configuring, configure_failed, checking, check_failed; see also Records
	Sources []Source
}

// A Source is an origin of a domain.
type Source struct {
	Type    string // oss, ipaddr, domain; of CDN also fc_domain; of ESA s3, lb (load balancer), op (origin pool)
	Content string // a host or an address; of type oss: my-site.oss-cn-hangzhou.aliyuncs.com
}

// A Config is a setting of a domain: what a function is told to do ("Feature
// settings for a domain name", DCDN and CDN documentation).
type Config struct {
	Function string            // set_hashkey_args, back_to_origin_url_rewrite, …
	Parent   string            // the condition under which it holds; empty: always
	Status   string            // success, testing, failed, configuring
	Args     map[string]string // none of a function that holds a secret
}

// A DomainPage is a part of the account's domains.
type DomainPage struct {
	Domains []Domain
	Total   int  // on all pages
	More    bool // whether there is a next page
}

// domainsPerPage keeps an answer well below maxAnswer. The operations take 500.
const domainsPerPage = 200

// ListDomains returns a page, from 1, of the domains of a product, dcdn or cdn. An
// account takes 80 such calls a second of DCDN and 100 of CDN
// (DescribeDcdnUserDomains and DescribeUserDomains, API reference). The error is
// a *[refresh.Error].
func (c *Caller) ListDomains(ctx context.Context, product string, page int) (DomainPage, error) {
	p, err := c.client.product(product)
	if err != nil {
		return DomainPage{}, err
	}
	operation := "DescribeDcdnUserDomains"
	if product == "cdn" {
		operation = "DescribeUserDomains"
	}
	a, err := c.describe(ctx, p, operation, map[string]string{
		"PageNumber": strconv.Itoa(max(1, page)),
		"PageSize":   strconv.Itoa(domainsPerPage),
	})
	if err != nil {
		return DomainPage{}, err
	}
	var found DomainPage
	for _, fields := range nested(a.fields["Domains"], "PageData") {
		d := Domain{
			Name:   strings.ToLower(member(fields, "DomainName")),
			Status: strings.ToLower(member(fields, "DomainStatus")),
		}
		for _, s := range nested(fields["Sources"], "Source") {
			d.Sources = append(d.Sources, Source{
				Type: strings.ToLower(member(s, "Type")), Content: member(s, "Content"),
			})
		}
		found.Domains = append(found.Domains, d)
	}
	size, err := strconv.Atoi(text(valueOf(a.fields["PageSize"]))) // the API may have made it smaller
	if err != nil || size < 1 {
		size = domainsPerPage
	}
	found.Total, _ = strconv.Atoi(text(valueOf(a.fields["TotalCount"])))
	found.More = len(found.Domains) > 0 && max(1, page)*size < found.Total
	return found, nil
}

// Configs returns the settings of a domain that belong to one of the functions,
// in the order in which the API has them. The arguments of functions that hold
// an access key are left out, whatever the API sends. An account takes 30 such
// calls a second of DCDN and 100 of CDN (DescribeDcdnDomainConfigs and
// DescribeCdnDomainConfigs, API reference). The error is a *[refresh.Error].
func (c *Caller) Configs(
	ctx context.Context, product, domain string, functions []string,
) ([]Config, error) {
	p, err := c.client.product(product)
	if err != nil {
		return nil, err
	}
	operation := "DescribeDcdnDomainConfigs"
	if product == "cdn" {
		operation = "DescribeCdnDomainConfigs"
	}
	a, err := c.describe(ctx, p, operation, map[string]string{
		"DomainName": domain, "FunctionNames": strings.Join(functions, ","),
	})
	if err != nil {
		return nil, err
	}
	var all []Config
	for _, fields := range nested(a.fields["DomainConfigs"], "DomainConfig") {
		config := Config{
			Function: member(fields, "FunctionName"),
			Parent:   parent(member(fields, "ParentId")),
			Status:   strings.ToLower(member(fields, "Status")),
			Args:     map[string]string{},
		}
		if !slices.Contains(functions, config.Function) {
			continue
		}
		if !holdsSecret(config.Function) {
			for _, arg := range nested(fields["FunctionArgs"], "FunctionArg") {
				config.Args[member(arg, "ArgName")] = member(arg, "ArgValue")
			}
		}
		all = append(all, config)
	}
	return all, nil
}

// holdsSecret reports whether an argument of the function is an access key, by
// which the edge reads a private bucket.
func holdsSecret(function string) bool {
	return function == "l2_oss_key" || function == "oss_key_list"
}

// parent returns the id of a setting's condition; -1 stands for none.
func parent(id string) string {
	if id == "-1" || id == "0" {
		return ""
	}
	return id
}

// nested returns the objects of a list, which the API puts into an object of its
// own, as {"PageData": […]} in Domains.
func nested(raw json.RawMessage, name string) []map[string]json.RawMessage {
	var list []map[string]json.RawMessage
	if json.Unmarshal(raw, &list) == nil { // as newer operations have it
		return list
	}
	var fields map[string][]map[string]json.RawMessage
	_ = json.Unmarshal(raw, &fields) // anything else lists nothing
	return fields[name]
}

// member returns a member as text.
func member(fields map[string]json.RawMessage, name string) string {
	return text(valueOf(fields[name]))
}
