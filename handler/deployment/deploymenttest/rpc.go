package deploymenttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// services are the RPC APIs by their Version.
var services = map[string]string{
	"2015-05-01": "ram", "2015-04-01": "sts", "2020-03-31": "resourcemanager", "2022-01-19": "mns-open",
	"2019-10-23": "sls",
}

// An operation performs a call that has the parameters it needs.
type operation struct {
	needs   string
	perform func(*Server, map[string]string) (any, *refusal)
}

var operations = map[string]operation{
	"ram GetRole":                 {"RoleName", (*Server).getRole},
	"ram CreateRole":              {"RoleName AssumeRolePolicyDocument", (*Server).createRole},
	"ram UpdateRole":              {"RoleName", (*Server).updateRole},
	"ram DeleteRole":              {"RoleName", (*Server).deleteRole},
	"ram ListPoliciesForRole":     {"RoleName", (*Server).listPoliciesForRole},
	"ram GetPolicy":               {"PolicyType PolicyName", (*Server).getPolicy},
	"ram CreatePolicy":            {"PolicyName PolicyDocument", (*Server).createPolicy},
	"ram CreatePolicyVersion":     {"PolicyName PolicyDocument", (*Server).createPolicyVersion},
	"ram ListPolicyVersions":      {"PolicyType PolicyName", (*Server).listPolicyVersions},
	"ram DeletePolicyVersion":     {"PolicyName VersionId", (*Server).deletePolicyVersion},
	"ram UpdatePolicyDescription": {"PolicyName NewDescription", (*Server).updatePolicyDescription},
	"ram DeletePolicy":            {"PolicyName", (*Server).deletePolicy},
	"ram AttachPolicyToRole":      {"PolicyType PolicyName RoleName", (*Server).attach},
	"ram DetachPolicyFromRole":    {"PolicyType PolicyName RoleName", (*Server).detach},
	"sts GetCallerIdentity":       {"", (*Server).callerIdentity},
	"mns-open GetQueueAttributes": {"QueueName", (*Server).getQueue},
	"mns-open CreateQueue":        {"QueueName", (*Server).createQueue},
	"mns-open SetQueueAttributes": {"QueueName", (*Server).setQueue},
	"mns-open DeleteQueue":        {"QueueName", (*Server).deleteQueue},
	"mns-open GetEventRule":       {"ProductName RuleName", (*Server).getRule},
	"mns-open CreateEventRule": {
		"ProductName RuleName EventTypes MatchRules Endpoint ClientToken", (*Server).createRule,
	},
	"sls InitUserAlertResource": {"App Language Region", (*Server).initUserAlertResource},
	"mns-open DeleteEventRule":  {"ProductName RuleName", (*Server).deleteRule},
	"resourcemanager CreateServiceLinkedRole": {
		"ServiceName", (*Server).createServiceLinkedRole,
	},
}

// rpc reads and checks a call of an RPC API.
func (s *Server) rpc(r *http.Request, body []byte) (Call, func() (any, *refusal), *refusal) {
	params := map[string]string{}
	form, _ := url.ParseQuery(string(body))
	for _, values := range []url.Values{r.URL.Query(), form} {
		for name := range values {
			params[name] = values.Get(name)
		}
	}
	c := Call{Service: services[params["Version"]], Op: params["Action"], Params: params}
	if len(r.URL.RawQuery) > 8000 {
		return c, nil, &refusal{414, "RequestLineTooLong", "gateways take 8 kB"}
	}
	op, known := operations[c.Service+" "+c.Op]
	if !known || r.URL.Path != "/" {
		return c, nil, &refusal{
			404,
			"InvalidAction.NotFound",
			"Specified api is not found, please check your url and method.",
		}
	}
	if refused := s.checkRPC(r.Method, params); refused != nil {
		return c, nil, refused
	}
	for _, name := range strings.Fields(op.needs) {
		if params[name] == "" {
			return c, nil, &refusal{400, "Missing" + name, name + " is mandatory for this action."}
		}
	}
	return c, func() (any, *refusal) { return op.perform(s, params) }, nil
}

type object = map[string]any

func noRole(name string) *refusal {
	return &refusal{404, "EntityNotExist.Role", fmt.Sprintf("The role %s does not exist.", name)}
}

