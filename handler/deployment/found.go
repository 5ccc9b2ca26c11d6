package deployment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Found is what an account has of a deployment. What is nil or missing from a
// map is not there.
type Found struct {
	Roles    map[string]Role
	Policies map[string]RAMPolicy
	Queues   map[string]Queue
	Rules    map[string]Rule
	Project  *Project
	HasStore bool // for how long it keeps a line is the owner's choice
	Index    *Index

	Dashboard   Answer            // as the service has it; nil: not there
	Alerts      map[string]Answer // likewise
	AlertCentre bool              // the service has made what alerts need
	Records     map[string]string // on whom alerts tell: tags, by resource
	NoWatch     string            // the call of these that the caller may not make; "": none
}

// A Role can be assumed by a service.
type Role struct {
	Name, Description string
	Trust             string   // a JSON document
	Attached          []string // names of policies
}

// A RAMPolicy is a policy by its name.
type RAMPolicy struct {
	Name, Description string
	Document          Policy
	Old               []string // ids of versions that are not the default one
}

// A Queue is one of Simple Message Queue.
type Queue struct {
	Retention int // seconds that a message is kept
	Messages  int // that it holds
}

// A Rule makes OSS notify a queue.
type Rule struct {
	Name       string
	EventTypes []string
	Queue      string
	Match      string // which objects, as JSON
}

// A Project holds log stores.
type Project struct{ Description string }

// A Caller makes calls. Its error is an *[Error].
type Caller interface {
	Call(ctx context.Context, c Call) (Answer, error)
}

// An Answer is a JSON object.
type Answer map[string]json.RawMessage

// text returns a member as text: a string's value, any other as JSON.
func (a Answer) text(names ...string) string {
	for _, name := range names[:len(names)-1] {
		a = a.object(name)
	}
	var s string
	raw := a[names[len(names)-1]]
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func (a Answer) object(name string) (inner Answer) {
	_ = json.Unmarshal(a[name], &inner) // nothing is as good as something else
	return inner
}

func (a Answer) number(names ...string) int {
	var n int
	_ = json.Unmarshal([]byte(a.text(names...)), &n)
	return n
}

// Account asks who the credentials belong to.
func Account(ctx context.Context, cloud Caller) (string, error) {
	answer, err := ask(ctx, cloud, Call{Service: STS, Op: "GetCallerIdentity"})
	if err != nil {
		return "", err
	}
	return answer.text("AccountId"), nil
}

// Read looks at what there is. It changes nothing.
func Read(ctx context.Context, cloud Caller, s Settings) (Found, error) {
	r := reader{ctx: ctx, cloud: cloud, settings: s, found: Found{
		Roles: map[string]Role{}, Policies: map[string]RAMPolicy{},
		Queues: map[string]Queue{}, Rules: map[string]Rule{},
	}}
	n := s.Names()
	r.logs(n)
	r.queue(n.DeadLetters)
	r.queue(n.Queue)
	if s.Role == "" {
		r.role(n.Role)
		r.role(n.TriggerRole)
		r.policies(n.Role)
		r.policy(n.TriggerRole)
		if s.Adopt && s.Name == DefaultName {
			r.oldRoles()
		}
		if s.Burst {
			for _, name := range slices.Sorted(maps.Keys(serviceRoles)) {
				r.role(name)
			}
		}
	}
	for _, bucket := range r.buckets() {
		r.rule(s.ruleName(bucket))
	}
	if r.err == nil && !s.HoldWatch {
		r.readWatch(n)
	}
	return r.found, r.err
}

// A reader stops at its first error.
type reader struct {
	ctx      context.Context
	cloud    Caller
	settings Settings
	found    Found
	err      error
}

// ask makes a call. It reports whether there is what it asks for.
func (r *reader) ask(c Call) (Answer, bool) {
	if r.err != nil {
		return nil, false
	}
	answer, err := ask(r.ctx, r.cloud, c)
	var e *Error
	if errors.As(err, &e) && (notFound(e.Code) || c.Path != "" && e.Status == http.StatusNotFound) {
		return nil, false
	}
	r.err = err
	return answer, err == nil
}

// notFound reports whether a code says that there is no such thing: of RAM
// EntityNotExist.Role, of Log Service ProjectNotExist, LogStoreNotExist and
// IndexConfigNotExist, of queues and rules QueueNotExist, RESOURCE_NOT_FOUND or
// ResourceNotFound:QueueName.
func notFound(code string) bool {
	return strings.Contains(code, "NotExist") ||
		hasPrefixFold(code, "RESOURCE_NOT_FOUND") || hasPrefixFold(code, "ResourceNotFound")
}

func (r *reader) logs(n Names) {
	get := func(op, path string) (Answer, bool) {
		c := Call{Service: LogService, Op: op, Project: n.Project, Method: "GET", Path: path}
		return r.ask(c)
	}
	project, ok := get("GetProject", "/")
	if !ok {
		return
	}
	r.found.Project = &Project{project.text("description")}
	path := "/logstores/" + n.Store
	if _, r.found.HasStore = get("GetLogStore", path); !r.found.HasStore {
		return
	}
	index, ok := get("GetIndex", path+"/index")
	if !ok {
		return
	}
	r.found.Index = &Index{raw: index}
	data, _ := json.Marshal(index)
	if err := json.Unmarshal(data, r.found.Index); err != nil {
		r.err = fmt.Errorf("reading the index of %s: %w", n.Store, err)
	}
}

func (r *reader) queue(name string) {
	a, ok := r.ask(rpc(SMQ, "GetQueueAttributes", "QueueName", name))
	if !ok {
		return
	}
	q := Queue{Retention: a.number("Data", "MessageRetentionPeriod")}
	for _, state := range []string{"ActiveMessages", "InactiveMessages", "DelayMessages"} {
		q.Messages += a.number("Data", state)
	}
	r.found.Queues[name] = q
}

func (r *reader) role(name string) {
	a, ok := r.ask(rpc(RAM, "GetRole", "RoleName", name))
	if !ok {
		return
	}
	role := Role{
		Name: name, Description: a.text("Role", "Description"),
		Trust: a.text("Role", "AssumeRolePolicyDocument"),
	}
	if a, ok := r.ask(rpc(RAM, "ListPoliciesForRole", "RoleName", name)); ok {
		var list struct{ Policy []struct{ PolicyName string } }
		_ = json.Unmarshal(a["Policies"], &list)
		for _, p := range list.Policy {
			role.Attached = append(role.Attached, p.PolicyName)
		}
	}
	r.found.Roles[name] = role
}

// oldRoles are those that an older version's deployment had: its owner made them, the
// second for the triggers of other functions too.
var oldRoles = []struct{ name, service string }{
	{DefaultName, "fc.aliyuncs.com"},
	{"AliyunOSSEventNotificationRole", "oss.aliyuncs.com"},
}

// oldRoles reads them. Who may not look at them is not told of them.
func (r *reader) oldRoles() {
	for _, old := range oldRoles {
		if r.err != nil {
			return
		}
		r.role(old.name)
		var e *Error
		if errors.As(r.err, &e) && e.Refused() {
			r.err = nil
		}
	}
}

// policies reads the function's policy, and those that it was too long for.
func (r *reader) policies(name string) {
	for i := 1; r.policy(numbered(name, i)); i++ {
	}
}

// numbered names the i-th of several policies, from 1.
func numbered(name string, i int) string {
	if i == 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, i)
}

