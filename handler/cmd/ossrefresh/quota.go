package main

import (
	"context"
	"fmt"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/mapping"
)

type quotaCommand struct {
	tableFlag
	productFlag
}

func (*quotaCommand) Help() string {
	return `The credentials are read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN. At what hour the quota of a day is reset is not documented.

Examples:

    ossrefresh quota
    ossrefresh quota --product cdn --json
    ossrefresh quota --product esa --site 123456789012345`
}

func (cmd *quotaCommand) Run(ctx context.Context, c *console) error {
	service, err := oneService(cmd.tableFlag, cmd.productFlag)
	if err != nil {
		return err
	}
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return err
	}
	allowances, err := allowancesOf(ctx, caller, service)
	if err != nil {
		return fmt.Errorf("asking for the quota: %w", unanswered(err))
	}
	return c.show(quota{string(service.Product), service.Site, append([]aliyun.Allowance{}, allowances...)})
}

// allowancesOf asks what is left of a service's day.
func allowancesOf(
	ctx context.Context, caller *aliyun.Caller, service mapping.Service,
) ([]aliyun.Allowance, error) {
	if service.Site != 0 {
		return caller.SiteQuota(ctx, service.Site)
	}
	return caller.Quota(ctx, string(service.Product))
}

// A quota is what is left of a product's day, or of a site's.
type quota struct {
	Product    string             `json:"product"`
	Site       int64              `json:"site,omitempty"` // ESA only
	Allowances []aliyun.Allowance `json:"allowances"`
}

func (q quota) text(p *page) {
	p.title("%s: left of today's quota", mapping.Service{Product: mapping.Product(q.Product), Site: q.Site})
	var rows [][]string
	for _, a := range q.Allowances {
		rows = append(rows, []string{a.Type, fmt.Sprintf("%d of %d", a.Remain, a.Quota)})
	}
	p.rows(rows)
}