func noPolicy(name string) *refusal {
	return &refusal{
		404,
		"EntityNotExist.Policy",
		fmt.Sprintf("The policy %s does not exist.", name),
	}
}

func (s *Server) callerIdentity(map[string]string) (any, *refusal) {
	return object{"AccountId": Account, "IdentityType": "RAMUser"}, nil
}

func (s *Server) getRole(p map[string]string) (any, *refusal) {
	role, there := s.Roles[p["RoleName"]]
	if !there {
		return nil, noRole(p["RoleName"])
	}
	return object{"Role": object{
		"RoleName": p["RoleName"], "Description": role.Description, "AssumeRolePolicyDocument": role.Trust,
		"Arn": "acs:ram::" + Account + ":role/" + p["RoleName"],
	}}, nil
}

func (s *Server) createRole(p map[string]string) (any, *refusal) {
	if _, there := s.Roles[p["RoleName"]]; there {
		return nil, &refusal{409, "EntityAlreadyExists.Role", "The role exists."}
	}
	if len(p["Description"]) > 1024 || !json.Valid([]byte(p["AssumeRolePolicyDocument"])) {
		return nil, &refusal{400, "InvalidParameter", "Description or AssumeRolePolicyDocument"}
	}
	s.Roles[p["RoleName"]] = &Role{
		Trust:       p["AssumeRolePolicyDocument"],
		Description: p["Description"],
	}
	return object{}, nil
}

func (s *Server) updateRole(p map[string]string) (any, *refusal) {
	role, there := s.Roles[p["RoleName"]]
	if !there {
		return nil, noRole(p["RoleName"])
	}
	if v := p["NewDescription"]; v != "" {
		role.Description = v
	}
	if v := p["NewAssumeRolePolicyDocument"]; v != "" {
		role.Trust = v
	}
	return object{}, nil
}

func (s *Server) deleteRole(p map[string]string) (any, *refusal) {
	role, there := s.Roles[p["RoleName"]]
	switch {
	case !there:
		return nil, noRole(p["RoleName"])
	case len(role.Attached) > 0:
		return nil, &refusal{409, "DeleteConflict.Role.Policy", "The role has policies."}
	}
	delete(s.Roles, p["RoleName"])
	return object{}, nil
}

func (s *Server) listPoliciesForRole(p map[string]string) (any, *refusal) {
	role, there := s.Roles[p["RoleName"]]
	if !there {
		return nil, noRole(p["RoleName"])
	}
	list := []object{}
	for _, name := range role.Attached {
		list = append(list, object{"PolicyName": name, "PolicyType": "Custom"})
	}
	return object{"Policies": object{"Policy": list}}, nil
}

func (s *Server) getPolicy(p map[string]string) (any, *refusal) {
	policy, there := s.Policies[p["PolicyName"]]
	if !there {
		return nil, noPolicy(p["PolicyName"])
	}
	return object{
		"Policy": object{
			"PolicyName":  p["PolicyName"],
			"Description": policy.Description,
		},
		"DefaultPolicyVersion": object{"PolicyDocument": policy.Document, "IsDefaultVersion": true},
	}, nil
}

func checkDocument(document string) *refusal {
	if len(document) > 6144 || !json.Valid([]byte(document)) {
		return &refusal{
			400,
			"InvalidParameter.PolicyDocument.Length",
			"The policy document must be JSON of at most 6144 characters.",
		}
	}
	return nil
}

func (s *Server) createPolicy(p map[string]string) (any, *refusal) {
	if _, there := s.Policies[p["PolicyName"]]; there {
		return nil, &refusal{409, "EntityAlreadyExists.Policy", "The policy exists."}
	}
	if refused := checkDocument(p["PolicyDocument"]); refused != nil {
		return nil, refused
	}
	s.Policies[p["PolicyName"]] = &Policy{
		Document:    p["PolicyDocument"],
		Description: p["Description"],
		next:        2,
	}
	return object{}, nil
}

