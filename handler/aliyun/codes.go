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
)

// A refusal is what one error code of the API means to a client.
type refusal struct {
	Code   string // one that ends in ".*" stands for every code that begins so
	Class  refresh.Class
	Source string
}

// refusals is the error table. A code that is not in it is classed by its HTTP
// status.
var refusals = []refusal{
	// Too much in this request.
	{"SingleRequest.OverLimit", refresh.Halve, api},
	{"InvalidObjectPath.Size.Malformed", refresh.Halve, center},

	// Something in this request is wrong, and the answer does not say what.
	{"InvalidObjectPath.Malformed", refresh.Halve, api},
	{"ObjectPath.Malformed", refresh.Halve, center},
	{"InvalidExtensiveDomain.ValueNotSupported", refresh.SplitDomains, api},
	{"InvalidDomain.NotFound", refresh.SplitDomains, center},
	{"InvalidDomain.Offline", refresh.SplitDomains, center},
	{"DomainOperationDenied", refresh.SplitDomains, center},
	{"IllegalOperation", refresh.SplitDomains, center},
	{"IllegalOperationDomain", refresh.SplitDomains, center},
	{"DomainInProtectedMode", refresh.SplitDomains, center},
	{"Forbidden.RAM", refresh.SplitDomains, gateway},
	{"NoPermission", refresh.SplitDomains, gateway},

	// Not now.
	{"QuotaExceeded.Refresh", refresh.Quota, api},
	{"QuotaPerMinuteExceeded.Refresh", refresh.AgainLater, api},
	{"TooMany.Refresh", refresh.Busy, api},
	{"TooManyRequests", refresh.Again, center},
	{"InvalidDomain.Configure_failed", refresh.Busy, center},
	{"Throttling", refresh.Again, gateway},
	{"Throttling.*", refresh.Again, gateway},
	{"ServiceUnavailable", refresh.Again, gateway},
	{"ServiceBusy", refresh.Again, center},
	{"SystemUpgrading", refresh.Again, center},
	{"SignatureNonceUsed", refresh.Again, gateway}, // the next try has another nonce
	{"InvalidTimeStamp.Expired", refresh.Again, gateway},

	// Never, for more than this request.
	{"InvalidObjectType.Malformed", refresh.RefuseType, api},
	{"InvalidObjectType.ValueNotSupported", refresh.RefuseType, center},
	{"OperationDenied", refresh.StopProduct, center},
	{"CdnServiceNotFound", refresh.StopProduct, center},
	{"DcdnServiceNotFound", refresh.StopProduct, center},
	{"InvalidAccessKeyId.*", refresh.StopAll, gateway},
	{"InvalidSecurityToken.*", refresh.StopAll, gateway},
	{"SignatureDoesNotMatch", refresh.StopAll, gateway},
	{"IncompleteSignature", refresh.StopAll, gateway},
	{"MissingSecurityToken", refresh.StopAll, gateway},
	{"MissingAccessKeyId", refresh.StopAll, gateway},

	// The gateway did not find ObjectPath where it looked: see Client.
	{"MissingParameter", refresh.Pack, gateway},
	{"MissingObjectPath", refresh.Pack, center},
}

var classes = func() map[string]refresh.Class {
	byCode := make(map[string]refresh.Class, len(refusals))
	for _, r := range refusals {
		byCode[r.Code] = r.Class
	}
	return byCode
}()

// classOf returns the class of an error code, and whether the table has it.
func classOf(code string) (refresh.Class, bool) {
	if class, ok := classes[code]; ok {
		return class, true
	}
	family, _, _ := strings.Cut(code, ".")
	class, ok := classes[family+".*"]
	return class, ok
}

// classOfStatus returns the class of an answer whose code says nothing.
func classOfStatus(status int, isJSON bool) refresh.Class {
	switch {
	case status >= 300 && status < 400:
		return refresh.Permanent // a redirect is never followed: it would carry the token elsewhere
	case status == 413 || status == 414:
		return refresh.Halve
	case status == 408 || status == 429 || status < 300 || status >= 500:
		return refresh.Again
	case !isJSON:
		return refresh.Again // not the API's own word, but something's between
	}
	return refresh.Permanent
}
