package deployment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"oss-cdn-refresh/mapping"
)

// maxPolicy is how many characters a policy's document may have (CreatePolicy,
// RAM API reference).
const maxPolicy = 6144

// A Policy is a RAM policy (Resource Access Management: policy structure and
// syntax).
type Policy struct {
	Version   string
	Statement []Statement
}

// A Statement allows actions on resources.
type Statement struct {
	Effect   string
	Action   []string
	Resource []string
}

func allow(action, resource []string) Statement { return Statement{"Allow", action, resource} }

// String is the document as RAM gets it.
func (p Policy) String() string {
	data, _ := json.Marshal(p) // of strings only: it cannot fail
	return string(data)
}

// FunctionPolicy is the least that lets the function work: it refreshes the
// table's domains, lists what became of that, and sends to the dead-letter queue,
// unless that is "". Region "*" is any. The actions and resources are those of
// "RefreshDcdnObjectCaches, API reference" and "DescribeDcdnRefreshTasks, API
// reference", of the same for CDN, of "PurgeCaches, API reference", and of
// "SendMessage" of Simple Message Queue. That DescribePurgeTasks can be restricted to
// a site is not documented.
func FunctionPolicy(table *mapping.Table, account, region, deadLetters string) Policy {
	p := Policy{Version: "1"}
	for _, api := range []struct {
		product mapping.Product
		actions []string
	}{
		{mapping.DCDN, []string{"dcdn:RefreshDcdnObjectCaches", "dcdn:DescribeDcdnRefreshTasks"}},
		{mapping.CDN, []string{"cdn:RefreshObjectCaches", "cdn:DescribeRefreshTasks"}},
	} {
		var resources []string
		for _, domain := range domainsOf(table, api.product) {
			arn := fmt.Sprintf("acs:%s:*:%s:domain/%s", api.product, account, domain)
			resources = append(resources, arn)
		}
		if resources != nil {
			p.Statement = append(p.Statement, allow(api.actions, resources))
		}
	}
	var sites []string
	for _, service := range table.Services("") {
		if service.Site != 0 {
			sites = append(sites, fmt.Sprintf("acs:esa:*:%s:site/%d", account, service.Site))
		}
	}
	if sites != nil {
		actions := []string{"esa:PurgeCaches", "esa:DescribePurgeTasks"}
		p.Statement = append(p.Statement, allow(actions, sites))
	}
	if deadLetters != "" {
		queue := fmt.Sprintf("acs:mns:%s:%s:/queues/%s/messages", region, account, deadLetters)
		p.Statement = append(p.Statement, allow([]string{"mns:SendMessage"}, []string{queue}))
	}
	return p
}