// createPolicyVersion keeps five versions at most (RAM: limits).
func (s *Server) createPolicyVersion(p map[string]string) (any, *refusal) {
	policy, there := s.Policies[p["PolicyName"]]
	if !there {
		return nil, noPolicy(p["PolicyName"])
	}
	if refused := checkDocument(p["PolicyDocument"]); refused != nil {
		return nil, refused
	}
	if len(policy.Versions) == 4 {
		if p["RotateStrategy"] != "DeleteOldestNonDefaultVersionWhenLimitExceeded" {
			return nil, &refusal{
				409,
				"LimitExceeded.Policy.Version",
				"The policy has five versions.",
			}
		}
		policy.Versions = policy.Versions[1:]
	}
	policy.next = max(policy.next, 2)
	policy.Versions = append(policy.Versions, fmt.Sprintf("v%d", policy.next-1))
	policy.next++
	if p["SetAsDefault"] == "true" {
		policy.Document = p["PolicyDocument"]
	}
	return object{}, nil
}

func (s *Server) listPolicyVersions(p map[string]string) (any, *refusal) {
	policy, there := s.Policies[p["PolicyName"]]
	if !there {
		return nil, noPolicy(p["PolicyName"])
	}
	list := []object{
		{"VersionId": fmt.Sprintf("v%d", max(policy.next, 2)-1), "IsDefaultVersion": true},
	}
	for _, id := range policy.Versions {
		list = append(list, object{"VersionId": id, "IsDefaultVersion": false})
	}
	return object{"PolicyVersions": object{"PolicyVersion": list}}, nil
}

func (s *Server) deletePolicyVersion(p map[string]string) (any, *refusal) {
	policy, there := s.Policies[p["PolicyName"]]
	if !there {
		return nil, noPolicy(p["PolicyName"])
	}
	i := slices.Index(policy.Versions, p["VersionId"])
	if i < 0 {
		return nil, &refusal{404, "EntityNotExist.Policy.Version", "The version does not exist."}
	}
	policy.Versions = slices.Delete(policy.Versions, i, i+1)
	return object{}, nil
}

func (s *Server) updatePolicyDescription(p map[string]string) (any, *refusal) {
	policy, there := s.Policies[p["PolicyName"]]
	if !there {
		return nil, noPolicy(p["PolicyName"])
	}
	policy.Description = p["NewDescription"]
	return object{}, nil
}

func (s *Server) deletePolicy(p map[string]string) (any, *refusal) {
	policy, there := s.Policies[p["PolicyName"]]
	if !there {
		return nil, noPolicy(p["PolicyName"])
	}
	for _, role := range s.Roles {
		if slices.Contains(role.Attached, p["PolicyName"]) {
			return nil, &refusal{409, "DeleteConflict.Policy.Role", "The policy is attached."}
		}
	}
	if len(policy.Versions) > 0 {
		return nil, &refusal{409, "DeleteConflict.Policy.Version", "The policy has versions."}
	}
	delete(s.Policies, p["PolicyName"])
	return object{}, nil
}

func (s *Server) attach(p map[string]string) (any, *refusal) {
	role, there := s.Roles[p["RoleName"]]
	if !there {
		return nil, noRole(p["RoleName"])
	}
	if _, there := s.Policies[p["PolicyName"]]; !there {
		return nil, noPolicy(p["PolicyName"])
	}
	if slices.Contains(role.Attached, p["PolicyName"]) {
		return nil, &refusal{409, "EntityAlreadyExists.Role.Policy", "The policy is attached."}
	}
	role.Attached = append(role.Attached, p["PolicyName"])
	return object{}, nil
}

func (s *Server) detach(p map[string]string) (any, *refusal) {
	role, there := s.Roles[p["RoleName"]]
	if !there {
		return nil, noRole(p["RoleName"])
	}
	i := slices.Index(role.Attached, p["PolicyName"])
	if i < 0 {
		return nil, &refusal{404, "EntityNotExist.Role.Policy", "The policy is not attached."}
	}
	role.Attached = slices.Delete(role.Attached, i, i+1)
	return object{}, nil
}

