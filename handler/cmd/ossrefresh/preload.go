package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

type preloadCommand struct {
	tableFlag
	productFlag
	Live    bool          `help:"Send the requests; without it they are only shown."`
	Timeout time.Duration `default:"2m" help:"When to give up."`
	URLs    []string      `arg:"" name:"url" sep:"none" help:"URLs, or - for standard input with one a line."`
}

func (*preloadCommand) Help() string {
	return `The CDN loads the URLs from the origin into its caches, which takes 5 to 30 minutes and the origin's bandwidth. What is cached already stays as it is: refresh it first, as "ossrefresh refresh --live --wait --preload" does. A URL is sent just as it is given. At most 1,000 URLs a day for DCDN and CDN; for ESA the number is not documented. The function never preloads.

Examples:

    ossrefresh preload https://www.example.com/setup.zip
    ossrefresh preload --live --product cdn - <urls.txt
    ossrefresh preload --live --product esa --site 123456789012345 https://www.example.com/`
}

func (cmd *preloadCommand) Run(ctx context.Context, c *console) error {
	if err := errors.Join(checkTimeout(cmd.Timeout), cmd.validate()); err != nil {
		return err
	}
	table, err := tableOf(cmd.tableFlag)
	if err != nil {
		return err
	}
	given := refreshCommand{
		tableFlag: cmd.tableFlag, productFlag: cmd.productFlag,
		verb: "preload", Type: "file", Exact: true, Live: cmd.Live, URLs: cmd.URLs,
	}
	urls, err := given.urls(ctx, c)
	if err != nil {
		return err
	}
	targets, err := given.targets(urls, table)
	if err != nil {
		return err
	}
	given.doubtDomains(c, table, targets)
	doubtServices(c, table, targets)
	for i := range targets {
		targets[i].Type = preloaded
	}
	sender, err := newPreloader(c, cmd.Live)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	doc := preload(ctx, sender, targets)
	return errors.Join(c.show(doc), doc.failure())
}

// preloaded is the type of a target that is preloaded. A mapping table has no such
// type.
const preloaded mapping.Type = "Preload"

// preloadLimits are those of PreloadDcdnObjectCaches and PushObjectCache, API
// reference. Those of ESA's PreloadCaches are not documented: its console takes 100
// URLs at a time, and of the calls a second a few must be enough.
var (
	preloadLimits = refresh.Limits{
		URLsPerRequest: 100, URLsPerDomain: 100, DomainsPerRequest: 10, DirectoriesPerRequest: 1,
		RequestBytes: 256 << 10,
		ESA: mapping.ESALimits{
			URLsPerRequest: 100, DomainsPerRequest: 10, DirectoriesPerRequest: 1,
			IgnoreParamsPerRequest: 1, RequestBytes: 256 << 10,
		},
	}
	preloadCalls = map[mapping.Product]int{mapping.DCDN: 15, mapping.CDN: 50, mapping.ESA: 5}
)

// A preloader preloads what it is told to refresh.
type preloader struct{ *aliyun.Caller }

func (p preloader) Refresh(ctx context.Context, call refresh.Call) (refresh.Receipt, error) {
	return p.Preload(ctx, call)
}

// newPreloader returns a sender that preloads or, in a dry run, does nothing.
func newPreloader(c *console, live bool) (*sender, error) {
	s := &sender{submitter: &refresh.Submitter{Limits: preloadLimits, CallsPerSecond: preloadCalls}}
	if !live {
		return s, nil
	}
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return nil, err
	}
	s.api = preloader{caller}
	return s, nil
}

// A preloading is what became of URLs to preload.
type preloading struct {
	sendResult
	Quotas []preloadQuota `json:"quotas"` // as they are afterwards
}

// A preloadQuota is what is left of a product's day. The API of ESA does not tell it.
type preloadQuota struct {
	Product string `json:"product"`
	Quota   int    `json:"quota"`
	Remain  int    `json:"remain"`
}

// preload preloads the targets and asks for what is left of the quota. An unanswered
// question is no failure.
func preload(ctx context.Context, s *sender, targets []mapping.Target) preloading {
	doc := preloading{newSendResult(s.api != nil), []preloadQuota{}}
	s.send(ctx, &doc.sendResult, targets, nil)
	api, live := s.api.(preloader)
	asked := map[mapping.Product]bool{mapping.ESA: true}
	for _, t := range targets {
		if !live || asked[t.Product] {
			continue
		}
		asked[t.Product] = true
		allowances, _ := api.Quota(ctx, string(t.Product))
		for _, a := range allowances {
			if a.Type == string(preloaded) {
				doc.Quotas = append(doc.Quotas, preloadQuota{string(t.Product), a.Quota, a.Remain})
			}
		}
	}
	return doc
}

func (p preloading) text(page *page) {
	p.sendResult.text(page)
	for _, q := range p.Quotas {
		page.title("%s: left of today's quota of preloading", q.Product)
		page.line("  %d of %d", q.Remain, q.Quota)
	}
}

func (p preloading) failure() error {
	if err := p.sendResult.failure(); err != nil {
		return fmt.Errorf("preloading: %w", err)
	}
	return nil
}
