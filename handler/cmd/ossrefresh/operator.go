package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/mapping"
)

// operator prints the policy of a person. Before there is a table, it allows
// refreshing every domain.
func (cmd *policyCommand) operator(c *console) error {
	if cmd.DeadLetter != "" {
		return misuse(errors.New("--operator and --dead-letter do not go together"),
			"the function sends dead letters, not a person")
	}
	var table *mapping.Table
	if _, err := os.Stat(cmd.file()); err == nil || cmd.Mapping != "" {
		if table, err = cmd.load(); err != nil {
			return err
		}
	}
	p, inferred := operatorPolicy(table, cmd.Account)
	if err := c.show(policyDocument{p}); err != nil {
		return err
	}
	if table == nil {
		c.hint("there is no " + cmd.file() + " yet, so that every domain may be refreshed:" +
			" print this again when there is one")
	}
	c.hint("the resources of these actions were not found in their documentation, and are inferred: " +
		strings.Join(inferred, ", "))
	return nil
}

// operatorPolicy is the least for init, check --live, refresh, preload, quota and
// tasks, and what of it is inferred. Table may be nil. The actions and resources are
// those of the API references of DescribeDcdnUserDomains, DescribeUserDomains,
// DescribeDcdnDomainConfigs, DescribeCdnDomainConfigs, RefreshDcdnObjectCaches,
// RefreshObjectCaches, PurgeCaches, PreloadDcdnObjectCaches and PreloadCaches; those of
// the quotas have all resources only.
func operatorPolicy(table *mapping.Table, account string) (p deployment.Policy, inferred []string) {
	p.Version = "1"
	allow := func(resources []string, actions ...string) {
		p.Statement = append(p.Statement, deployment.Statement{Effect: "Allow", Action: actions, Resource: resources})
	}
	for _, api := range []struct {
		product  mapping.Product
		list     []string // what init and check --live ask
		refresh  []string // and preload
		ask      []string // what quota and tasks ask
		inferred []string
	}{
		{
			mapping.DCDN,
			[]string{"dcdn:DescribeDcdnUserDomains", "dcdn:DescribeDcdnDomainConfigs"},
			[]string{"dcdn:RefreshDcdnObjectCaches", "dcdn:PreloadDcdnObjectCaches"},
			[]string{"dcdn:DescribeDcdnRefreshQuota", "dcdn:DescribeDcdnRefreshTaskById"},
			[]string{"dcdn:DescribeDcdnRefreshTaskById"},
		},
		{
			mapping.CDN,
			[]string{"cdn:DescribeUserDomains", "cdn:DescribeCdnDomainConfigs"},
			[]string{"cdn:RefreshObjectCaches", "cdn:PushObjectCache"},
			[]string{"cdn:DescribeRefreshQuota", "cdn:DescribeRefreshTaskById"},
			[]string{"cdn:PushObjectCache", "cdn:DescribeRefreshTaskById"},
		},
		{
			mapping.ESA,
			[]string{"esa:ListSites", "esa:ListRecords"},
			[]string{"esa:PurgeCaches", "esa:PreloadCaches"},
			[]string{"esa:GetPurgeQuota", "esa:DescribePurgeTasks", "esa:DescribePreloadTasks"},
			[]string{
				"esa:ListSites", "esa:ListRecords", "esa:DescribePurgeTasks",
				"esa:DescribePreloadTasks",
			},
		},
	} {
		resource := func(of string) string {
			if api.product == mapping.ESA {
				return fmt.Sprintf("acs:esa:*:%s:site/%s", account, of)
			}
			return fmt.Sprintf("acs:%s:*:%s:domain/%s", api.product, account, of)
		}
		refreshed := []string{resource("*")}
		if table != nil {
			refreshed = nil
			for _, of := range owners(table, api.product) {
				refreshed = append(refreshed, resource(of))
			}
		}
		listed := resource("*")
		if api.product == mapping.ESA {
			listed = "*"
		}
		allow([]string{listed}, api.list...)
		if refreshed != nil {
			allow(refreshed, api.refresh...)
		}
		allow([]string{"*"}, api.ask...)
		inferred = append(inferred, api.inferred...)
	}
	return p, inferred
}

// owners are what a policy names of a product: the table's domains, and of ESA its
// sites.
func owners(table *mapping.Table, product mapping.Product) []string {
	if product != mapping.ESA {
		return domains(table, product)
	}
	var sites []string
	for _, service := range table.Services("") {
		if service.Product == mapping.ESA {
			sites = append(sites, strconv.FormatInt(service.Site, 10))
		}
	}
	return sites
}
