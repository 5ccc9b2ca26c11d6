package main

import (
	"errors"
	"fmt"
	"os"
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

// operatorPolicy is the least for init, check --live, refresh, quota and tasks,
// and what of it is inferred. Table may be nil. The actions and resources are
// those of the API references of DescribeDcdnUserDomains, DescribeUserDomains,
// DescribeDcdnDomainConfigs, DescribeCdnDomainConfigs, RefreshDcdnObjectCaches and
// RefreshObjectCaches; those of the quotas have all resources only.
func operatorPolicy(table *mapping.Table, account string) (p deployment.Policy, inferred []string) {
	p.Version = "1"
	allow := func(resources []string, actions ...string) {
		p.Statement = append(p.Statement, deployment.Statement{Effect: "Allow", Action: actions, Resource: resources})
	}
	for _, api := range []struct {
		product                             mapping.Product
		list, configs, refresh, quota, task string
	}{
		{
			mapping.DCDN, "dcdn:DescribeDcdnUserDomains", "dcdn:DescribeDcdnDomainConfigs",
			"dcdn:RefreshDcdnObjectCaches", "dcdn:DescribeDcdnRefreshQuota",
			"dcdn:DescribeDcdnRefreshTaskById",
		},
		{
			mapping.CDN, "cdn:DescribeUserDomains", "cdn:DescribeCdnDomainConfigs",
			"cdn:RefreshObjectCaches", "cdn:DescribeRefreshQuota", "cdn:DescribeRefreshTaskById",
		},
	} {
		resource := func(domain string) string {
			return fmt.Sprintf("acs:%s:*:%s:domain/%s", api.product, account, domain)
		}
		refreshed := []string{resource("*")}
		if table != nil {
			refreshed = nil
			for _, domain := range domains(table, api.product) {
				refreshed = append(refreshed, resource(domain))
			}
		}
		allow([]string{resource("*")}, api.list, api.configs)
		if refreshed != nil {
			allow(refreshed, api.refresh)
		}
		allow([]string{"*"}, api.quota, api.task)
		inferred = append(inferred, api.task)
	}
	return p, inferred
}
