package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/account"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// A survey asks for the account's domains and their settings.
type survey struct {
	caller  *aliyun.Caller
	console *console
}

// asked are the operations that a survey calls, for those who must allow them.
const asked = "DescribeDcdnUserDomains, DescribeDcdnDomainConfigs, " +
	"DescribeUserDomains, DescribeCdnDomainConfigs, ListSites and ListRecords"

// pauses lie between two calls for settings. Those of DCDN may be 30 a second of
// the account, those of CDN 100 (DescribeDcdnDomainConfigs and
// DescribeCdnDomainConfigs, API reference): some are left for others. Of ESA, where
// the number is not documented, they lie between two sites.
var pauses = map[mapping.Product]time.Duration{
	mapping.DCDN: time.Second / 25,
	mapping.CDN:  time.Second / 50,
	mapping.ESA:  time.Second / 5,
}

// inFlight is how many calls may wait for their answers.
const inFlight = 16

// domains lists all domains of a product, without their settings.
func (v survey) domains(ctx context.Context, product mapping.Product) ([]account.Domain, error) {
	var all []account.Domain
	for page := 1; ; page++ {
		found, err := patiently(ctx, func() (aliyun.DomainPage, error) {
			return v.caller.ListDomains(ctx, string(product), page)
		})
		if err != nil {
			return nil, fmt.Errorf("asking for the domains of %s: %w", product, unanswered(err))
		}
		for _, d := range found.Domains {
			known := func(other account.Domain) bool { return other.Name == d.Name }
			if !slices.ContainsFunc(all, known) { // a new one shifts the pages
				all = append(all, account.Domain{Domain: d, Product: product})
			}
		}
		if len(all) == 0 && found.Total > 0 {
			return nil, fmt.Errorf("asking for the domains of %s: the API counts %d and lists none",
				product, found.Total)
		}
		v.console.showProgress("%s: %d of %s listed", product, len(all), plural(found.Total, "domain"))
		if !found.More {
			return all, nil
		}
	}
}

