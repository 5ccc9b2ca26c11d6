package main

import (
	"errors"
	"fmt"
	"slices"

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

// A serviceFlag says which product is asked, and of ESA which site, where there is no
// domain that says it.
type serviceFlag struct {
	Product string `enum:",dcdn,cdn,esa" default:"" help:"dcdn, cdn or esa. Default: all products and sites of the mapping table, or dcdn where there is no table."`
	Site    int64  `placeholder:"ID" help:"With --product esa: the id of the site. Default: all sites of the mapping table."`
}

// services returns those that are meant. The table is read only where the flags do not
// say all.
func (f serviceFlag) services(table tableFlag) ([]mapping.Service, error) {
	flags := productFlag(f)
	if err := flags.validate(); err != nil {
		return nil, err
	}
	product := mapping.Product(f.Product)
	if f.Site != 0 || product == mapping.DCDN || product == mapping.CDN {
		return []mapping.Service{{Product: product, Site: f.Site}}, nil
	}
	loaded, err := tableOf(table)
	if err != nil {
		return nil, err
	}
	all := loaded.Services("")
	if product == mapping.ESA {
		all = slices.DeleteFunc(all, func(s mapping.Service) bool { return s.Product != mapping.ESA })
	}
	switch {
	case len(all) > 0:
		return all, nil
	case product == mapping.ESA:
		return nil, misuse(errors.New("the mapping table has no site of ESA"), "give --site")
	}
	return []mapping.Service{{Product: mapping.DCDN}}, nil
}
