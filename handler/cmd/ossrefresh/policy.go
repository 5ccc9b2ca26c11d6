package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"oss-cdn-refresh/mapping"
)

type policyCommand struct {
	tableFlag
	Account    string `required:"" placeholder:"ID" help:"The Alibaba Cloud account that owns the domains: digits."`
	DeadLetter string `placeholder:"QUEUE" help:"Also allow sending dead letters to this queue of Simple Message Queue (formerly MNS)."`
	Region     string `default:"*" help:"The queue's region. Default: any."`
}

func (*policyCommand) Help() string {
	return `The policy allows refreshing just the domains of the table, and of ESA just its sites. Give it to the function's role.

Examples:

    ossrefresh policy --account 1234567890123456
    ossrefresh policy --account 1234567890123456 --dead-letter refresh-failed --region cn-hangzhou`
}

func (cmd *policyCommand) Run(c *console) error {
	if err := cmd.validate(); err != nil {
		return err
	}
	table, err := cmd.load()
	if err != nil {
		return err
	}
	return c.show(cmd.policy(table))
}

var (
	accountID = regexp.MustCompile(`^[0-9]+$`)
	queueName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*$`)
	region    = regexp.MustCompile(`^(\*|[a-z0-9-]+)$`)
)

// validate lets nothing into a resource's name that would widen it.
func (cmd *policyCommand) validate() error {
	switch {
	case !accountID.MatchString(cmd.Account):
		return misuse(fmt.Errorf("--account: %q is no account id", cmd.Account), "give the digits that the console shows under your avatar")
	case cmd.DeadLetter != "" && !queueName.MatchString(cmd.DeadLetter):
		return misuse(fmt.Errorf("--dead-letter: %q is no queue name", cmd.DeadLetter), "give its name without region and account: letters, digits and hyphens")
	case !region.MatchString(cmd.Region):
		return misuse(fmt.Errorf("--region: %q is no region", cmd.Region), "give its id, such as cn-hangzhou")
	}
	return nil
}

// A policy is a RAM policy (Resource Access Management: policy structure and
// syntax).
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect   string
	Action   []string
	Resource []string
}

// policy is the least that lets the function work. The actions and resources
// are those of "RefreshDcdnObjectCaches, API reference", "RefreshObjectCaches, API
// reference" and "PurgeCaches, API reference" (January 2026).
func (cmd *policyCommand) policy(table *mapping.Table) policy {
	p := policy{Version: "1"}
	for _, api := range []struct {
		product mapping.Product
		action  string
	}{{mapping.DCDN, "dcdn:RefreshDcdnObjectCaches"}, {mapping.CDN, "cdn:RefreshObjectCaches"}} {
		var resources []string
		for _, domain := range domains(table, api.product) {
			resources = append(resources, fmt.Sprintf("acs:%s:*:%s:domain/%s", api.product, cmd.Account, domain))
		}
		if resources != nil {
			p.Statement = append(p.Statement, statement{"Allow", []string{api.action}, resources})
		}
	}
	var sites []string
	for _, a := range accounts(table, "") {
		if a.Product == mapping.ESA {
			sites = append(sites, fmt.Sprintf("acs:esa:*:%s:site/%d", cmd.Account, a.Site))
		}
	}
	if sites != nil {
		p.Statement = append(p.Statement, statement{"Allow", []string{"esa:PurgeCaches"}, sites})
	}
	if cmd.DeadLetter != "" {
		queue := fmt.Sprintf("acs:mns:%s:%s:/queues/%s/messages", cmd.Region, cmd.Account, cmd.DeadLetter)
		p.Statement = append(p.Statement, statement{"Allow", []string{"mns:SendMessage"}, []string{queue}})
	}
	return p
}

// text is the policy itself: it is made to be pasted.
func (p policy) text(page *page) {
	data, _ := json.MarshalIndent(p, "", "  ")
	for _, line := range strings.Split(string(data), "\n") {
		page.line("%s", line)
	}
}