// records lists the records of all sites of ESA. A host belongs to the site with the
// longest name that it ends with, of those that are in service if there is one.
func (v survey) records(ctx context.Context) ([]account.Domain, error) {
	sites, err := patiently(ctx, func() ([]aliyun.Site, error) { return v.caller.Sites(ctx) })
	if err != nil {
		return nil, fmt.Errorf("asking for the sites of esa: %w", unanswered(err))
	}
	active := func(s aliyun.Site) int {
		if s.Status == "active" {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(sites, func(a, b aliyun.Site) int {
		return cmp.Or(active(b)-active(a), len(b.Name)-len(a.Name))
	})
	var all []account.Domain
	for i, site := range sites {
		v.console.showProgress("esa: records of %d of %s", i, plural(len(sites), "site"))
		records, err := patiently(ctx, func() ([]aliyun.Domain, error) {
			return v.caller.Records(ctx, site)
		})
		if err != nil {
			return nil, fmt.Errorf("asking for the records of %s, a site of esa: %w",
				site.Name, unanswered(err))
		}
		for _, d := range records {
			of := func(s aliyun.Site) bool { return d.Name == s.Name || strings.HasSuffix(d.Name, "."+s.Name) }
			closest := max(0, slices.IndexFunc(sites, of))
			known := slices.IndexFunc(all, func(other account.Domain) bool { return other.Name == d.Name })
			switch {
			case known < 0:
				all = append(all, account.Domain{Domain: d, Product: mapping.ESA, Site: sites[closest].ID})
			case all[known].Site == site.ID: // several records of one name
				all[known].Sources = append(all[known].Sources, d.Sources...)
			}
		}
		if err := sleep(ctx, pauses[mapping.ESA]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// settle reads the settings of the domains that are wanted. What the API refuses
// for one domain is noted there; any other error ends it. Domains of ESA have rules
// instead, which are not read.
func (v survey) settle(
	ctx context.Context, domains []account.Domain, wanted func(account.Domain) bool,
) error {
	var asked []int
	for i, d := range domains {
		if d.Product != mapping.ESA && wanted(d) {
			asked = append(asked, i)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type answer struct {
		domain  int
		configs []aliyun.Config
		err     error
	}
	answers := make(chan answer)
	go func() {
		slots := make(chan bool, inFlight)
		for _, i := range asked {
			slots <- true
			go func(product, name string) {
				configs, err := patiently(ctx, func() ([]aliyun.Config, error) {
					return v.caller.Configs(ctx, product, name, account.Functions)
				})
				<-slots
				answers <- answer{i, configs, err}
			}(string(domains[i].Product), domains[i].Name)
			_ = sleep(ctx, pauses[domains[i].Product]) // calls that are too late fail by themselves
		}
	}()
	var failure error
	for n := range asked {
		a := <-answers
		v.console.showProgress("settings of %d of %s", n+1, plural(len(asked), "domain"))
		domains[a.domain].Configs = a.configs
		var refusal *refresh.Error
		switch {
		case a.err == nil || failure != nil:
		case errors.As(a.err, &refusal) && concernsOne(refusal.Class):
			domains[a.domain].Unread = refusal.Text()
		default:
			failure = fmt.Errorf("asking for the settings of %s: %w",
				domains[a.domain].Name, unanswered(a.err))
			stop()
		}
	}
	return failure
}

// concernsOne reports whether the next domain may well fare better.
func concernsOne(class refresh.Class) bool {
	switch class {
	case refresh.Permanent, refresh.Unknown, refresh.SplitDomains, refresh.Halve:
		return true
	}
	return false
}

// patiently calls until there is an answer that stays, with growing pauses.
func patiently[T any](ctx context.Context, call func() (T, error)) (T, error) {
	return repeatedly(ctx, call, passes, nil)
}

// passes reports whether the next answer may be another one.
func passes(err *refresh.Error) bool {
	switch err.Class {
	case refresh.AgainNow, refresh.Again, refresh.AgainLater, refresh.Busy:
		return true
	}
	return false
}

// whileWaiting is patiently for somebody who waits for minutes anyway: throttling does
// not count towards giving up.
func whileWaiting[T any](ctx context.Context, call func() (T, error)) (T, error) {
	retryable := func(err *refresh.Error) bool { return err.Class.Retryable() }
	return repeatedly(ctx, call, retryable, aliyun.Throttled)
}

// repeatedly calls until there is an answer or a refusal that stays. It gives up
// after maxUnanswered more calls, not counting those that were free.
func repeatedly[T any](
	ctx context.Context, call func() (T, error),
	again func(*refresh.Error) bool, free func(error) bool,
) (T, error) {
	pause := 500 * time.Millisecond
	for unanswered := 0; ; pause = min(2*pause, 8*time.Second) {
		value, err := call()
		var refusal *refresh.Error
		if err == nil || !errors.As(err, &refusal) || !again(refusal) {
			return value, err
		}
		if free == nil || !free(err) {
			unanswered++
		}
		if unanswered > maxUnanswered || sleep(ctx, pause) != nil {
			return value, err
		}
	}
}

// maxUnanswered is how often more a question is asked that nobody answers.
const maxUnanswered = 5

// take asks the products for their domains, and for the settings of those that are
// wanted. A product that may not be asked, is not activated or does not answer is told
// of; there is no answer where that is so of all.
func (v survey) take(
	ctx context.Context, wanted func(account.Domain) bool,
) (all []account.Domain, refused []productError, err error) {
	defer v.console.showProgress("")
	products := []mapping.Product{mapping.DCDN, mapping.CDN, mapping.ESA}
	for _, product := range products {
		list := func() ([]account.Domain, error) { return v.domains(ctx, product) }
		if product == mapping.ESA {
			list = func() ([]account.Domain, error) { return v.records(ctx) }
		}
		domains, err := list()
		var refusal *refresh.Error
		switch {
		case err == nil:
			all = append(all, domains...)
		case ctx.Err() != nil || !errors.As(err, &refusal):
			return nil, nil, err
		case passes(refusal):
			refused = append(refused, productError{product, err, laterHint})
		case concernsOne(refusal.Class) || refusal.Class == refresh.StopProduct:
			refused = append(refused, productError{product, err, operatorHint})
		default:
			return nil, nil, err
		}
	}
	if len(refused) == len(products) {
		var all []error
		var hints []string
		for _, r := range refused {
			all = append(all, r.error)
			hints = append(hints, r.hint)
		}
		return nil, nil, hint(errors.Join(all...), strings.Join(slices.Compact(hints), "\n"))
	}
	if err := v.settle(ctx, all, wanted); err != nil {
		return nil, nil, err
	}
	return all, refused, nil
}

const (
	operatorHint = "ossrefresh policy --account ID --operator prints what the credentials must be allowed"
	laterHint    = "try again later, or look at what keeps this machine from the API's endpoint"
)

// A productError is why the domains of a product are not known.
type productError struct {
	product mapping.Product
	error
	hint string
}

// read tells what the domains say about the table.
func read(domains []account.Domain) []account.Reading {
	readings := make([]account.Reading, 0, len(domains))
	for _, d := range domains {
		readings = append(readings, account.Read(d))
	}
	return readings
}

// operatorFrom returns a survey with the caller's credentials.
func operatorFrom(c *console, what string) (survey, error) {
	caller, err := callerFrom(c.getenv)
	var h *hinted
	if errors.As(err, &h) { // there are no credentials
		h.hint += "; " + what + " would call " + asked + ", which change nothing"
	}
	return survey{caller, c}, err
}
