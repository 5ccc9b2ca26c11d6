package aliyun

import (
	"strings"

	"oss-cdn-refresh/handler/refresh"
)

// Where a row of the table comes from.
const (
	api     = "RefreshDcdnObjectCaches, API reference: error codes"
	center  = "Alibaba Cloud error center: DCDN and CDN"
	gateway = "Alibaba Cloud OpenAPI: common error codes"
	preload = "PreloadDcdnObjectCaches and PreloadCaches, API reference: error codes"
	assumed = "not documented: the table of errors of PurgeCaches is not known"
)

// A refusal is what one error code of the API, or a family of codes, means to a
// client.
type refusal struct {
	Code   string // one that ends in "*" stands for every code that begins so
	Class  refresh.Class
	Source string
}

// refusals is the error table. Of several rows that fit a code, the longest
// one counts. Codes that are in no row are classed by their HTTP status.
var refusals = []refusal{
	// Too much in this request.
	{"SingleRequest.OverLimit", refresh.Halve, api},

	// Something in this request is wrong, and the answer does not say what.
	{"InvalidObjectPath.*", refresh.Halve, api}, // also .Size.Malformed, .ExceedsMaximum and so on
	{"ObjectPath.Malformed", refresh.Halve, center},
	{"InvalidExtensiveDomain.ValueNotSupported", refresh.SplitDomains, api},
	{"InvalidDomain.*", refresh.SplitDomains, center}, // .NotFound, .Offline
	{"DomainOperationDenied", refresh.SplitDomains, center},
	{"IllegalOperation*", refresh.SplitDomains, center}, // also IllegalOperationDomain
	{"DomainInProtectedMode", refresh.SplitDomains, center},
	{"InvalidContent", refresh.Halve, assumed}, // reported by people; see Client for the first one
	{"InvalidParameter.RecordNotBelongToSite", refresh.SplitDomains, preload},
	{"Forbidden*", refresh.SplitDomains, gateway}, // Forbidden.RAM: a policy may name domains
	{"NoPermission*", refresh.SplitDomains, gateway},

	// Not now.
	{"Quota*", refresh.Quota, api}, // QuotaExceeded.Refresh
	{"QuotaPerMinute*", refresh.AgainLater, api},
	{"TooMany.Refresh", refresh.Busy, api},
	{"TooManyRequests", refresh.Again, center},
	{"InvalidDomain.Configure_failed", refresh.Busy, center},
	{"PreloadQueueFull", refresh.AgainLater, preload},
	{"Throttling*", refresh.Again, gateway},
	{"ServiceUnavailable", refresh.Again, gateway},
	{"ServiceBusy", refresh.Again, center},
	{"SystemUpgrading", refresh.Again, center},
	{"InternalError", refresh.Again, gateway},
	{"SignatureNonceUsed", refresh.Again, gateway}, // the next try has another nonce
	{"InvalidTimeStamp.Expired", refresh.Again, gateway},

	// Never, for more than this request.
	{"InvalidObjectType.*", refresh.RefuseType, api}, // .Malformed, .ValueNotSupported
	{"InvalidSiteId*", refresh.StopProduct, assumed}, // of one site: a submission has no other
	{"OperationDenied", refresh.StopProduct, center},
	{"CdnServiceNotFound", refresh.StopProduct, center},
	{"DcdnServiceNotFound", refresh.StopProduct, center},
	{"InvalidAction.NotFound", refresh.StopProduct, gateway}, // REFRESH_ENDPOINT is another product's
	{"InvalidVersion", refresh.StopProduct, gateway},
	{"InvalidAccessKeyId.*", refresh.StopAll, gateway},
	{"InvalidSecurityToken.*", refresh.StopAll, gateway},
	{"SignatureDoesNotMatch", refresh.StopAll, gateway},
	{"IncompleteSignature", refresh.StopAll, gateway},
	{"MissingSecurityToken", refresh.StopAll, gateway},
	{"MissingAccessKeyId", refresh.StopAll, gateway},

	// The gateway did not find ObjectPath or Content where it looked: see Client.
	{"MissingParameter", refresh.Pack, gateway},
	{"MissingObjectPath", refresh.Pack, center},
	{"MissingContent", refresh.Pack, assumed},
}

// classOf returns the class of an error code, and whether the table knows it.
// Codes are compared without case and blanks.
func classOf(code string) (class refresh.Class, known bool) {
	code = normalCode(code)
	longest := 0
	for _, r := range refusals {
		if n := r.fits(code); n > longest {
			longest, class = n, r.Class
		}
	}
	return class, longest > 0
}

// fits returns how much of a normal code the row names, 0 if it does not fit. A
// family "A.*" has the code "a" too.
func (r refusal) fits(code string) int {
	prefix, isFamily := strings.CutSuffix(r.Code, "*")
	prefix = strings.ToLower(prefix)
	switch {
	case code == prefix, isFamily && code == strings.TrimSuffix(prefix, "."):
		return len(code) + 1 // more than any family that it belongs to
	case isFamily && strings.HasPrefix(code, prefix):
		return len(prefix)
	}
	return 0
}

// normalCode returns a code without its case and blanks.
func normalCode(code string) string {
	return strings.ToLower(strings.Join(strings.Fields(code), ""))
}

// classOfStatus returns the class of a refusal whose code is not known. One
// with a status of success is like one of a client's fault.
func classOfStatus(status int, isObject bool) refresh.Class {
	switch {
	case status/100 == 3:
		return refresh.Permanent // a redirect is never followed: it would carry the token elsewhere
	case status == 413 || status == 414:
		return refresh.Halve
	case status == 408 || status == 429 || status < 200 || status >= 500:
		return refresh.Again
	case !isObject:
		return refresh.Again // the words of something before the API
	}
	return refresh.Unknown
}
