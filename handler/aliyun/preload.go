package aliyun

import (
	"context"
	"strconv"
	"strings"

	"oss-cdn-refresh/handler/refresh"
)

// Preload has the call's URLs loaded into the cache, as one request: 100 URLs at
// most (PreloadDcdnObjectCaches and PushObjectCache, API reference; of ESA's
// PreloadCaches the limit is not documented, and its console takes 100 at a time).
// The call's type and force do not count. Only the tool preloads.
func (c *Caller) Preload(ctx context.Context, call refresh.Call) (refresh.Receipt, error) {
	p, err := c.client.product(call.Product)
	if err != nil {
		return refresh.Receipt{}, err
	}
	request := newRequest(p, p.preload)
	inQuery := p.inQuery.Load()
	if call.Product == esa {
		request.QueryParams["SiteId"] = strconv.FormatInt(call.Site, 10)
		placed(request, inQuery)["Content"] = jsonList(call.URLs)
	} else {
		placed(request, inQuery)["ObjectPath"] = strings.Join(call.URLs, "\n")
	}
	return c.submit(ctx, p, request, len(call.URLs) > 1, inQuery)
}
