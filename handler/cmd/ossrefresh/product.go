package main

import (
	"errors"
	"fmt"
	"strings"

	"oss-cdn-refresh/mapping"
)

// A productFlag says to which product URLs belong, and of ESA to which site.
type productFlag struct {
	Product string `enum:",dcdn,cdn,esa" default:"" help:"dcdn, cdn or esa. Default: where the mapping table has the domain, else dcdn."`
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

// of returns where a domain belongs. That may be several products, if the table has
// it in several.
func (f productFlag) of(table *mapping.Table, domain string) ([]mapping.Service, error) {
	if f.Site != 0 {
		return []mapping.Service{{Product: mapping.ESA, Site: f.Site}}, nil
	}
	var all []mapping.Service
	for _, a := range table.Services(domain) {
		if f.Product == "" || f.Product == string(a.Product) {
			all = append(all, a)
		}
	}
	switch {
	case len(all) > 0:
		return all, nil
	case f.Product == string(mapping.ESA):
		return nil, misuse(
			fmt.Errorf("the mapping table has no site of ESA for %s", domain),
			"give --site; nothing was sent")
	case f.Product == "":
		return []mapping.Service{{Product: mapping.DCDN}}, nil
	}
	return []mapping.Service{{Product: mapping.Product(f.Product)}}, nil
}

// one returns the service that is meant where no domain says it: of ESA, the table's
// only site.
func (f productFlag) one(table *mapping.Table) (mapping.Service, error) {
	if f.Product != string(mapping.ESA) || f.Site != 0 {
		a := mapping.Service{Product: mapping.Product(f.Product), Site: f.Site}
		if a.Product == "" {
			a.Product = mapping.DCDN
		}
		return a, nil
	}
	var sites []mapping.Service
	var ids []string
	for _, a := range table.Services("") {
		if a.Product == mapping.ESA {
			sites = append(sites, a)
			ids = append(ids, fmt.Sprint(a.Site))
		}
	}
	switch len(sites) {
	case 1:
		return sites[0], nil
	case 0:
		return mapping.Service{}, misuse(errors.New("the mapping table has no site of ESA"), "give --site")
	}
	return mapping.Service{}, misuse(fmt.Errorf("the mapping table has several sites of ESA: %s", strings.Join(ids, ", ")), "give one of them with --site")
}

// oneService returns the account that the flags mean. The table is read only where
// they do not say the site.
func oneService(table tableFlag, product productFlag) (mapping.Service, error) {
	if err := product.validate(); err != nil {
		return mapping.Service{}, err
	}
	if product.Product != string(mapping.ESA) || product.Site != 0 {
		return product.one(nil)
	}
	loaded, err := tableOf(table)
	if err != nil {
		return mapping.Service{}, err
	}
	return product.one(loaded)
}
