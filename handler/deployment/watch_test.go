package deployment_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
)

const robot = "https://oapi.dingtalk.com/robot/send?access_token=s3cret"

func notify(t *testing.T, s deployment.Settings, text string) deployment.Settings {
	t.Helper()
	var err error
	if s.Notify, err = deployment.ParseNotify(text); err != nil {
		t.Fatal(err)
	}
	return s
}

// actionsOf returns the action of each alert that the server has.
func actionsOf(t *testing.T, server *deploymenttest.Server, s deployment.Settings) []string {
	t.Helper()
	var all []string
	for _, text := range server.Projects[s.Names().Project].Alerts {
		var alert struct {
			Configuration struct {
				PolicyConfiguration struct {
					ActionPolicyID string `json:"actionPolicyId"`
				} `json:"policyConfiguration"`
			}
		}
		if err := json.Unmarshal(*text, &alert); err != nil {
			t.Fatal(err)
		}
		all = append(all, alert.Configuration.PolicyConfiguration.ActionPolicyID)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// values are the values of the account's records, by resource.
func values(t *testing.T, server *deploymenttest.Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	for resource, list := range server.Records {
		for id, text := range *list {
			var record struct{ ID, Tag, Value string }
			if err := json.Unmarshal(*text, &record); err != nil || record.ID != id || record.Tag == "" {
				t.Fatalf("%s, %v", *text, err)
			}
			all[resource] = record.Value
		}
	}
	return all
}

// Alerts tell nobody, then a robot, then still the robot, then a mail address.
func TestWhomAlertsTell(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	nobody := settings(t, twoDomains)
	bring(t, server, nobody)
	if p := plan(t, server, nobody); len(p.Notes) != 1 || !strings.HasPrefix(p.Notes[0], "the alerts tell nobody") {
		t.Errorf("notes %q", p.Notes)
	}
	if got := actionsOf(t, server, nobody); !slices.Equal(got, []string{""}) {
		t.Errorf("the alerts have the actions %q", got)
	}
	const id = "oss-cdn-refresh-cn-hangzhou"
	for _, step := range []struct {
		to       string
		want     []string // of the record on the recipient
		script   string
		resource string
	}{
		{robot, []string{`"type":"dingtalk"`, robot, `"method":"POST"`, `"headers":[]`}, `fire(type="webhook_integration", integration_type="dingtalk", webhook_id="` + id + `"`, "sls.alert.action_webhook"},
		{"webhook:https://example.com/alerts", []string{`"type":"custom"`, `"key":"Content-Type"`}, `integration_type="custom"`, "sls.alert.action_webhook"},
		{"wecom:https://example.com/w", []string{`"type":"wechat"`}, `integration_type="wechat"`, "sls.alert.action_webhook"},
		{"feishu:https://example.com/f", []string{`"type":"lark"`}, `integration_type="lark"`, "sls.alert.action_webhook"},
		{"mail:ops@example.com", []string{`"email":["ops@example.com"]`, `"enabled":true`}, `fire(type="email", users=["` + id + `"]`, "sls.common.user"},
		{robot, []string{robot}, `webhook_id="` + id + `"`, "sls.alert.action_webhook"},
	} {
		s := notify(t, nobody, step.to)
		bring(t, server, s)
		before := len(server.Changes())
		bring(t, server, nobody) // who does not name anybody leaves it as it is
		if more := changesSince(server, before); len(more) > 0 {
			t.Errorf("%.10s: again: %v", step.to, more)
		}
		if notes := plan(t, server, nobody).Notes; len(notes) > 0 {
			t.Errorf("%.10s: notes %q", step.to, notes)
		}
		if got := actionsOf(t, server, s); !slices.Equal(got, []string{id}) {
			t.Errorf("%.10s: the alerts have the actions %q", step.to, got)
		}
		all := values(t, server)
		if len(all) != 2 {
			t.Errorf("%.10s: records %v", step.to, all)
		}
		for _, part := range step.want {
			if !strings.Contains(all[step.resource], part) {
				t.Errorf("%.10s: %s lacks %s", step.to, all[step.resource], part)
			}
		}
		var action struct {
			Script string `json:"primary_policy_script"`
		}
		if err := json.Unmarshal([]byte(all["sls.alert.action_policy"]), &action); err != nil ||
			!strings.Contains(action.Script, step.script) {
			t.Errorf("%.10s: the action is %q, %v", step.to, action.Script, err)
		}
		if text := fmt.Sprint(states(plan(t, server, notify(t, nobody, "webhook:https://example.com/s3cret")))); strings.Contains(text, "s3cret") {
			t.Errorf("the URL is shown: %s", text)
		}
	}
	remove(t, server, nobody)
	project := server.Projects[nobody.Names().Project]
	if len(values(t, server)) > 0 || len(project.Dashboards)+len(project.Alerts) > 0 {
		t.Errorf("left: %v, %+v", values(t, server), project)
	}
	before := len(server.Changes())
	remove(t, server, nobody)
	if more := changesSince(server, before); len(more) > 0 {
		t.Errorf("again: %v", more)
	}
}

// A key that may not look at dashboards or alerts deploys without them.
func TestWithoutPermissionToWatch(t *testing.T) {
	for _, op := range []string{"GetDashboard", "GetAlert", "GetResourceRecord"} {
		server := deploymenttest.NewTestServer(t, &deploymenttest.Server{
			Fault: func(c deploymenttest.Call) deploymenttest.Fault {
				if c.Op == op {
					return deploymenttest.Fault{Code: "Unauthorized"}
				}
				return deploymenttest.Fault{}
			},
		})
		s := notify(t, settings(t, twoDomains), robot)
		for range 2 { // the project is there the second time only
			bring(t, server, s)
		}
		if p := plan(t, server, s); len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "the key may not "+op) {
			t.Errorf("notes %q", p.Notes)
		}
	}
}

// What code says that an alert is not there is not documented: the status does.
func TestUnknownCodeOfWhatIsNotThere(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	bring(t, server, s)
	server.Between(func() {
		server.Fault = func(c deploymenttest.Call) deploymenttest.Fault {
			if c.Op == "GetAlert" {
				return deploymenttest.Fault{Code: "Whatever", Status: 404}
			}
			return deploymenttest.Fault{}
		}
	})
	if all := states(plan(t, server, s)); !slices.Contains(all, "create alerts oss-cdn-refresh") {
		t.Errorf("%v", all)
	}
	s.HoldWatch = true
	if all := strings.Join(states(plan(t, server, s)), "\n"); strings.Contains(all, "alert") {
		t.Errorf("held, there is %s", all)
	}
}

// Where a removal was interrupted, the next one finds what is left.
func TestInterruptedRemoval(t *testing.T) {
	for step := range 10 {
		server := deploymenttest.NewTestServer(t, nil)
		s := notify(t, settings(t, twoDomains), robot)
		bring(t, server, s)
		s.Notify = deployment.Notify{}
		found, err := deployment.Read(t.Context(), caller(t, server), s)
		if err != nil {
			t.Fatal(err)
		}
		deletions := 0
		server.Between(func() {
			server.Fault = func(c deploymenttest.Call) deploymenttest.Fault {
				if c.Service == "sls" && strings.HasPrefix(c.Op, "Delete") {
					if deletions++; deletions > step {
						return deploymenttest.Fault{Code: "Unauthorized"}
					}
				}
				return deploymenttest.Fault{}
			}
		})
		_, stopped := deployment.NewRemoval(s, found).Apply(t.Context(), caller(t, server))
		server.Between(func() { server.Fault = nil })
		remove(t, server, s)
		project := server.Projects[s.Names().Project]
		if left := values(t, server); len(left)+len(project.Dashboards)+len(project.Alerts) > 0 || (stopped == nil) != (step == 9) {
			t.Errorf("stopped at deletion %d (%v): left %v, %+v", step, stopped, left, project)
		}
	}
}

// What an operator has changed in the console stays, until there is another
// version; what is gone is made again.
func TestConsoleChangesStay(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	s := settings(t, twoDomains)
	bring(t, server, s)
	alerts := server.Projects[s.Names().Project].Alerts
	edit := func(name, from, to string) {
		text := json.RawMessage(strings.ReplaceAll(string(*alerts[name]), from, to))
		alerts[name] = &text
	}
	edit("oss-cdn-refresh-invalid", `"-900s"`, `"-1800s"`)
	if p := plan(t, server, s); p.Missing() > 0 {
		t.Errorf("%v", states(p))
	}
	edit("oss-cdn-refresh-failed", "ossrefresh oss-cdn-refresh; ", "ossrefresh oss-cdn-refresh; 0")
	delete(alerts, "oss-cdn-refresh-refused")
	if all := strings.Join(states(plan(t, server, s)), "\n"); !strings.Contains(all,
		"update alerts oss-cdn-refresh: oss-cdn-refresh-failed differs; lacks oss-cdn-refresh-refused") {
		t.Errorf("%s", all)
	}
	bring(t, server, s)
}

func TestParseNotify(t *testing.T) {
	for text, want := range map[string]string{
		"https://oapi.dingtalk.com/robot/send?access_token=x":    "dingtalk",
		"https://open.feishu.cn/open-apis/bot/v2/hook/x":         "feishu",
		"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x": "wecom",
		"webhook:https://example.com/x":                          "webhook",
		"mail:ops@example.com":                                   "mail",
	} {
		if n, err := deployment.ParseNotify(text); err != nil || n.Kind != want || !strings.HasSuffix(text, n.To) {
			t.Errorf("%s: %+v, %v", text, n, err)
		}
	}
	for text, want := range map[string]string{
		"":                           "the kind is not known; accepted: dingtalk:URL, ",
		"https://example.com/s3cret": `the host "example.com" does not tell the kind; put webhook: before the URL`,
		"http://oapi.dingtalk.com/robot/send?access_token=s3cret": "the kind is not known; accepted: ",
		"dingtalk:http://oapi.dingtalk.com/s3cret":                "what follows dingtalk: is not an https URL",
		"wecom:s3cret":      "what follows wecom: is not an https URL",
		"mail:Ops <a@b.cn>": `"Ops <a@b.cn>" is not a mail address, such as ops@example.com`,
		"sms:123":           "the kind is not known; accepted: ",
	} {
		if _, err := deployment.ParseNotify(text); err == nil || !strings.HasPrefix(err.Error(), want) ||
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
