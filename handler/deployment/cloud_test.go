package deployment

import (
	"context"
	"net/http"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	mns_open "github.com/aliyun/alibaba-cloud-sdk-go/services/mns-open"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ram"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/resourcemanager"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/mapping"
)

// The example of Log Service's documentation, "Request signatures".
func TestLogSignature(t *testing.T) {
	r, err := http.NewRequest(
		"GET",
		"http://127.0.0.1/logstores?logstoreName=&offset=0&size=1000",
		nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Date": "Mon, 09 Nov 2015 06:11:16 GMT", "x-log-apiversion": "0.6.0", "x-log-signaturemethod": "hmac-sha1",
	} {
		r.Header.Set(name, value)
	}
	if got, want := new(Cloud).hmac(logStringToSign(r), "4fdO2fTDDnZPU/L7CHNdemB2Nsk="), "jEYOTCJs2e88o+y5F4/S5IsnBJQ="; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

// The example of Simple Message Queue's documentation, "How do I obtain the
// signature string of an API request?", which does not show the end.
func TestMessageSignature(t *testing.T) {
	r, err := http.NewRequest("GET", "http://127.0.0.1/MyQueue", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Date", "Thu, 09 Jul 2015 03:01:34 GMT")
	r.Header.Set("x-mns-version", "2015-06-06")
	got := new(Cloud).hmac(messageStringToSign(r), "TestAccessSecret")
	if want := "uwx3yeWoILzgmvesW0BQSgfM"; !strings.HasPrefix(got, want) {
		t.Errorf("signature %s, want %s…", got, want)
	}
}

// The parameters are those that the vendor's SDK knows, as far as it knows the
// operation, and where it has them.
func TestParametersAreTheSDKs(t *testing.T) {
	requests := map[string]any{}
	for _, r := range []any{
		ram.CreateGetRoleRequest(), ram.CreateCreateRoleRequest(), ram.CreateUpdateRoleRequest(), ram.CreateDeleteRoleRequest(),
		ram.CreateListPoliciesForRoleRequest(), ram.CreateGetPolicyRequest(), ram.CreateCreatePolicyRequest(),
		ram.CreateCreatePolicyVersionRequest(), ram.CreateListPolicyVersionsRequest(), ram.CreateDeletePolicyVersionRequest(),
		ram.CreateUpdatePolicyDescriptionRequest(), ram.CreateDeletePolicyRequest(), ram.CreateAttachPolicyToRoleRequest(),
		ram.CreateDetachPolicyFromRoleRequest(), resourcemanager.CreateCreateServiceLinkedRoleRequest(),
		mns_open.CreateGetQueueAttributesRequest(), mns_open.CreateCreateQueueRequest(), mns_open.CreateSetQueueAttributesRequest(),
		mns_open.CreateDeleteQueueRequest(),
	} {
		rpc := r.(interface {
			GetActionName() string
			GetVersion() string
		})
		requests[rpc.GetVersion()+" "+rpc.GetActionName()] = r
	}
	held := map[string]bool{}
	for _, c := range allCalls(t) {
		if c.Service == LogService ||
			strings.HasSuffix(c.Op, "EventRule") { // which the SDK does not have
			continue
		}
		request, known := requests[versions[c.Service]+" "+c.Op]
		if !known {
			t.Errorf("%s %s is not an operation of the SDK", c.Service, c.Op)
			continue
		}
		held[c.Op] = true
		names := map[string]bool{}
		for i := range reflect.TypeOf(request).Elem().NumField() {
			field := reflect.TypeOf(request).Elem().Field(i)
			names[field.Tag.Get("name")] = field.Tag.Get("position") == "Query"
		}
		for name := range c.Params {
			if !names[name] {
				t.Errorf("%s has no parameter %s in the query", c.Op, name)
			}
		}
	}
	if len(held) < 16 {
		t.Errorf("%d operations are held against the SDK: %v", len(held), held)
	}
}

// recorder answers every question as an account does that has nothing, or all.
func allCalls(t *testing.T) []Call {
	t.Helper()
	table, err := mapping.Parse(
		"mapping.yaml",
		[]byte("rules: [{bucket: b, targets: [{domain: www.example.com}]}]"),
	)
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{
		Name:    "refresh",
		Account: "1",
		Region:  "cn-hangzhou",
		Table:   table,
		Burst:   true,
		Adopt:   true,
	}
	n := s.Names()
	marked := s.mark().String()
	all := NewPlan(s, Found{}).Calls(RAM, ResourceManager, SMQ)
	foreign := Found{
		Roles: map[string]Role{
			n.Role:        {Name: n.Role, Trust: "{}"},
			n.TriggerRole: {Name: n.TriggerRole, Trust: "{}"},
		},
		Policies: map[string]RAMPolicy{n.Role: {Name: n.Role}},
		Queues:   map[string]Queue{n.DeadLetters: {}},
	}
	all = append(all, NewPlan(s, foreign).Calls(RAM, ResourceManager, SMQ)...)
	ours := Found{
		Roles: map[string]Role{
			n.Role: {Name: n.Role, Description: marked, Attached: []string{n.Role}},
		},
		Policies: map[string]RAMPolicy{
			n.Role: {Name: n.Role, Description: marked, Old: []string{"v1"}},
		},
		Queues:  map[string]Queue{n.Queue: {}},
		Project: &Project{Mark{Owner: s.Name, Owns: []string{"queue"}}.String()},
	}
	all = append(all, NewRemoval(s, ours).Calls(RAM, ResourceManager, SMQ)...)
	r := reader{
		ctx:      t.Context(),
		settings: s,
		cloud:    record{&all},
		found: Found{
			Roles:    map[string]Role{},
			Policies: map[string]RAMPolicy{},
			Queues:   map[string]Queue{},
			Rules:    map[string]Rule{},
		},
	}
	r.role(n.Role)
	r.policy(n.Role)
	r.queue(n.Queue)
	return all
}

type record struct{ calls *[]Call }

func (r record) Call(_ context.Context, c Call) (Answer, error) {
	*r.calls = append(*r.calls, c)
	return Answer{"DefaultPolicyVersion": []byte(`{"PolicyDocument":"{}"}`)}, nil
}

// A document that would make the request line too long goes into the form.
func TestLongParametersAreInTheForm(t *testing.T) {
	c, err := NewCloud(
		"",
		"cn-hangzhou",
		aliyun.Credentials{AccessKeyID: "id", AccessKeySecret: "secret"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		document string
		inQuery  bool
	}{{"{}", true}, {strings.Repeat("{", 6144), false}} {
		r, err := c.rpcRequest(t.Context(), rpc(RAM, "CreatePolicy", "PolicyDocument", tt.document))
		if err != nil {
			t.Fatal(err)
		}
		if r.URL.Host != "ram.aliyuncs.com" || r.URL.Query().Has("PolicyDocument") != tt.inQuery ||
			len(r.URL.RawQuery) > 8000 {
			t.Errorf("%d bytes: %s %d", len(tt.document), r.URL.Host, len(r.URL.RawQuery))
		}
	}
}

// What only the tool needs is not in the deployed functions.
func TestNotLinkedIntoTheFunctions(t *testing.T) {
	out, err := exec.Command(
		"go",
		"list",
		"-deps",
		"oss-cdn-refresh/handler/cmd/fc",
		"oss-cdn-refresh/handler/cmd/lambda",
	).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(out)) {
		if strings.HasPrefix(line, "oss-cdn-refresh/handler/deployment") {
			t.Errorf("%s is linked", line)
		}
	}
	if !strings.Contains(string(out), "oss-cdn-refresh/handler\n") {
		t.Errorf("the list is not that of the functions:\n%s", out)
	}
}
