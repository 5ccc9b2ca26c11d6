package aliyun

import (
	"cmp"
	"context"
	"encoding/json"
	"strconv"
	"strings"
)

// A Site is a site of ESA: a domain with the records below it.
type Site struct {
	ID     int64
	Name   string // in lower case
	Status string // active, pending, offline, moved
}

// Sites returns the account's sites of ESA. The error is a *[refresh.Error].
func (c *Caller) Sites(ctx context.Context) ([]Site, error) {
	var all []Site
	err := c.pages(ctx, "ListSites", "Sites", nil, func(fields map[string]json.RawMessage) {
		id, _ := strconv.ParseInt(member(fields, "SiteId"), 10, 64)
		all = append(all, Site{
			ID:     id,
			Name:   strings.ToLower(member(fields, "SiteName")),
			Status: strings.ToLower(member(fields, "Status")),
		})
	})
	return all, err
}

// Records returns the records of a site of ESA that can have visitors, as domains:
// those with an address or a CNAME. Their status is that of the site, with "online"
// for "active", or "not proxied" where ESA only resolves the name. What the API tells
// of the keys of private buckets is not kept. The error is a *[refresh.Error].
func (c *Caller) Records(ctx context.Context, site Site) ([]Domain, error) {
	status := site.Status
	if status == "active" {
		status = "online"
	}
	params := map[string]string{"SiteId": strconv.FormatInt(site.ID, 10)}
	var all []Domain
	err := c.pages(ctx, "ListRecords", "Records", params, func(fields map[string]json.RawMessage) {
		d := Domain{Name: strings.ToLower(member(fields, "RecordName")), Status: status}
		if member(fields, "Proxied") != "true" && status == "online" {
			d.Status = "not proxied"
		}
		var data map[string]json.RawMessage
		_ = json.Unmarshal(fields["Data"], &data) // anything else has no origin
		source := Source{Type: "domain", Content: cmp.Or(member(data, "Value"), member(data, "value"))}
		switch typ := member(fields, "RecordType"); {
		case strings.HasPrefix(typ, "A"): // A/AAAA
			source.Type = "ipaddr"
		case typ != "CNAME":
			return
		case member(fields, "RecordSourceType") != "":
			source.Type = strings.ToLower(member(fields, "RecordSourceType"))
		}
		d.Sources = []Source{source}
		all = append(all, d)
	})
	return all, err
}

// pages reads all pages of a list of ESA. How many such calls an account may make in a
// second is not documented.
func (c *Caller) pages(
	ctx context.Context, operation, list string, params map[string]string,
	each func(fields map[string]json.RawMessage),
) error {
	for page, listed := 1, 0; ; page++ {
		query := map[string]string{
			"PageNumber": strconv.Itoa(page), "PageSize": strconv.Itoa(domainsPerPage),
		}
		for name, value := range params {
			query[name] = value
		}
		a, err := c.describe(ctx, c.client.products[esa], operation, query)
		if err != nil {
			return err
		}
		found := nested(a.fields[list], list)
		for _, fields := range found {
			each(fields)
		}
		listed += len(found)
		total, _ := strconv.Atoi(text(valueOf(a.fields["TotalCount"])))
		if len(found) == 0 || listed >= total {
			return nil
		}
	}
}