func (r *reader) policy(name string) bool {
	a, ok := r.ask(rpc(RAM, "GetPolicy", "PolicyType", "Custom", "PolicyName", name))
	if !ok {
		return false
	}
	p := RAMPolicy{Name: name, Description: a.text("Policy", "Description")}
	document, err := parsePolicy(a.text("DefaultPolicyVersion", "PolicyDocument"))
	if err != nil {
		r.err = fmt.Errorf("reading the policy %s: %w", name, err)
		return false
	}
	p.Document = document
	a, ok = r.ask(rpc(RAM, "ListPolicyVersions", "PolicyType", "Custom", "PolicyName", name))
	if ok {
		var list struct {
			PolicyVersion []struct {
				VersionID string `json:"VersionId"`
				Default   bool   `json:"IsDefaultVersion"`
			}
		}
		_ = json.Unmarshal(a["PolicyVersions"], &list)
		for _, v := range list.PolicyVersion {
			if !v.Default {
				p.Old = append(p.Old, v.VersionID)
			}
		}
	}
	r.found.Policies[name] = p
	return r.err == nil
}

// buckets are those whose rules may be there: the table's, and those that the
// mark of the function's role names.
func (r *reader) buckets() []string {
	buckets := r.settings.Buckets()
	description := r.found.Roles[r.settings.Names().Role].Description
	if m, ok := parseMark(description); ok && m.Owner == r.settings.Name {
		buckets = append(buckets, m.Buckets...)
	}
	slices.Sort(buckets)
	return slices.Compact(buckets)
}

func (r *reader) rule(name string) {
	a, ok := r.ask(rpc(SMQ, "GetEventRule", "ProductName", "oss", "RuleName", name))
	if !ok {
		return
	}
	data := a.object("Data")
	rule := Rule{Name: name, Match: data.text("MatchRules")}
	_ = json.Unmarshal(data["EventTypes"], &rule.EventTypes)
	endpoint := data.text("Endpoint", "EndpointValue") // the queue's name, or what ends in it
	rule.Queue = endpoint[strings.LastIndexAny(endpoint, "/:")+1:]
	r.found.Rules[name] = rule
}

func rpc(service Service, op string, params ...string) Call {
	c := Call{Service: service, Op: op, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		c.Params[params[i]] = params[i+1]
	}
	return c
}
