package aliyun

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"

	"oss-cdn-refresh/handler/refresh"
)

const esa = "esa" // its name in a mapping table

// contentFrame is more than what stands around the list of URLs in Content, escaped:
// {"IgnoreParams":[]}.
const contentFrame = 64

// purgeTypes are the API's words for the types of a mapping table, with the member
// of Content that has the URLs (PurgeCaches, API reference).
var purgeTypes = map[string]struct{ typ, member string }{
	"File":         {"file", "Files"},
	"Directory":    {"directory", "Directories"},
	"IgnoreParams": {"ignoreParams", "IgnoreParams"},
}

// purge sets the parameters of PurgeCaches. All but Content are in the query, as in
// the vendor's SDKs.
func purge(request *requests.RpcRequest, call refresh.Call, inQuery bool) {
	t := purgeTypes[call.Type]
	request.QueryParams["SiteId"] = strconv.FormatInt(call.Site, 10)
	request.QueryParams["Type"] = t.typ
	if call.Force {
		request.QueryParams["Force"] = "true" // false is the default
	}
	placed(request, inQuery)["Content"] = `{"` + t.member + `":` + jsonList(call.URLs) + `}`
}

// jsonList returns texts as a JSON array, with "&" as it is.
func jsonList(texts []string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(texts) != nil {
		return "[]" // never: they are texts
	}
	return strings.TrimSpace(b.String())
}

// invalidContent reports whether a code may mean that the API found no Content.
func invalidContent(code string) bool { return normalCode(code) == "invalidcontent" }

func valuesOf(params map[string]string) url.Values {
	values := url.Values{}
	for name, value := range params {
		values.Set(name, value)
	}
	return values
}

// SiteQuota returns what is left of the day's quota of a site of ESA: one call for
// each type. The error is a *[refresh.Error].
func (c *Caller) SiteQuota(ctx context.Context, site int64) ([]Allowance, error) {
	p := c.client.products[esa]
	var all []Allowance
	for _, typ := range []string{"File", "Directory", "IgnoreParams"} {
		a, err := c.describe(ctx, p, p.describeQuota, map[string]string{
			"SiteId": strconv.FormatInt(site, 10), "Type": purgeTypes[typ].typ,
		})
		if err != nil {
			return nil, err
		}
		quota, noQuota := strconv.Atoi(text(valueOf(a.fields["Quota"])))
		usage, noUsage := strconv.Atoi(text(valueOf(a.fields["Usage"])))
		if noQuota == nil && noUsage == nil {
			all = append(all, Allowance{typ, quota, max(0, quota-usage)})
		}
	}
	return all, nil
}

// ListPreloadTasks returns a page of the preloads of the query's Site of ESA, which
// ListTasks leaves out. The error is a *[refresh.Error].
func (c *Caller) ListPreloadTasks(
	ctx context.Context, q refresh.TaskQuery,
) (refresh.TaskPage, error) {
	params := siteParams(q.Site, taskParams(q))
	page, err := c.listTasks(ctx, c.client.products[esa], "DescribePreloadTasks", params, q.Page)
	for i := range page.Tasks {
		page.Tasks[i].Type = "preload" // the operation has no types, but the list may
	}
	return page, err
}

// siteParams returns the parameters of DescribePurgeTasks for those of the other
// products' lists of tasks.
func siteParams(site int64, params map[string]string) map[string]string {
	params["SiteId"] = strconv.FormatInt(site, 10)
	for _, t := range purgeTypes {
		if strings.EqualFold(t.typ, params["ObjectType"]) {
			params["Type"] = t.typ
		}
	}
	delete(params, "ObjectType")
	return params
}

// renameTaskFields gives the fields of tasks the names that DCDN and CDN have.
func (a answer) renameTaskFields() {
	var list []map[string]json.RawMessage
	if json.Unmarshal(a.fields["Tasks"], &list) != nil {
		return
	}
	for _, fields := range list {
		fields["ObjectPath"], fields["ObjectType"] = fields["Content"], fields["Type"]
		fields["CreationTime"] = fields["CreateTime"]
	}
	a.fields["Tasks"], _ = json.Marshal(list)
}
