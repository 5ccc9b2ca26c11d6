package aliyuntest

import (
	"maps"
	"slices"
)

// listSites is ListSites. Its parameters that search and filter are not emulated: they
// are refused. Answers have the fields of "ListSites, API reference" that a client may
// need.
func (s *Server) listSites(q request) answer {
	var list []map[string]any
	for _, id := range slices.Sorted(maps.Keys(s.Sites)) {
		list = append(list, map[string]any{
			"SiteId": id, "SiteName": s.Sites[id], "Status": "active",
			"AccessType": "CNAME", "Coverage": "domestic", "CnameZone": "example.cname.net",
		})
	}
	return listed(q, "Sites", list)
}

// listRecords is ListRecords: those of the Account that are of ESA and the site.
func (s *Server) listRecords(q request) answer {
	if refused := s.checkSite(q); refused != nil {
		return refused.answer(q)
	}
	var list []map[string]any
	for i, d := range s.Account {
		if d.Product == "esa" && d.Site == q.Site {
			list = append(list, d.record(i+1, s.Sites[d.Site]))
		}
	}
	return listed(q, "Records", list)
}

// record returns the domain as ListRecords shows it. It has one origin.
func (d Domain) record(id int, site string) map[string]any {
	fields := map[string]any{
		"RecordId": id, "SiteId": d.Site, "SiteName": site, "RecordName": d.Name,
		"RecordType": "CNAME", "RecordCname": d.Name + ".example.cname.net",
		"Proxied": d.status() == "online", "Ttl": 1, "BizName": "web",
	}
	for _, source := range d.Sources {
		fields["Data"] = map[string]any{"Value": source.Content}
		if source.Type == "ipaddr" {
			fields["RecordType"] = "A/AAAA"
			continue
		}
		fields["RecordSourceType"], fields["HostPolicy"] = sourceTypes[source.Type], "follow_origin_domain"
		if source.Type == "oss" {
			fields["AuthConf"] = map[string]any{"AuthType": "public"}
		}
	}
	return fields
}

// sourceTypes are the words of "ListRecords, API reference" for the types of origins.
var sourceTypes = map[string]string{"oss": "OSS", "s3": "S3", "lb": "LB", "op": "OP", "domain": "Domain"}

// filters are the parameters by which ListSites and ListRecords search, which are not
// emulated.
var filters = []string{
	"SiteName", "SiteSearchType", "Status", "AccessType", "Coverage", "PlanSubscribeType", "TagFilter",
	"RecordName", "RecordMatchType", "Proxied", "SourceType", "Type", "BizName",
}

var errFilter = &refusal{501, "NotEmulated", "This emulator lists all sites and records: it does not search. Leave out all but SiteId, PageNumber and PageSize."}

// listed answers with a page of a list. That a page has up to 500 entries, and as many
// by default, is of the SDKs' models.
func listed(q request, name string, list []map[string]any) answer {
	page, size := number(q.params["PageNumber"], 1), number(q.params["PageSize"], 500)
	for _, filter := range filters {
		if q.params[filter] != "" {
			return errFilter.answer(q)
		}
	}
	switch {
	case page < 1 || page > 100_000:
		return errPage.answer(q)
	case size < 1 || size > 500:
		return errPageSize.answer(q)
	}
	total := len(list)
	from := min((page-1)*size, total)
	shown := append([]map[string]any{}, list[from:min(from+size, total)]...)
	return success(q, map[string]any{
		"PageNumber": page, "PageSize": size, "TotalCount": total, name: shown,
	})
}
