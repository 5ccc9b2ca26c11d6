package deployment_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
	"oss-cdn-refresh/mapping"
)

const twoDomains = `
rules:
  - bucket: my-site
    targets: [{domain: www.example.com}, {domain: dl.example.com, product: cdn}]
`

func parse(t *testing.T, table string) *mapping.Table {
	t.Helper()
	parsed, err := mapping.Parse("mapping.yaml", []byte(table))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func settings(t *testing.T, table string) deployment.Settings {
	t.Helper()
	s := deployment.Settings{
		Name: deployment.DefaultName, Account: deploymenttest.Account, Region: "cn-hangzhou", Table: parse(t, table),
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// caller calls the server as the tool does.
func caller(t *testing.T, server *deploymenttest.Server) deployment.Caller {
	t.Helper()
	c := aliyuntest.TestCredential
	cloud, err := deployment.NewCloud(server.URL, "cn-hangzhou", aliyun.Credentials{
		AccessKeyID: c.AccessKeyID, AccessKeySecret: c.AccessKeySecret, SecurityToken: c.SecurityToken,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// plan compares what is wanted with what the server has.
func plan(t *testing.T, server *deploymenttest.Server, s deployment.Settings) deployment.Plan {
	t.Helper()
	found, err := deployment.Read(t.Context(), caller(t, server), s)
	if err != nil {
		t.Fatal(err)
	}
	return deployment.NewPlan(s, found)
}

// bring brings it about, and checks that nothing is left to do.
func bring(t *testing.T, server *deploymenttest.Server, s deployment.Settings) {
	t.Helper()
	if _, err := plan(t, server, s).Apply(t.Context(), caller(t, server)); err != nil {
		t.Fatal(err)
	}
	if left := plan(t, server, s); left.Missing() > 0 {
		t.Fatalf("left to do: %v", states(left))
	}
}

// states has a line for each resource of a plan.
func states(p deployment.Plan) []string {
	var all []string
	for _, i := range p.Items {
		line := fmt.Sprintf("%s %s %s", i.State, i.Kind, i.Name)
		if len(i.Notes) > 0 {
			line += ": " + strings.Join(i.Notes, "; ")
		}
		all = append(all, line)
	}
	return all
}

func changesSince(server *deploymenttest.Server, n int) []string { return server.Changes()[n:] }

func TestEmptyAccountTwiceOnBothPathsAndBack(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	plain := settings(t, twoDomains)
	burst := plain
	burst.Burst = true
	for _, step := range []struct {
		name     string
		settings deployment.Settings
		want     []string
	}{
		{"plain", plain, []string{
			"CreateProject", "CreateLogStore", "CreateIndex", "CreateQueue", "CreateRole", "CreatePolicy", "AttachPolicyToRole",
			"CreateRole", "CreatePolicy", "AttachPolicyToRole", "CreateDashboard", "InitUserAlertResource",
			"CreateAlert", "CreateAlert", "CreateAlert", "CreateAlert", "CreateAlert", "CreateAlert",
		}},
		{"plain again", plain, nil},
		{"burst", burst, []string{"UpdateProject", "CreateQueue", "UpdateRole", "CreateServiceLinkedRole", "CreateServiceLinkedRole", "CreateEventRule", "UpdateAlert"}},
		{"burst again", burst, nil},
		{"back", plain, []string{"DeleteEventRule", "UpdateAlert"}},
		{"back again", plain, nil},
	} {
		before := len(server.Changes())
		bring(t, server, step.settings)
		if diff := cmp.Diff(step.want, changesSince(server, before), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +changes)\n%s", step.name, diff)
		}
	}
	if q := server.Queues["oss-cdn-refresh-dead-letters"]; q == nil || q.Retention != 604800 {
		t.Errorf("the dead-letter queue: %+v", q)
	}
}

// Each resource is for this deployment only.
func TestWhatIsMadeGrantsNoMore(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	bring(t, server, settings(t, twoDomains))
	for name, want := range map[string]string{
		"oss-cdn-refresh-cn-hangzhou": `{"Version":"1","Statement":[` +
			`{"Effect":"Allow","Action":["dcdn:RefreshDcdnObjectCaches","dcdn:DescribeDcdnRefreshTasks"],"Resource":["acs:dcdn:*:1234567890123456:domain/www.example.com"]},` +
			`{"Effect":"Allow","Action":["cdn:RefreshObjectCaches","cdn:DescribeRefreshTasks"],"Resource":["acs:cdn:*:1234567890123456:domain/dl.example.com"]},` +
			`{"Effect":"Allow","Action":["mns:SendMessage"],"Resource":["acs:mns:cn-hangzhou:1234567890123456:/queues/oss-cdn-refresh-dead-letters/messages"]}]}`,
		"oss-cdn-refresh-cn-hangzhou-trigger": `{"Version":"1","Statement":[{"Effect":"Allow","Action":["fc:InvokeFunction"],"Resource":[` +
			`"acs:fc:cn-hangzhou:1234567890123456:functions/oss-cdn-refresh","acs:fc:cn-hangzhou:1234567890123456:functions/oss-cdn-refresh/*"]}]}`,
	} {
		if server.Policies[name] == nil || server.Policies[name].Document != want {
			t.Errorf("policy %s: %+v\nwant %s", name, server.Policies[name], want)
		}
		if role := server.Roles[name]; role == nil || !slices.Equal(role.Attached, []string{name}) {
			t.Errorf("role %s: %+v", name, role)
		}
	}
}

func TestAChangedTableIsOneUpdate(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	bring(t, server, settings(t, twoDomains))
	before := len(server.Changes())
	changed := strings.ReplaceAll(twoDomains, "dl.example.com", "download.example.com")
	bring(t, server, settings(t, changed))
	if diff := cmp.Diff([]string{"CreatePolicyVersion"}, changesSince(server, before)); diff != "" {
		t.Errorf("(-want +changes)\n%s", diff)
	}
}

// A policy that also serves the table of somebody else keeps that one's domains.
func TestDomainsOfOtherBucketsStay(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	const other = `
rules:
  - bucket: other
    targets: [{domain: other.example.com}]
`
	policy := func() string { return server.Policies["oss-cdn-refresh-cn-hangzhou"].Document }
	bring(t, server, settings(t, other))
	s := settings(t, twoDomains)
	bring(t, server, s)
	if !strings.Contains(policy(), "domain/other.example.com") ||
		!strings.Contains(policy(), "domain/www.example.com") {
		t.Errorf("policy %s", policy())
	}
	all := strings.Join(states(plan(t, server, s)), "\n")
	if !strings.Contains(all, "there policy oss-cdn-refresh-cn-hangzhou: keeps the domains of") {
		t.Error(all)
	}
	mark := server.Policies["oss-cdn-refresh-cn-hangzhou"].Description
	if !strings.Contains(mark, "my-site,other") {
		t.Errorf("mark %q", mark)
	}
	bring(t, server, settings(t, other))
	if !strings.Contains(policy(), "domain/www.example.com") {
		t.Errorf("policy %s", policy())
	}
	s.Adopt = true
	bring(t, server, s)
	if strings.Contains(policy(), "domain/other.example.com") {
		t.Errorf("adopted, the policy is still %s", policy())
	}
}

// A policy that an earlier version made, for fewer actions, is kept without saying
// anything twice.
func TestOlderPolicyOfOtherBuckets(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	bring(t, server, s)
	policy := server.Policies["oss-cdn-refresh-cn-hangzhou"]
	policy.Document = `{"Version":"1","Statement":[{"Effect":"Allow","Action":["dcdn:RefreshDcdnObjectCaches"],"Resource":[` +
		`"acs:dcdn:*:1234567890123456:domain/other.example.com","acs:dcdn:*:1234567890123456:domain/www.example.com"]}]}`
	policy.Description = strings.Replace(policy.Description, "my-site", "my-site,other", 1)
	bring(t, server, s)
	want := `{"Effect":"Allow","Action":["dcdn:RefreshDcdnObjectCaches"],"Resource":["acs:dcdn:*:1234567890123456:domain/other.example.com"]}`
	if n := strings.Count(policy.Document, "domain/www.example.com"); n != 1 || !strings.Contains(policy.Document, want) {
		t.Errorf("policy %s", policy.Document)
	}
}

// Where a call is refused, or its answer gets lost, the same command goes on.
func TestFaultAtEachStepAndAgain(t *testing.T) {
	t.Parallel()
	s := settings(t, twoDomains)
	s.Burst = true
	clean := deploymenttest.NewTestServer(t, nil)
	bring(t, clean, s)
	steps := len(clean.Changes())
	if steps < 12 {
		t.Fatalf("%d steps: %v", steps, clean.Changes())
	}
	for step := range steps {
		for name, fault := range map[string]deploymenttest.Fault{
			"refused": {Code: "Forbidden.RAM"}, "lost": {Drop: true}, "unknown": {Code: "EntityNotExist.Role", Status: 404},
		} {
			t.Run(fmt.Sprintf("%s %d", name, step), func(t *testing.T) {
				t.Parallel()
				changes, failed := 0, false
				server := deploymenttest.NewTestServer(
					t,
					&deploymenttest.Server{Fault: func(c deploymenttest.Call) deploymenttest.Fault {
						if c.Changes && !failed {
							if changes++; changes > step {
								failed = true
								return fault
							}
						}
						return deploymenttest.Fault{}
					}},
				)
				_, err := plan(t, server, s).Apply(t.Context(), caller(t, server))
				var stopped *deployment.StepError
				if (name == "refused") != errors.As(err, &stopped) || !failed {
					t.Errorf("%v", err)
				}
				bring(t, server, s)
				if diff := cmp.Diff(clean.Policies, server.Policies, cmp.AllowUnexported(deploymenttest.Policy{})); diff != "" {
					t.Error(diff)
				}
				for _, i := range plan(t, server, s).Items {
					if i.State != deployment.There {
						t.Errorf("%s %s is %s", i.Kind, i.Name, i.State)
					}
				}
			})
		}
	}
}

// A question that is not answered is asked again.
func TestReadIsPatient(t *testing.T) {
	asked := map[string]bool{}
	server := deploymenttest.NewTestServer(
		t,
		&deploymenttest.Server{Fault: func(c deploymenttest.Call) deploymenttest.Fault {
			first := !asked[c.Op]
			asked[c.Op] = true
			return deploymenttest.Fault{
				Drop:   first && c.Op == "GetRole",
				Code:   map[bool]string{true: "ServiceUnavailable"}[first],
				Status: 503,
			}
		}},
	)
	s := settings(t, twoDomains)
	if account, err := deployment.Account(t.Context(), caller(t, server)); err != nil ||
		account != deploymenttest.Account {
		t.Errorf("%s, %v", account, err)
	}
	if p := plan(t, server, s); p.Missing() != len(p.Items) {
		t.Errorf("%v", states(p))
	}
}

// What was made is looked at until it is known.
func TestVerifyWaitsForWhatWasMade(t *testing.T) {
	stale := 3
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	bring(t, server, s)
	server.Fault = func(c deploymenttest.Call) deploymenttest.Fault {
		if c.Op == "GetPolicy" && stale > 0 {
			stale--
			return deploymenttest.Fault{Code: "EntityNotExist.Policy", Status: 404}
		}
		return deploymenttest.Fault{}
	}
	_, left, err := deployment.Verify(t.Context(), caller(t, server), s)
	if err != nil || left.Missing() > 0 || stale > 0 {
		t.Errorf("%v, %v", states(left), err)
	}
	server.Roles = map[string]*deploymenttest.Role{} // which somebody has removed
	_, left, err = deployment.Verify(t.Context(), caller(t, server), s)
	if err != nil || left.Missing() == 0 {
		t.Errorf("%v, %v", states(left), err)
	}
}

// What somebody made by hand is shown with what differs, and left alone.
func TestForeign(t *testing.T) {
	server := deploymenttest.NewTestServer(t, &deploymenttest.Server{
		Queues: map[string]*deploymenttest.Queue{
			"oss-cdn-refresh-dead-letters": {Retention: 345600},
			"oss-cdn-refresh":              {Retention: 604800},
		},
		Roles: map[string]*deploymenttest.Role{
			"oss-cdn-refresh-cn-hangzhou": {
				Trust: `{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"fc.aliyuncs.com"}}],"Version":"1"}`,
			},
		},
		Policies: map[string]*deploymenttest.Policy{"oss-cdn-refresh-cn-hangzhou": {
			Document: `{"Version":"1","Statement":[{"Effect":"Allow","Action":"cdn:*","Resource":"*"}]}`,
		}},
		Rules: map[string]*deploymenttest.Rule{
			"oss-cdn-refresh-my-site": {
				Endpoints: []byte(
					`{"EndpointType":"queue","EndpointValue":"acs:mns:cn-hangzhou:1:/queues/mine"}`,
				),
			},
		},
	})
	s := settings(t, twoDomains)
	s.Burst = true
	var foreign []string
	for _, line := range states(plan(t, server, s)) {
		if strings.HasPrefix(line, "foreign") {
			foreign = append(foreign, line)
		}
	}
	if diff := cmp.Diff([]string{
		"foreign queue oss-cdn-refresh-dead-letters: keeps messages for 345600 s, not for 604800 s",
		"foreign queue oss-cdn-refresh",
		"foreign role oss-cdn-refresh-cn-hangzhou",
		"foreign policy oss-cdn-refresh-cn-hangzhou: lacks cdn:DescribeRefreshTasks acs:cdn:*:1234567890123456:domain/dl.example.com; " +
			"lacks cdn:RefreshObjectCaches acs:cdn:*:1234567890123456:domain/dl.example.com; " +
			"lacks dcdn:DescribeDcdnRefreshTasks acs:dcdn:*:1234567890123456:domain/www.example.com; " +
			"lacks dcdn:RefreshDcdnObjectCaches acs:dcdn:*:1234567890123456:domain/www.example.com; " +
			"lacks mns:SendMessage acs:mns:cn-hangzhou:1234567890123456:/queues/oss-cdn-refresh-dead-letters/messages; has cdn:* *; is not attached to the role",
		"foreign OSS rule oss-cdn-refresh-my-site: notifies mine",
	}, foreign); diff != "" {
		t.Errorf("(-want +foreign)\n%s", diff)
	}
	if _, err := plan(t, server, s).Apply(t.Context(), caller(t, server)); err != nil {
		t.Fatal(err)
	}
	if server.Queues["oss-cdn-refresh-dead-letters"].Retention != 345600 ||
		server.Roles["oss-cdn-refresh-cn-hangzhou"].Description != "" ||
		strings.Contains(server.Policies["oss-cdn-refresh-cn-hangzhou"].Document, "example.com") {
		t.Error("what is foreign was changed")
	}
	if left := plan(t, server, s); left.Missing() != 3 { // queue, policy and rule differ
		t.Errorf("%v", states(left))
	}
	s.Adopt = true
	bring(t, server, s)
	s.Adopt = false
	for _, i := range plan(t, server, s).Items {
		if i.State != deployment.There {
			t.Errorf("adopted, %s %s is %s", i.Kind, i.Name, i.State)
		}
	}
}

// Nothing is put into or attached to what is foreign.
func TestNothingIsAddedToWhatIsForeign(t *testing.T) {
	s := settings(t, twoDomains)
	project := s.Names().Project
	server := deploymenttest.NewTestServer(t, &deploymenttest.Server{
		Roles:    map[string]*deploymenttest.Role{s.Names().Role: {Trust: "{}"}},
		Projects: map[string]*deploymenttest.Project{project: {Description: "mine"}},
	})
	if _, err := plan(t, server, s).Apply(t.Context(), caller(t, server)); err != nil {
		t.Fatal(err)
	}
	role := server.Roles[s.Names().Role]
	if len(role.Attached) > 0 || role.Trust != "{}" || server.Policies[s.Names().Role] != nil {
		t.Errorf("the role is %+v", role)
	}
	if p := server.Projects[project]; len(p.Stores) > 0 || p.Description != "mine" {
		t.Errorf("the project is %+v", p)
	}
	if left := plan(t, server, s); left.Missing() != 6 { // role, policy, store, index, dashboard and alerts
		t.Errorf("%v", states(left))
	}
	s.Adopt = true
	bring(t, server, s)
}

// The rule of a bucket that the table does not name any more may be somebody
// else's: it stays unless it is adopted.
func TestRuleOfAnotherBucketStays(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	s.Burst = true
	bring(t, server, s)
	s.Table = parse(t, strings.ReplaceAll(twoDomains, "bucket: my-site", "bucket: new-site"))
	bring(t, server, s)
	if server.Rules["oss-cdn-refresh-my-site"] == nil || server.Rules["oss-cdn-refresh-new-site"] == nil {
		t.Errorf("rules: %v", server.Rules)
	}
	s.Adopt = true
	bring(t, server, s)
	if server.Rules["oss-cdn-refresh-my-site"] != nil || server.Rules["oss-cdn-refresh-new-site"] == nil {
		t.Errorf("adopted, rules: %v", server.Rules)
	}
}

// An index that somebody has changed keeps what is in it.
func TestIndexKeepsWhatIsThere(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	bring(t, server, s)
	store := server.Projects[s.Names().Project].Stores[s.Names().Store]
	store.Index = []byte(`{"max_text_len":2048,"log_reduce":true,"keys":{"user":{"type":"text","alias":"u"},
		"message":{"type":"json","doc_value":true,"json_keys":{"task_id":{"type":"text"}}}}}`)
	before := len(server.Changes())
	bring(t, server, s)
	if diff := cmp.Diff([]string{"UpdateIndex"}, changesSince(server, before)); diff != "" {
		t.Errorf("(-want +changes)\n%s", diff)
	}
	for _, part := range []string{
		`"log_reduce":true`, `"alias":"u"`, `"task_id"`, `"msg"`, `"code"`, `"max_text_len":16384`, `"line"`,
	} {
		if !strings.Contains(string(store.Index), part) {
			t.Errorf("the index lacks %s: %s", part, store.Index)
		}
	}
	if strings.Contains(string(store.Index), "index_mode") {
		t.Errorf("the index has what only an answer has: %s", store.Index)
	}
}

// A rule sees the events that s.yaml's trigger sees. One that lacks some is made
// anew.
func TestRuleSeesWhatTheTriggerSees(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	triggers := generated(t, s)["triggers"].([]any)
	trigger := triggers[len(triggers)-1].(map[string]any)
	s.Burst = true
	bring(t, server, s)
	rule := server.Rules["oss-cdn-refresh-my-site"]
	var want []string
	for _, event := range trigger["triggerConfig"].(map[string]any)["events"].([]any) {
		want = append(want, strings.TrimPrefix(event.(string), "oss:"))
	}
	if diff := cmp.Diff(want, rule.EventTypes); diff != "" {
		t.Errorf("(-trigger +rule)\n%s", diff)
	}
	rule.EventTypes = rule.EventTypes[1:]
	before := len(server.Changes())
	if p := plan(t, server, s); !slices.Equal(p.Unseen, []string{"my-site"}) {
		t.Errorf("changes of %v are not seen", p.Unseen)
	}
	bring(t, server, s)
	want = []string{"DeleteEventRule", "CreateEventRule"}
	if diff := cmp.Diff(want, changesSince(server, before)); diff != "" {
		t.Errorf("(-want +changes)\n%s", diff)
	}
}

func tableOf(domains int) string {
	var b strings.Builder
	b.WriteString("rules:\n  - bucket: my-site\n    targets:\n")
	for i := range domains {
		fmt.Fprintf(&b, "      - domain: shop-%03d.customers.example.com\n", i)
	}
	return b.String()
}

// A policy takes 6,144 characters: more domains are several policies.
func TestTwoHundredDomains(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	bring(t, server, settings(t, tableOf(200)))
	role := server.Roles["oss-cdn-refresh-cn-hangzhou"]
	if len(role.Attached) != 3 {
		t.Errorf("attached: %v", role.Attached)
	}
	granted := 0
	for _, p := range server.Policies {
		granted += strings.Count(p.Document, "domain/shop-")
	}
	if granted != 200 {
		t.Errorf("%d domains are granted", granted)
	}
	before := len(server.Changes())
	bring(t, server, settings(t, tableOf(200)))
	if more := changesSince(server, before); len(more) > 0 {
		t.Errorf("again: %v", more)
	}
	bring(t, server, settings(t, tableOf(2)))
	if len(server.Policies) != 2 ||
		!slices.Equal(role.Attached, []string{"oss-cdn-refresh-cn-hangzhou"}) {
		t.Errorf("with two domains: %d policies, attached %v", len(server.Policies), role.Attached)
	}
}

func remove(t *testing.T, server *deploymenttest.Server, s deployment.Settings) deployment.Plan {
	t.Helper()
	found, err := deployment.Read(t.Context(), caller(t, server), s)
	if err != nil {
		t.Fatal(err)
	}
	p := deployment.NewRemoval(s, found)
	if _, err := p.Apply(t.Context(), caller(t, server)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRemoval(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, tableOf(200))
	s.Burst = true
	bring(t, server, s)
	bring(t, server, settings(t, tableOf(199))) // so that there are old versions
	server.Queues["oss-cdn-refresh-dead-letters"].Messages = 2
	server.Roles["somebody"] = &deploymenttest.Role{}
	p := remove(t, server, s)
	if len(server.Policies) > 0 || len(server.Rules) > 0 || server.Roles["somebody"] == nil ||
		len(server.Roles) != 3 {
		t.Errorf(
			"left: %d policies, %d rules, roles %v",
			len(server.Policies),
			len(server.Rules),
			server.Roles,
		)
	}
	if server.Queues["oss-cdn-refresh"] != nil ||
		server.Queues["oss-cdn-refresh-dead-letters"] == nil ||
		len(server.Projects) != 2 {
		t.Errorf("left: queues %v, projects %v", server.Queues, server.Projects)
	}
	if !slices.Contains(states(p), "kept queue oss-cdn-refresh-dead-letters: holds 2 messages") {
		t.Errorf("%v", states(p))
	}
	before := len(server.Changes())
	remove(t, server, s)
	if more := changesSince(server, before); len(more) > 0 {
		t.Errorf("again: %v", more)
	}
	bring(t, server, s)
}

func TestRemovalLeavesWhatIsForeign(t *testing.T) {
	server := deploymenttest.NewTestServer(t, &deploymenttest.Server{
		Queues: map[string]*deploymenttest.Queue{"oss-cdn-refresh-dead-letters": {}},
		Roles:  map[string]*deploymenttest.Role{"oss-cdn-refresh-cn-hangzhou": {Trust: "{}"}},
	})
	remove(t, server, settings(t, twoDomains))
	if changes := server.Changes(); len(changes) > 0 {
		t.Errorf("changes: %v", changes)
	}
}

// Somebody who may not make roles gives those of somebody else: RAM is not asked.
func TestGivenRoles(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	s.Burst = true
	s.Role, s.TriggerRole = "acs:ram::1234567890123456:role/theirs", "acs:ram::1234567890123456:role/theirs-too"
	bring(t, server, s)
	for _, c := range server.Calls() {
		if c.Service == "ram" || c.Service == "resourcemanager" {
			t.Errorf("%s was called", c.Op)
		}
	}
}

// No error, however it comes about, shows what the caller signs with.
func TestSecretsAreNotShown(t *testing.T) {
	server := deploymenttest.NewTestServer(
		t,
		&deploymenttest.Server{Credential: aliyuntest.Credential{
			AccessKeyID:     aliyuntest.TestCredential.AccessKeyID,
			AccessKeySecret: "another",
			SecurityToken:   aliyuntest.TestCredential.SecurityToken,
		}},
	)
	closed := deploymenttest.NewTestServer(t, nil)
	closed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, try := range map[string]func() error{
		"signature": func() error { _, err := deployment.Account(t.Context(), caller(t, server)); return err },
		"log signature": func() error {
			_, err := caller(t, server).Call(t.Context(), deployment.Call{Service: deployment.LogService, Op: "GetProject", Project: "p", Method: "GET", Path: "/"})
			return err
		},
		"connection": func() error { _, err := deployment.Account(t.Context(), caller(t, closed)); return err },
		"context":    func() error { _, err := deployment.Account(ctx, caller(t, server)); return err },
	} {
		err := try()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, secret := range []string{aliyuntest.TestCredential.AccessKeySecret, aliyuntest.TestCredential.SecurityToken, "test-token", "test%2Btoken"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestEndpointIsLoopback(t *testing.T) {
	for _, endpoint := range []string{"http://example.com", "https://127.0.0.1:1", "ftp://127.0.0.1"} {
		if _, err := deployment.NewCloud(endpoint, "cn-hangzhou", aliyun.Credentials{}); err == nil {
			t.Errorf("%s was accepted", endpoint)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*deployment.Settings){
		"name":          func(s *deployment.Settings) { s.Name = "a*" },
		"long name":     func(s *deployment.Settings) { s.Name = strings.Repeat("a", 25) },
		"account":       func(s *deployment.Settings) { s.Account = "*" },
		"region":        func(s *deployment.Settings) { s.Region = "cn-hangzhou/x" },
		"role":          func(s *deployment.Settings) { s.Role, s.TriggerRole = "theirs", "theirs" },
		"one role only": func(s *deployment.Settings) { s.Role = "acs:ram::1:role/theirs" },
	} {
		s := settings(t, twoDomains)
		change(&s)
		if s.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