func (s *Server) createServiceLinkedRole(p map[string]string) (any, *refusal) {
	name, known := map[string]string{
		"sendevent-fc.eventbridge.aliyuncs.com":  "AliyunServiceRoleForEventBridgeSendToFC",
		"sendevent-mns.eventbridge.aliyuncs.com": "AliyunServiceRoleForEventBridgeSendToMNS",
	}[p["ServiceName"]]
	if !known {
		return nil, &refusal{400, "InvalidParameter.ServiceName", "The service is not known."}
	}
	if _, there := s.Roles[name]; there {
		return nil, &refusal{409, "EntityAlreadyExists.Role", "The role exists."}
	}
	s.Roles[name] = &Role{Trust: "{}"}
	return object{}, nil
}

func noQueue() *refusal { return &refusal{404, "QueueNotExist", "The queue does not exist."} }

func (s *Server) getQueue(p map[string]string) (any, *refusal) {
	q, there := s.Queues[p["QueueName"]]
	if !there {
		return nil, noQueue()
	}
	return object{"Success": true, "Code": 200, "Data": object{
		"QueueName": p["QueueName"], "MessageRetentionPeriod": q.Retention, "ActiveMessages": q.Messages + q.held(), "InactiveMessages": 0, "DelayMessages": 0,
	}}, nil
}

func retention(p map[string]string) (int, *refusal) {
	n, err := strconv.Atoi(p["MessageRetentionPeriod"])
	if p["MessageRetentionPeriod"] == "" {
		return 345600, nil
	}
	if err != nil || n < 60 || n > 604800 {
		return 0, &refusal{400, "InvalidArgument", "MessageRetentionPeriod is 60 to 604800."}
	}
	return n, nil
}

func (s *Server) createQueue(p map[string]string) (any, *refusal) {
	if _, there := s.Queues[p["QueueName"]]; there {
		return nil, &refusal{409, "QueueAlreadyExist", "The queue exists."}
	}
	n, refused := retention(p)
	if refused == nil {
		s.Queues[p["QueueName"]] = &Queue{Retention: n}
	}
	return object{"Success": true}, refused
}

func (s *Server) setQueue(p map[string]string) (any, *refusal) {
	q, there := s.Queues[p["QueueName"]]
	if !there {
		return nil, noQueue()
	}
	n, refused := retention(p)
	if refused == nil {
		q.Retention = n
	}
	return object{"Success": true}, refused
}

func (s *Server) deleteQueue(p map[string]string) (any, *refusal) {
	delete(s.Queues, p["QueueName"])
	return object{"Success": true}, nil
}

func (s *Server) getRule(p map[string]string) (any, *refusal) {
	rule, there := s.Rules[p["RuleName"]]
	if !there { // the gateway says so with success false
		return object{
			"Success": false,
			"Code":    404,
			"Status":  "RESOURCE_NOT_FOUND",
			"Message": "The rule does not exist.",
		}, nil
	}
	return object{"Success": true, "Data": object{
		"RuleName": p["RuleName"], "EventTypes": rule.EventTypes, "MatchRules": rule.MatchRules, "Endpoint": rule.Endpoints,
	}}, nil
}

func (s *Server) createRule(p map[string]string) (any, *refusal) {
	if _, there := s.Rules[p["RuleName"]]; there {
		return nil, &refusal{409, "EventRuleAlreadyExist", "The rule exists."}
	}
	rule := &Rule{
		MatchRules: json.RawMessage(p["MatchRules"]),
		Endpoints:  json.RawMessage(p["Endpoint"]),
	}
	var endpoint struct{ EndpointType, EndpointValue string }
	var match [][]struct{ MatchState, Prefix, Suffix string }
	if json.Unmarshal([]byte(p["EventTypes"]), &rule.EventTypes) != nil || json.Unmarshal(rule.Endpoints, &endpoint) != nil ||
		json.Unmarshal(rule.MatchRules, &match) != nil || endpoint.EndpointType != "queue" ||
		len(p["RuleName"]) > 85 {
		return nil, &refusal{400, "InvalidArgument", "EventTypes, MatchRules or Endpoint"}
	}
	if _, there := s.Queues[endpoint.EndpointValue]; !there {
		return nil, noQueue()
	}
	s.Rules[p["RuleName"]] = rule
	return object{"Success": true}, nil
}

func (s *Server) deleteRule(p map[string]string) (any, *refusal) {
	delete(s.Rules, p["RuleName"])
	return object{"Success": true}, nil
}