func domainsOf(table *mapping.Table, product mapping.Product) []string {
	names := map[string]bool{}
	for _, r := range table.Rules {
		for _, t := range r.Targets {
			if t.Product == product {
				names[t.Domain] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// triggerPolicy lets OSS invoke this function and no other.
func triggerPolicy(account, region, function string) Policy {
	arn := fmt.Sprintf("acs:fc:%s:%s:functions/%s", region, account, function)
	return Policy{"1", []Statement{allow([]string{"fc:InvokeFunction"}, []string{arn, arn + "/*"})}}
}

// trust is the document that lets a service assume a role.
func trust(service string) string {
	return fmt.Sprintf(`{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow",`+
		`"Principal":{"Service":[%q]}}],"Version":"1"}`, service)
}

// split makes of a policy as many as it takes for none to be longer than most
// characters. A statement is cut between resources.
func (p Policy) split(most int) []Policy {
	all := []Policy{{Version: p.Version}}
	for _, s := range p.Statement {
		for _, resource := range s.Resource {
			last := &all[len(all)-1]
			if grown := last.with(s, resource); len(grown.String()) <= most {
				*last = grown
			} else {
				all = append(all, Policy{Version: p.Version}.with(s, resource))
			}
		}
	}
	return all
}

// with returns the policy with one more resource, in the statement of the same
// action if that is the last one.
func (p Policy) with(s Statement, resource string) Policy {
	statements := slices.Clone(p.Statement)
	if n := len(statements); n > 0 && slices.Equal(statements[n-1].Action, s.Action) {
		statements[n-1].Resource = append(slices.Clone(statements[n-1].Resource), resource)
	} else {
		statements = append(statements, Statement{s.Effect, s.Action, []string{resource}})
	}
	return Policy{p.Version, statements}
}

// keep adds what others allow of the refresh APIs' resources and the policy does
// not. A domain goes into the statement of its actions, or into a new one.
func (p Policy) keep(others []Policy) Policy {
	kept := Policy{p.Version, slices.Clone(p.Statement)}
	for _, other := range others {
		for _, s := range other.Statement {
			for _, resource := range s.Resource {
				if strings.Contains(resource, ":domain/") || strings.Contains(resource, ":site/") {
					kept.add(s.beyond(kept, resource), resource)
				}
			}
		}
	}
	return kept
}

// beyond returns the statement with those of its actions that the policy does not
// grant on the resource.
func (s Statement) beyond(p Policy, resource string) Statement {
	has := grants(p)
	s.Action = slices.DeleteFunc(slices.Clone(s.Action), func(action string) bool {
		return has[s.Effect+" "+action+" "+resource]
	})
	return s
}

func (p *Policy) add(s Statement, resource string) {
	if len(s.Action) == 0 {
		return
	}
	for i := range p.Statement {
		if !slices.Equal(p.Statement[i].Action, s.Action) {
			continue
		}
		if !slices.Contains(p.Statement[i].Resource, resource) {
			p.Statement[i].Resource = append(slices.Clone(p.Statement[i].Resource), resource)
			slices.Sort(p.Statement[i].Resource)
		}
		return
	}
	p.Statement = append(p.Statement, Statement{s.Effect, s.Action, []string{resource}})
}

// grants lists what policies allow, one "action resource" each: two policies
// are the same if these are, however they are written.
func grants(policies ...Policy) map[string]bool {
	all := map[string]bool{}
	for _, p := range policies {
		for _, s := range p.Statement {
			for _, action := range s.Action {
				for _, resource := range s.Resource {
					all[s.Effect+" "+action+" "+resource] = true
				}
			}
		}
	}
	return all
}

// lacking returns what of a is not in b, without "Allow".
func lacking(a, b map[string]bool) []string {
	var names []string
	for name := range a {
		if !b[name] {
			names = append(names, strings.TrimPrefix(name, "Allow "))
		}
	}
	slices.Sort(names)
	return names
}

// parsePolicy reads a document. RAM takes a string where there is one action or
// resource only.
func parsePolicy(document string) (Policy, error) {
	var raw struct {
		Version   string
		Statement []struct {
			Effect           string
			Action, Resource oneOrMany
			Condition        json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(document), &raw); err != nil {
		return Policy{}, err
	}
	p := Policy{Version: raw.Version}
	for _, s := range raw.Statement {
		effect := s.Effect
		if len(s.Condition) > 0 {
			effect += " if " + string(s.Condition) // so that it equals none of ours
		}
		p.Statement = append(p.Statement, Statement{effect, s.Action, s.Resource})
	}
	return p, nil
}

type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(o))
}

// DeployerPolicy is what the key of who runs setup and Serverless Devs needs.
// Inferred are its actions whose documentation was not found: they are named
// after their operation, as all the documented ones are.
func DeployerPolicy(s Settings) (p Policy, inferred []string) {
	n := s.Names()
	acs := func(service, region, rest string) string {
		return fmt.Sprintf("acs:%s:%s:%s:%s", service, region, s.Account, rest)
	}
	queue := func(name string) string { return acs("mns", s.Region, "/queues/"+name) }
	rules := acs("mns", s.Region, "/products/oss/rules")
	project := acs("log", s.Region, "project/"+n.Project)
	list := strings.Fields
	p = Policy{"1", []Statement{
		allow(list("fc:*"), list(acs("fc", s.Region, "*"))),
		allow(list(`ram:GetRole ram:CreateRole ram:UpdateRole ram:DeleteRole ram:PassRole
			ram:AttachPolicyToRole ram:DetachPolicyFromRole ram:ListPoliciesForRole`), []string{
			acs("ram", "*", "role/"+s.Name+"-*"),
			acs("ram", "*", "role/aliyunserviceroleforeventbridge*"),
		}),
		allow(list(`ram:GetPolicy ram:CreatePolicy ram:DeletePolicy ram:CreatePolicyVersion
			ram:DeletePolicyVersion ram:ListPolicyVersions ram:UpdatePolicyDescription
			ram:AttachPolicyToRole ram:DetachPolicyFromRole`),
			list(acs("ram", "*", "policy/"+s.Name+"-*"))),
		allow(list("ram:CreateServiceLinkedRole"), list("*")),
		allow(list("mns:GetQueueAttributes mns:CreateQueue mns:SetQueueAttributes mns:DeleteQueue"),
			[]string{queue(n.DeadLetters), queue(n.Queue)}),
		allow(list("mns:PeekMessage mns:ReceiveMessage mns:DeleteMessage"),
			list(queue(n.DeadLetters)+"/messages")),
		allow(list("mns:PutEventNotifications"), list("*")),
		allow(list("mns:GetEventRule mns:DeleteEventRule"), []string{rules, rules + "/*"}),
		allow(list("log:GetProject log:CreateProject log:UpdateProject"), list(project)),
		allow(list(`log:GetLogStore log:CreateLogStore
			log:GetIndex log:CreateIndex log:UpdateIndex`), list(project+"/logstore/*")),
		allow(list("log:GetDashboard log:CreateDashboard log:UpdateDashboard log:DeleteDashboard"),
			list(project+"/dashboard/*")),
		allow(list("log:GetJob log:CreateJob log:UpdateJob log:DeleteJob"), list(project+"/job/*")),
		allow(list("log:GetProject"), list(acs("log", s.Region, "project/"+alertCentre(s)))),
		allow(list("log:InitUserAlertResource"), list("*")),
		allow(list(`log:GetResourceRecord log:CreateResourceRecord log:UpdateResourceRecord
			log:DeleteResourceRecord`), list(acs("log", "*", "resource/sls.*"))),
		allow(list(`oss:PutBucketNotification oss:GetBucketNotification
			oss:DeleteBucketNotification oss:ListObjects`), bucketARNs(s.Buckets(), s.Account)),
	}}
	return p, list(`mns:DeleteEventRule ram:UpdatePolicyDescription log:GetIndex log:CreateIndex
		log:UpdateIndex log:UpdateProject log:InitUserAlertResource log:CreateResourceRecord
		log:UpdateResourceRecord log:DeleteResourceRecord oss:PutBucketNotification
		oss:GetBucketNotification oss:DeleteBucketNotification`)
}

func bucketARNs(buckets []string, account string) []string {
	var all []string
	for _, bucket := range buckets {
		all = append(all, fmt.Sprintf("acs:oss:*:%s:%s", account, bucket))
	}
	return all
}
