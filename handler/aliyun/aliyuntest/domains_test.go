package aliyuntest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/cdn"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/dcdn"
	"github.com/google/go-cmp/cmp"
)

// The vendor's SDK reads the answers, each with the types of its product.
func TestDomainsAsTheSDKReadsThem(t *testing.T) {
	ignoring := Config{
		Function: "set_hashkey_args", ID: "7", Parent: "8", Status: "testing",
		Args: map[string]string{"disable": "on"},
	}
	origin := []Source{{Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com", Priority: "30"}}
	s := NewTestServer(t, &Server{Account: []Domain{
		{Product: "dcdn", Name: "a.com", Sources: origin, Configs: []Config{ignoring}},
		{Product: "cdn", Name: "b.com", Status: "offline", Sources: origin, Configs: []Config{ignoring}},
	}})
	decode := func(action string, query parameters, response any) {
		t.Helper()
		body := s.send(t, call{action: action, query: query}).body
		if err := json.Unmarshal([]byte(body), response); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	dcdnDomains := dcdn.CreateDescribeDcdnUserDomainsResponse()
	dcdnConfigs := dcdn.CreateDescribeDcdnDomainConfigsResponse()
	cdnDomains := cdn.CreateDescribeUserDomainsResponse()
	cdnConfigs := cdn.CreateDescribeCdnDomainConfigsResponse()
	decode("DescribeDcdnUserDomains", nil, dcdnDomains)
	decode("DescribeDcdnDomainConfigs", parameters{"DomainName": "a.com"}, dcdnConfigs)
	decode("DescribeUserDomains", nil, cdnDomains)
	decode("DescribeCdnDomainConfigs", parameters{"DomainName": "b.com"}, cdnConfigs)

	dcdnPage := dcdn.PageData{
		DomainName: "a.com", DomainStatus: "online", Cname: "a.com.w.kunlunsl.com",
		Sandbox: "normal", Scene: "apiscene", SSLProtocol: "on",
	}
	dcdnPage.Sources.Source = []dcdn.Source{{
		Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com", Port: 80, Priority: "30", Weight: "10",
	}}
	cdnPage := cdn.PageData{
		DomainName: "b.com", DomainStatus: "offline", Cname: "b.com.w.kunlunsl.com",
		Sandbox: "normal", CdnType: "web", Coverage: "domestic", SslProtocol: "on",
	}
	cdnPage.Sources.Source = []cdn.Source{{
		Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com", Port: 80, Priority: "30", Weight: "10",
	}}
	dcdnConfig := dcdn.DomainConfig{
		FunctionName: "set_hashkey_args", ConfigId: "7", ParentId: "8", Status: "testing",
	}
	dcdnConfig.FunctionArgs.FunctionArg = []dcdn.FunctionArg{{ArgName: "disable", ArgValue: "on"}}
	cdnConfig := cdn.DomainConfigInDescribeCdnDomainConfigs{
		FunctionName: "set_hashkey_args", ConfigId: "7", ParentId: "8", Status: "testing",
	}
	cdnConfig.FunctionArgs.FunctionArg = []cdn.FunctionArg{{ArgName: "disable", ArgValue: "on"}}
	for _, answer := range []struct{ got, want any }{
		{dcdnDomains.Domains.PageData, []dcdn.PageData{dcdnPage}},
		{dcdnConfigs.DomainConfigs.DomainConfig, []dcdn.DomainConfig{dcdnConfig}},
		{cdnDomains.Domains.PageData, []cdn.PageData{cdnPage}},
		{cdnConfigs.DomainConfigs.DomainConfig, []cdn.DomainConfigInDescribeCdnDomainConfigs{cdnConfig}},
	} {
		if diff := cmp.Diff(answer.want, answer.got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestDescribeDomains(t *testing.T) {
	var account []Domain
	for i := range 5 {
		account = append(account, Domain{Product: "dcdn", Name: fmt.Sprintf("d%d.com", i)})
	}
	account[3].Status = "offline"
	account = append(account, Domain{Product: "cdn", Name: "c.com"})
	s := NewTestServer(t, &Server{Account: account, Forbidden: []string{"d2.com"}})
	const list, configs = "DescribeDcdnUserDomains", "DescribeDcdnDomainConfigs"
	tests := []struct {
		name, action string
		params       parameters
		want         []string
		code         string
	}{
		{name: "all", action: list, want: []string{"d0.com", "d1.com", "d2.com", "d3.com", "d4.com"}},
		{name: "cdn", action: "DescribeUserDomains", want: []string{"c.com"}},
		{name: "a page", action: list, params: parameters{"PageSize": "2", "PageNumber": "2"}, want: []string{"d2.com", "d3.com"}},
		{name: "the last page", action: list, params: parameters{"PageSize": "2", "PageNumber": "3"}, want: []string{"d4.com"}},
		{name: "no page", action: list, params: parameters{"PageSize": "2", "PageNumber": "4"}},
		{name: "a name", action: list, params: parameters{"DomainName": "d1.com"}, want: []string{"d1.com"}},
		{name: "a part", action: list, params: parameters{"DomainName": "4", "DomainSearchType": "fuzzy_match"}, want: []string{"d4.com"}},
		{name: "a status", action: list, params: parameters{"DomainStatus": "offline"}, want: []string{"d3.com"}},

		{name: "page zero", action: list, params: parameters{"PageNumber": "0"}, code: "InvalidPageNumber"},
		{name: "page size", action: list, params: parameters{"PageSize": "501"}, code: "InvalidPageSize"},
		{name: "search", action: list, params: parameters{"DomainSearchType": "x"}, code: "InvalidDomainSearchType.ValueNotSupported"},
		{name: "no domain", action: configs, code: "MissingDomainName"},
		{name: "two domains", action: configs, params: parameters{"DomainName": "d0.com,d1.com"}, code: "InvalidDomainName.Malformed"},
		{name: "forbidden", action: configs, params: parameters{"DomainName": "d2.com"}, code: "Forbidden.RAM"},
		{name: "of the other product", action: configs, params: parameters{"DomainName": "c.com"}, code: "InvalidDomain.NotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := s.send(t, call{action: tt.action, query: tt.params})
			if a.code() != tt.code {
				t.Fatalf("got %q, want %q", a.code(), tt.code)
			}
			var got struct {
				Domains struct{ PageData []struct{ DomainName string } }
			}
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, d := range got.Domains.PageData {
				names = append(names, d.DomainName)
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Error(diff)
			}
		})
	}
}
