package main

import (
	"errors"
	"fmt"
	"strings"

	"oss-cdn-refresh/mapping"
)

// A productFlag says to which product URLs belong, and of ESA to which site.
type productFlag struct {
	Product string `enum:",dcdn,cdn,esa" default:"" help:"dcdn, cdn or esa. Default: those of the domain in the mapping table, else dcdn."`
	Site    int64  `placeholder:"ID" help:"With --product esa: the id of the site. Default: that of the mapping table."`
}

// validate refuses a site of another product.
func (f productFlag) validate() error {
	switch {
	case f.Site != 0 && f.Product != string(mapping.ESA):
		return misuse(errors.New("--site: only ESA has sites"), "give --product esa too")
	case f.Site < 0:
		return misuse(fmt.Errorf("--site: %d is not the id of a site", f.Site), "give the whole number that ESA's console shows")
	}
	return nil
}

// An account is what has tasks and a quota: a product, and of ESA a site.
type account struct {
	Product mapping.Product
	Site    int64
}

// of returns where a domain belongs. That may be several products, if the table has
// it in several.
func (f productFlag) of(table *mapping.Table, domain string) ([]account, error) {
	if f.Site != 0 {
		return []account{{mapping.ESA, f.Site}}, nil
	}
	var all []account
	for _, a := range accounts(table, domain) {
		if f.Product == "" || f.Product == string(a.Product) {
			all = append(all, a)
		}
	}
	switch {
	case len(all) > 0:
		return all, nil
	case f.Product == string(mapping.ESA):
		return nil, fmt.Errorf("the mapping table has no site of ESA for %s: give --site", domain)
	case f.Product == "":
		return []account{{Product: mapping.DCDN}}, nil
	}
	return []account{{Product: mapping.Product(f.Product)}}, nil
}

// one returns the account that is meant where no domain says it: of ESA, the table's
// only site.
func (f productFlag) one(table *mapping.Table) (account, error) {
	if f.Product != string(mapping.ESA) || f.Site != 0 {
		a := account{mapping.Product(f.Product), f.Site}
		if a.Product == "" {
			a.Product = mapping.DCDN
		}
		return a, nil
	}
	var sites []account
	var ids []string
	for _, a := range accounts(table, "") {
		if a.Product == mapping.ESA {
			sites = append(sites, a)
			ids = append(ids, fmt.Sprint(a.Site))
		}
	}
	switch len(sites) {
	case 1:
		return sites[0], nil
	case 0:
		return account{}, misuse(errors.New("the mapping table has no site of ESA"), "give --site")
	}
	return account{}, misuse(fmt.Errorf("the mapping table has several sites of ESA: %s", strings.Join(ids, ", ")), "give one of them with --site")
}

// oneAccount returns the account that the flags mean. The table is read only where
// they do not say the site.
func oneAccount(table tableFlag, product productFlag) (account, error) {
	if err := product.validate(); err != nil {
		return account{}, err
	}
	if product.Product != string(mapping.ESA) || product.Site != 0 {
		return product.one(nil)
	}
	loaded, err := tableOf(table)
	if err != nil {
		return account{}, err
	}
	return product.one(loaded)
}

// accounts returns where the table has a domain, each once; for an empty domain, it
// returns all of the table's.
func accounts(table *mapping.Table, domain string) []account {
	var all []account
	seen := map[account]bool{}
	for _, r := range table.Rules {
		for _, s := range r.Targets {
			a := account{s.Product, s.Site}
			if (domain == "" || s.Domain == domain) && !seen[a] {
				seen[a] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// String is "dcdn", or "esa, site 7".
func (a account) String() string {
	if a.Site != 0 {
		return fmt.Sprintf("%s, site %d", a.Product, a.Site)
	}
	return string(a.Product)
}
