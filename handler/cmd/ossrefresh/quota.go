package main

import (
	"context"
	"fmt"

	"oss-cdn-refresh/handler/aliyun"
)

type quotaCommand struct {
	Product string `enum:"dcdn,cdn" default:"dcdn" help:"dcdn or cdn."`
}

func (*quotaCommand) Help() string {
	return `The credentials are read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN. At what hour the quota of a day is reset is not documented.

Examples:

    ossrefresh quota
    ossrefresh quota --product cdn --json`
}

func (cmd *quotaCommand) Run(ctx context.Context, c *console) error {
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return err
	}
	allowances, err := caller.Quota(ctx, cmd.Product)
	if err != nil {
		return fmt.Errorf("asking for the quota: %w", unanswered(err))
	}
	return c.show(quota{cmd.Product, append([]aliyun.Allowance{}, allowances...)})
}

// A quota is what is left of a product's day.
type quota struct {
	Product    string             `json:"product"`
	Allowances []aliyun.Allowance `json:"allowances"`
}

func (q quota) text(p *page) {
	p.title("%s: left of today's quota", q.Product)
	var rows [][]string
	for _, a := range q.Allowances {
		rows = append(rows, []string{a.Type, fmt.Sprintf("%d of %d", a.Remain, a.Quota)})
	}
	p.rows(rows)
}
