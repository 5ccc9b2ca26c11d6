package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/mapping"
)

type policyCommand struct {
	tableFlag
	Operator   bool   `help:"Print what a person needs who runs init, check --live, refresh, preload, quota and tasks."`
	Account    string `required:"" placeholder:"ID" help:"The Alibaba Cloud account that owns the domains: digits."`
	DeadLetter string `placeholder:"QUEUE" help:"Also allow sending dead letters to this queue of Simple Message Queue (formerly MNS)."`
	Region     string `default:"*" help:"The queue's region. Default: any."`
	Deployer   bool   `help:"Print what the key needs of who runs setup and Serverless Devs."`
	Name       string `placeholder:"NAME" help:"With --deployer: what the deployment's names begin with. Default: OSSREFRESH_NAME, or oss-cdn-refresh."`
}

func (*policyCommand) Help() string {
	return `The policy allows refreshing just the domains of the table, and of ESA just its sites. The function's role needs it; setup gives it to it.

Examples:

    ossrefresh policy --account 1234567890123456 --operator
    ossrefresh policy --account 1234567890123456
    ossrefresh policy --account 1234567890123456 --dead-letter refresh-failed --region cn-hangzhou
    ossrefresh policy --account 1234567890123456 --deployer`
}

func (cmd *policyCommand) Run(c *console) error {
	if err := cmd.validate(); err != nil {
		return err
	}
	if cmd.Operator {
		return cmd.operator(c)
	}
	table, err := cmd.load()
	if err != nil {
		return err
	}
	return c.show(cmd.policy(c, table))
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
		return misuse(fmt.Errorf("--account: %q is not a valid account id", cmd.Account),
			"give the digits that the console shows under your avatar")
	case cmd.DeadLetter != "" && !queueName.MatchString(cmd.DeadLetter):
		return misuse(fmt.Errorf("--dead-letter: %q is not a valid queue name", cmd.DeadLetter),
			"give its name without region and account: letters, digits and hyphens")
	case !region.MatchString(cmd.Region):
		return misuse(fmt.Errorf("--region: %q is not a valid region", cmd.Region),
			"give its id, such as cn-hangzhou")
	}
	return nil
}

// policy is the function's, or that of who deploys it.
func (cmd *policyCommand) policy(c *console, table *mapping.Table) policyDocument {
	if !cmd.Deployer {
		return policyDocument{deployment.FunctionPolicy(table, cmd.Account, cmd.Region, cmd.DeadLetter)}
	}
	p, inferred := deployment.DeployerPolicy(deployment.Settings{
		Name: nameFrom(cmd.Name, c.getenv), Account: cmd.Account, Region: cmd.Region, Table: table,
	})
	c.hint("their documentation was not found, so that these are inferred: " + strings.Join(inferred, ", "))
	return policyDocument{p}
}

// A policyDocument is a policy as RAM takes it.
type policyDocument struct{ deployment.Policy }

// text is the policy itself: it is made to be pasted.
func (p policyDocument) text(page *page) {
	data, _ := json.MarshalIndent(p, "", "  ")
	for _, line := range strings.Split(string(data), "\n") {
		page.line("%s", line)
	}
}
