package aliyun

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// More domains than one page takes are listed on several.
func TestListDomains(t *testing.T) {
	for _, product := range []string{"dcdn", "cdn"} {
		var account []aliyuntest.Domain
		for i := range domainsPerPage + 1 {
			account = append(account, aliyuntest.Domain{
				Product: product, Name: fmt.Sprintf("D%d.example.com", i), Status: "Offline",
				Sources: []aliyuntest.Source{{Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com"}},
			})
		}
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Account: account})
		first, err := caller(api).ListDomains(t.Context(), product, 1)
		if err != nil || len(first.Domains) != domainsPerPage || first.Total != domainsPerPage+1 || !first.More {
			t.Fatalf("%s: %d of %d domains, more %v, error %v", product, len(first.Domains), first.Total, first.More, err)
		}
		second, err := caller(api).ListDomains(t.Context(), product, 2)
		want := DomainPage{Total: domainsPerPage + 1, Domains: []Domain{{
			Name: fmt.Sprintf("d%d.example.com", domainsPerPage), Status: "offline",
			Sources: []Source{{Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com"}},
		}}}
		if diff := cmp.Diff(want, second); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got)\n%s", product, err, diff)
		}
	}
}

// A page may be smaller than was asked for. Then there are more of them.
func TestListDomainsOnSmallPages(t *testing.T) {
	api := always(t, aliyuntest.Fault{Body: `{"RequestId":"1","TotalCount":101,"PageSize":50,` +
		`"Domains":[{"DomainName":"a.com"}]}`}) // nor need the list be nested
	for page, more := range map[int]bool{1: true, 2: true, 3: false} {
		found, err := caller(api).ListDomains(t.Context(), "dcdn", page)
		if err != nil || found.More != more {
			t.Errorf("page %d: more %v, error %v", page, found.More, err)
		}
	}
}

// Only the settings that were asked for are kept, in order, and never those that
// are access keys: not even where the API sends them.
func TestConfigs(t *testing.T) {
	rewrite := func(from string) aliyuntest.Config {
		return aliyuntest.Config{Function: "back_to_origin_url_rewrite", Args: map[string]string{"source_url": from}}
	}
	configs := []aliyuntest.Config{
		rewrite("^/a$"),
		{Function: "l2_oss_key", Args: map[string]string{"perm_private_oss_tbl": "LTAI-SECRET"}},
		{Function: "aliauth", Args: map[string]string{"auth_key1": "SECRET"}},
		rewrite("^/b$"),
		{Function: "set_hashkey_args", Parent: "-1", Status: "configuring", Args: map[string]string{"disable": "on"}},
		{Function: "set_hashkey_args", Parent: "42"},
	}
	for _, product := range []string{"dcdn", "cdn"} {
		api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Account: []aliyuntest.Domain{
			{Product: product, Name: "a.com", Configs: configs},
		}})
		got, err := caller(api).Configs(t.Context(), product, "a.com",
			[]string{"back_to_origin_url_rewrite", "set_hashkey_args", "l2_oss_key"})
		want := []Config{
			{"back_to_origin_url_rewrite", "", "success", map[string]string{"source_url": "^/a$"}},
			{"l2_oss_key", "", "success", map[string]string{}},
			{"back_to_origin_url_rewrite", "", "success", map[string]string{"source_url": "^/b$"}},
			{"set_hashkey_args", "", "configuring", map[string]string{"disable": "on"}},
			{"set_hashkey_args", "42", "success", map[string]string{}},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got)\n%s", product, err, diff)
		}
	}
	api := always(t, aliyuntest.Fault{Body: `{"RequestId":"1","DomainConfigs":{"DomainConfig":[{"FunctionName":"aliauth",` +
		`"FunctionArgs":{"FunctionArg":[{"ArgName":"auth_key1","ArgValue":"SECRET"}]}}]}}`})
	got, err := caller(api).Configs(t.Context(), "dcdn", "a.com", []string{"set_hashkey_args"})
	if err != nil || strings.Contains(fmt.Sprint(got), "SECRET") {
		t.Errorf("%v, error %v", got, err)
	}
}

func TestDomainsRefused(t *testing.T) {
	api := always(t, aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"})
	_, list := caller(api).ListDomains(t.Context(), "cdn", 1)
	_, configs := caller(api).Configs(t.Context(), "cdn", "a.com", nil)
	_, product := caller(api).ListDomains(t.Context(), "x", 1)
	_, other := caller(api).Configs(t.Context(), "x", "a.com", nil)
	for i, code := range []string{"Forbidden.RAM", "Forbidden.RAM", "UnknownProduct", "UnknownProduct"} {
		err := []error{list, configs, product, other}[i]
		var refusal *refresh.Error
		if !errors.As(err, &refusal) || refusal.Code != code {
			t.Errorf("the error is %v, want %s", err, code)
		}
	}
}
