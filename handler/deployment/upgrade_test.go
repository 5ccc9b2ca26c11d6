package deployment_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
)

// older is an account with what an older version's README let people make.
func older(t *testing.T) *deploymenttest.Server {
	t.Helper()
	role := func(service, policy string) *deploymenttest.Role {
		return &deploymenttest.Role{
			Trust: `{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",` +
				`"Principal": {"Service": ["` + service + `.aliyuncs.com"]}}]}`,
			Attached: []string{policy},
		}
	}
	return deploymenttest.NewTestServer(t, &deploymenttest.Server{
		Roles: map[string]*deploymenttest.Role{
			"oss-cdn-refresh":                role("fc", "refresh-cdn"),
			"AliyunOSSEventNotificationRole": role("oss", "invoke"),
		},
		Queues: map[string]*deploymenttest.Queue{
			"oss-cdn-refresh-dead-letters": {Retention: 604800},
		},
	})
}

// keptRoles returns what a plan says of roles that stay.
func keptRoles(p deployment.Plan) map[string][]string {
	kept := map[string][]string{}
	for _, i := range p.Items {
		if i.State == deployment.Kept && i.Kind == "role" {
			kept[i.Name] = i.Notes
		}
	}
	return kept
}

// The queue is adopted. The roles are not: their owner is told what takes their place,
// and that changes are not seen while the triggers change.
func TestAdoptOlderDeployment(t *testing.T) {
	server := older(t)
	s := settings(t, twoDomains)
	if p := plan(t, server, s); len(keptRoles(p)) > 0 || p.Unseen != nil {
		t.Errorf("not adopted: kept %v, unseen %v", keptRoles(p), p.Unseen)
	}
	s.Adopt = true
	want := map[string][]string{
		"oss-cdn-refresh": {
			"of an older version; oss-cdn-refresh-cn-hangzhou takes its place",
			"once that is deployed, delete it, if nothing else has it; its policies: refresh-cdn",
		},
		"AliyunOSSEventNotificationRole": {
			"of an older version; oss-cdn-refresh-cn-hangzhou-trigger takes its place",
			"once that is deployed, delete it, if nothing else has it; its policies: invoke",
		},
	}
	p := plan(t, server, s)
	if diff := cmp.Diff(want, keptRoles(p)); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
	if !slices.Equal(p.Unseen, []string{"my-site"}) {
		t.Errorf("unseen %v", p.Unseen)
	}
	before := maps.Clone(server.Roles)
	bring(t, server, s)
	for name := range want {
		if server.Roles[name] != before[name] || server.Roles[name].Description != "" {
			t.Errorf("the role %s was touched", name)
		}
	}
	if unseen := plan(t, server, s).Unseen; unseen != nil {
		t.Errorf("unseen again: %v", unseen)
	}
	s.Adopt = false
	if i := slices.IndexFunc(plan(t, server, s).Items, func(i deployment.Item) bool {
		return i.State == deployment.Foreign
	}); i >= 0 {
		t.Errorf("not adopted: %v", plan(t, server, s).Items[i])
	}
}

// What is called so and is another's is not spoken of, nor what may not be looked at.
func TestNoOlderDeployment(t *testing.T) {
	for name, change := range map[string]func(*deploymenttest.Server, *deployment.Settings){
		"another deployment": func(_ *deploymenttest.Server, s *deployment.Settings) { s.Name = "blog" },
		"roles of somebody else": func(_ *deploymenttest.Server, s *deployment.Settings) {
			s.Role, s.TriggerRole = "acs:ram::1:role/a", "acs:ram::1:role/b"
		},
		"a role of another service": func(c *deploymenttest.Server, _ *deployment.Settings) {
			role := c.Roles["oss-cdn-refresh"]
			role.Trust = strings.ReplaceAll(role.Trust, "fc.aliyuncs", "ecs.aliyuncs")
		},
		"no role of the function": func(c *deploymenttest.Server, _ *deployment.Settings) {
			delete(c.Roles, "oss-cdn-refresh")
		},
		"refused": func(c *deploymenttest.Server, _ *deployment.Settings) {
			c.Fault = func(c deploymenttest.Call) deploymenttest.Fault {
				if c.Op == "GetRole" && !strings.Contains(c.Params["RoleName"], "hangzhou") {
					return deploymenttest.Fault{Code: "NoPermission"}
				}
				return deploymenttest.Fault{}
			}
		},
	} {
		server, s := older(t), settings(t, twoDomains)
		s.Adopt = true
		server.Between(func() { change(server, &s) })
		if p := plan(t, server, s); len(keptRoles(p)) > 0 || p.Unseen != nil || p.Missing() == 0 {
			t.Errorf("%s: kept %v, unseen %v", name, keptRoles(p), p.Unseen)
		}
	}
}
