package account

import (
	"cmp"
	"slices"
	"strings"

	"oss-cdn-refresh/handler/aliyun"
)

// findBucket works out which bucket is the domain's origin: the one that the host
// of its requests to the origin names or, where no setting says otherwise, the
// one that its source names.
func (r *Reading) findBucket(d Domain) {
	var origins []string // the buckets, and what else there is
	for _, s := range d.Sources {
		bucket := ofSource(s, d)
		if bucket != "" && !slices.Contains(r.Buckets, bucket) {
			r.Buckets = append(r.Buckets, bucket)
		}
		if origin := cmp.Or(bucket, s.Content); !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	hosts := d.hosts()
	for _, host := range hosts {
		if bucket := OfHost(host); bucket != "" && !slices.Contains(r.Buckets, bucket) {
			r.Buckets = append(r.Buckets, bucket)
		}
	}
	switch {
	case len(origins) == 0:
		r.not(NoBucket, "it has no origin")
	case slices.ContainsFunc(d.Sources, isPool):
		r.not(Undecided, "its origin is a group of servers, which may have buckets: "+describe(d.Sources))
	case len(r.Buckets) == 0:
		r.not(NoBucket, "its origin is not a bucket of OSS: "+describe(d.Sources))
	case len(origins) > 1:
		r.not(Undecided, "it has several origins: "+describe(d.Sources))
	case len(hosts) > 1:
		r.not(Undecided, "its origin is asked for several hosts: "+strings.Join(hosts, ", "))
	case len(hosts) == 1 && OfHost(hosts[0]) == "":
		r.not(Undecided, "its origin is asked for the host "+hosts[0]+", which decides the bucket")
	case len(hosts) == 1:
		r.Bucket = OfHost(hosts[0])
		r.Origin = "origin " + describe(d.Sources) + ", asked for the host " + hosts[0]
	default:
		r.Bucket = r.Buckets[0]
		r.Origin = "origin " + describe(d.Sources)
		if OfHost(d.Sources[0].Content) == "" {
			r.Origin += ", a bucket by oss_auth"
		}
	}
}

// isPool reports whether a source of ESA is a load balancer or an origin pool, whose
// members its record does not tell.
func isPool(s aliyun.Source) bool { return s.Type == "lb" || s.Type == "op" }

// ofSource returns the bucket that is a source; empty: it is something else. The
// platform adds oss_auth to a domain whose source it takes for a bucket, as it
// does for a host name that is bound to one.
func ofSource(s aliyun.Source, d Domain) string {
	if s.Type != "oss" && s.Type != "domain" {
		return ""
	}
	if bucket := OfHost(s.Content); bucket != "" {
		return bucket
	}
	added := d.always("oss_auth")
	if len(added) == 0 {
		return ""
	}
	id := added[0].Args["oss_bucket_id"]
	return cmp.Or(OfHost(id), strings.ToLower(id))
}

// hosts are those that the origin is asked for in place of its own name and of
// the domain's.
func (d Domain) hosts() []string {
	var all []string
	add := func(host string) {
		host = strings.ToLower(host)
		if host != "" && host != "ali_follow_origin" && host != d.Name && !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	for _, c := range d.always("set_req_host_header") {
		add(c.Args["domain_name"])
	}
	for _, c := range d.always("origin_host") {
		add(c.Args["host"])
	}
	return all
}

// OfHost returns the bucket of a host of OSS ("OSS domain names", OSS
// documentation), such as my-site of my-site.oss-cn-hangzhou.aliyuncs.com; empty:
// it is not one.
func OfHost(host string) string {
	host, _, _ = strings.Cut(strings.ToLower(strings.TrimSuffix(host, ".")), ":")
	bucket, endpoint, _ := strings.Cut(host, ".")
	endpoint, isVendors := strings.CutSuffix(strings.TrimPrefix(endpoint, "s3."), ".aliyuncs.com")
	isOSS := strings.HasPrefix(endpoint, "oss-") || strings.HasSuffix(endpoint, ".oss") // dual stack
	if !isVendors || !isOSS {
		return ""
	}
	return bucket
}

// describe lists origins.
func describe(sources []aliyun.Source) string {
	var all []string
	for _, s := range sources {
		all = append(all, s.Content)
	}
	return strings.Join(all, ", ")
}
