package aliyun

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/refresh"
)

// More sites and records than one page takes are listed on several.
func TestSitesAndRecords(t *testing.T) {
	sites := map[int64]string{}
	var account []aliyuntest.Domain
	for i := range int64(domainsPerPage + 1) {
		sites[i+1] = fmt.Sprintf("s%d.example.com", i)
		account = append(account, aliyuntest.Domain{
			Product: "esa", Site: 1, Name: fmt.Sprintf("D%d.s0.example.com", i),
			Sources: []aliyuntest.Source{{Type: "oss", Content: "b.oss-cn-hangzhou.aliyuncs.com"}},
		})
	}
	account[1].Status = "not proxied"
	account[2].Sources[0] = aliyuntest.Source{Type: "ipaddr", Content: "192.0.2.1"}
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Account: account, Sites: sites})
	found, err := caller(api).Sites(t.Context())
	last := Site{domainsPerPage + 1, fmt.Sprintf("s%d.example.com", domainsPerPage), "active"}
	if err != nil || len(found) != len(sites) || found[domainsPerPage] != last {
		t.Fatalf("%d sites, error %v", len(found), err)
	}
	records, err := caller(api).Records(t.Context(), found[0])
	if err != nil || len(records) != len(account) {
		t.Fatalf("%d records, error %v", len(records), err)
	}
	want := []Domain{
		{"d0.s0.example.com", "online", []Source{{"oss", "b.oss-cn-hangzhou.aliyuncs.com"}}},
		{"d1.s0.example.com", "not proxied", []Source{{"oss", "b.oss-cn-hangzhou.aliyuncs.com"}}},
		{"d2.s0.example.com", "online", []Source{{"ipaddr", "192.0.2.1"}}},
	}
	if diff := cmp.Diff(want, records[:3]); diff != "" {
		t.Error(diff)
	}
	none, err := caller(api).Records(t.Context(), found[1])
	if err != nil || len(none) != 0 {
		t.Errorf("%v, error %v", none, err)
	}
}

// What the API tells beside names and origins is not kept; least of all keys.
func TestRecordsOfOddShape(t *testing.T) {
	api := always(t, aliyuntest.Fault{Body: `{"RequestId":"1","TotalCount":5,"Records":[
		{"RecordName":"a.com","RecordType":"CNAME","Proxied":"true","Data":{"value":"o.net"},
		 "AuthConf":{"SecretKey":"SECRET","AccessKey":"LTAI-SECRET"}},
		{"RecordName":"b.com","RecordType":"TXT","Data":{"Value":"SECRET"}},
		{"RecordName":"c.com","RecordType":"CNAME","RecordSourceType":"OP","Data":7},
		{},
		null
	]}`})
	got, err := caller(api).Records(t.Context(), Site{ID: 1, Status: "offline"})
	want := []Domain{
		{"a.com", "offline", []Source{{"domain", "o.net"}}},
		{"c.com", "offline", []Source{{"op", ""}}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v\n%s", err, diff)
	}
}

func TestSitesRefused(t *testing.T) {
	api := always(t, aliyuntest.Fault{Status: 403, Code: "Forbidden.RAM"})
	_, sites := caller(api).Sites(t.Context())
	_, records := caller(api).Records(t.Context(), Site{ID: 7})
	for _, err := range []error{sites, records} {
		var refusal *refresh.Error
		if !errors.As(err, &refusal) || refusal.Code != "Forbidden.RAM" {
			t.Errorf("the error is %v", err)
		}
	}
}
