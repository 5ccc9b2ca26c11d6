package deployment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A State says how a resource stands to what is wanted.
type State string

// The states.
const (
	There   State = "there"   // nothing is to be done
	Create  State = "create"  // it is missing
	Update  State = "update"  // it differs
	Foreign State = "foreign" // it has no mark; it is left alone
	Remove  State = "remove"  // it is not wanted
	Kept    State = "kept"    // it is not wanted, and stays all the same
	Waits   State = "waits"   // another run is to do it
)

// An Item is a resource, what is to become of it, and the calls for that.
type Item struct {
	Kind  string
	Name  string
	State State
	Notes []string // what differs, or why it stays
	Calls []Call
}

// Missing reports whether the deployment lacks something of the resource.
func (i Item) Missing() bool {
	switch i.State {
	case Create, Update, Remove:
		return true
	case Foreign:
		return len(i.Notes) > 0
	}
	return false
}

// A Plan says of each resource what is to become of it, in an order in which
// the calls can be made.
type Plan struct {
	Items []Item

	// Unseen are the buckets whose changes are not seen for a while, since a
	// rule of theirs begins or ends, or a trigger of theirs takes the place of
	// another one.
	Unseen []string

	// Notes are what the operator is to know beside it.
	Notes []string
}

// Missing counts the resources that lack something.
func (p Plan) Missing() int {
	n := 0
	for _, i := range p.Items {
		if i.Missing() {
			n++
		}
	}
	return n
}

// done reports whether there is nothing left to do: what is foreign is not ours to
// mend.
func (p Plan) done() bool {
	return !slices.ContainsFunc(p.Items, func(i Item) bool {
		return i.Missing() && i.State != Foreign
	})
}

// Calls returns the calls of a service, in their order.
func (p Plan) Calls(services ...Service) []Call {
	var all []Call
	for _, i := range p.Items {
		for _, c := range i.Calls {
			if slices.Contains(services, c.Service) {
				all = append(all, c)
			}
		}
	}
	return all
}

// The kinds of resources.
const (
	kindProject     = "log project"
	kindStore       = "log store"
	kindIndex       = "log index"
	kindQueue       = "queue"
	kindRole        = "role"
	kindPolicy      = "policy"
	kindServiceRole = "service-linked role"
	KindRule        = "OSS rule"
	kindDashboard   = "dashboard"
	kindAlertCentre = "alert centre"
	kindAlerts      = "alerts"
	kindRecipient   = "recipient of alerts"
)

const (
	// Seconds: the most there is (CreateQueue, Simple Message Queue API reference).
	retention = 7 * 24 * 3600
	logDays   = 30
)

// NewPlan compares what is wanted with what was found.
func NewPlan(s Settings, f Found) Plan {
	p := &planner{Settings: s, found: f, names: s.Names()}
	p.logs()
	for _, q := range p.queues() {
		p.queue(q)
	}
	if s.Adopt { // the marks, which say what rules there are, are changed only when those are gone
		p.rules()
	}
	if s.Role == "" {
		mark := s.mark()
		mark.Buckets = union(mark.Buckets, p.others(f.Roles[p.names.Role].Description))
		p.role(p.names.Role, "fc.aliyuncs.com", mark)
		p.functionPolicies()
		mark.Triggers = p.triggers(mark)
		p.role(p.names.TriggerRole, "oss.aliyuncs.com", mark)
		p.triggerPolicy()
		p.oldRoles()
		p.serviceRoles()
	}
	if !s.Adopt {
		p.rules()
	}
	p.newTriggers()
	p.watch()
	if s.Table.Refresh.Fold > 0 && !s.Burst && !s.HoldWatch {
		p.note("fold does nothing on this path, where each event is an invocation; " +
			"it needs --burst, or 0 in the table")
	}
	return p.plan
}

type planner struct {
	Settings
	found Found
	names Names
	plan  Plan
}

func (p *planner) add(i Item) { p.plan.Items = append(p.plan.Items, i) }

// create adds an item for something that is missing.
func (p *planner) create(kind, name string, calls ...Call) {
	p.add(Item{Kind: kind, Name: name, State: Create, Calls: calls})
}

// withhold adds an item for what is not made, since it would change something
// foreign.
func (p *planner) withhold(kind, name, why string) {
	p.add(Item{Kind: kind, Name: name, State: Foreign, Notes: []string{why}})
}

// decide adds an item for something that exists: its calls are made if it is
// ours and differs, or if it is foreign and adopted.
func (p *planner) decide(kind, name string, ours bool, differs []string, calls []Call) {
	switch {
	case !ours && !p.Adopt:
		p.add(Item{Kind: kind, Name: name, State: Foreign, Notes: differs})
	case len(calls) > 0:
		if !ours {
			differs = append(differs, "adopted")
		}
		p.add(Item{Kind: kind, Name: name, State: Update, Notes: differs, Calls: calls})
	default:
		p.add(Item{Kind: kind, Name: name, State: There})
	}
}

// others returns the buckets that a mark of ours names and the table does not.
func (p *planner) others(description string) []string {
	m, ok := parseMark(description)
	if !ok || m.Owner != p.Name || p.Adopt {
		return nil
	}
	table := p.Buckets()
	return slices.DeleteFunc(m.Buckets, func(b string) bool { return slices.Contains(table, b) })
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func (p *planner) logs() {
	project := p.names.Project
	body := map[string]any{"projectName": project, "description": p.ledger().String()}
	sls := p.sls
	ours, foreign := true, false
	if have := p.found.Project; have == nil {
		create := sls("CreateProject", "POST", "/", body, "ProjectAlreadyExist")
		p.create(kindProject, project, create)
	} else {
		ours = p.owns(have.Description)
		foreign = !ours && !p.Adopt
		var differs []string
		var calls []Call
		if have.Description != body["description"] {
			calls = append(calls, sls("UpdateProject", "PUT", "/", body))
			if ours {
				differs = []string{"is marked anew"}
			}
		}
		p.decide(kindProject, project, ours, differs, calls)
	}
	store := p.names.Store
	if has := p.found.HasStore; !has && foreign {
		p.withhold(kindStore, store, "is missing, in a project that is foreign")
	} else if !has {
		p.create(kindStore, store, sls("CreateLogStore", "POST", "/logstores", map[string]any{
			"logstoreName": store, "ttl": logDays,
			"shardCount": 1, "autoSplit": true, "maxSplitShard": 8,
		}, "LogStoreAlreadyExist"))
	} else {
		p.decide(kindStore, store, ours, nil, nil)
	}
	wanted, path := logIndex(), "/logstores/"+store+"/index"
	if have := p.found.Index; have == nil && foreign {
		p.withhold(kindIndex, store, "is missing, in a project that is foreign")
	} else if have == nil {
		p.create(kindIndex, store, sls("CreateIndex", "POST", path, wanted, "IndexAlreadyExist"))
	} else {
		var calls []Call
		lacks := have.lacks(wanted)
		if len(lacks) > 0 {
			calls = append(calls, sls("UpdateIndex", "PUT", path, have.with(wanted)))
		}
		p.decide(kindIndex, store, ours, lacks, calls)
	}
}

// A wantedQueue is a queue by its name, and by the key that stands for it in the
// project's mark.
type wantedQueue struct {
	key, name string
	wanted    bool
}

func (p *planner) queues() []wantedQueue {
	return []wantedQueue{
		{"dead-letters", p.names.DeadLetters, true},
		{"queue", p.names.Queue, p.Burst},
	}
}

// ledger is the project's mark. It says too which queues are the deployment's:
// those that it says so of already, those that are to be made, and those that
// are adopted. It is written before a queue is made.
func (p *planner) ledger() Mark {
	m := Mark{Owner: p.Name}
	for _, q := range p.queues() {
		_, there := p.found.Queues[q.name]
		if p.ownsQueue(q.key) || q.wanted && (!there || p.Adopt) {
			m.Owns = append(m.Owns, q.key)
		}
	}
	return m
}

func (p *planner) ownsQueue(key string) bool {
	if p.found.Project == nil {
		return false
	}
	m, ok := parseMark(p.found.Project.Description)
	return ok && m.Owner == p.Name && slices.Contains(m.Owns, key)
}

func (p *planner) queue(q wantedQueue) {
	name := q.name
	have, there := p.found.Queues[name]
	params := []string{"QueueName", name, "MessageRetentionPeriod", strconv.Itoa(retention)}
	switch {
	case !there && q.wanted:
		p.create(kindQueue, name, rpc(SMQ, "CreateQueue", params...).orDone("QueueAlreadyExist"))
	case !there:
	case !q.wanted:
		note := "this path does not use it"
		if have.Messages > 0 {
			note += "; it holds " + count(have.Messages, "message") +
				", for which the trigger burst stays: deploy again when it is empty"
		}
		p.add(Item{Kind: kindQueue, Name: name, State: Kept, Notes: []string{note}})
	default:
		var differs []string
		var calls []Call
		if have.Retention < retention {
			differs = append(differs,
				fmt.Sprintf("keeps messages for %d s, not for %d s", have.Retention, retention))
			calls = []Call{rpc(SMQ, "SetQueueAttributes", params...)}
		}
		ours := p.ownsQueue(q.key)
		if !ours && p.Adopt && calls == nil { // the project's mark makes it ours
			p.add(Item{Kind: kindQueue, Name: name, State: There, Notes: []string{"adopted"}})
			return
		}
		p.decide(kindQueue, name, ours, differs, calls)
	}
}

func (p *planner) role(name, service string, mark Mark) {
	wanted, description := trust(service), mark.String()
	have, there := p.found.Roles[name]
	if !there {
		p.create(kindRole, name, rpc(RAM, "CreateRole",
			"RoleName", name, "AssumeRolePolicyDocument", wanted, "Description", description,
		).orDone("EntityAlreadyExists.Role"))
		return
	}
	var differs []string
	update := rpc(RAM, "UpdateRole", "RoleName", name)
	if !sameJSON(have.Trust, wanted) {
		differs = append(differs, "is to be assumed by "+service)
		update.Params["NewAssumeRolePolicyDocument"] = wanted
	}
	if have.Description != description {
		update.Params["NewDescription"] = description
	}
	var calls []Call
	if len(update.Params) > 1 {
		calls = []Call{update}
	}
	p.decide(kindRole, name, p.owns(have.Description), differs, calls)
}

// oldRoles says what becomes of the roles of an older version's deployment. They are
// not adopted: other functions, and other regions, may have them, while the names of
// today are of one deployment in one region, which may be given just what it needs.
func (p *planner) oldRoles() {
	if !p.succeeds() || p.HoldWatch { // another run says it, when the function is deployed
		return
	}
	for i, in := range []string{p.names.Role, p.names.TriggerRole} {
		old, there := p.found.Roles[oldRoles[i].name]
		if !there {
			continue
		}
		notes := []string{"of an older version; " + in + " takes its place"}
		then := "once that is deployed, delete it, if nothing else has it"
		if len(old.Attached) > 0 {
			then += "; its policies: " + strings.Join(old.Attached, ", ")
		}
		p.add(Item{Kind: kindRole, Name: old.Name, State: Kept, Notes: append(notes, then)})
	}
}

// succeeds reports whether there is the function's role of an older version.
func (p *planner) succeeds() bool {
	old, there := p.found.Roles[oldRoles[0].name]
	return p.Adopt && there && strings.Contains(old.Trust, oldRoles[0].service)
}

// sameJSON compares documents by their values; a list of one is that one.
func sameJSON(a, b string) bool {
	var values [2]any
	for i, text := range []string{a, b} {
		if json.Unmarshal([]byte(text), &values[i]) != nil {
			return a == b
		}
	}
	return fmt.Sprint(plainValue(values[0])) == fmt.Sprint(plainValue(values[1]))
}

func plainValue(v any) any {
	switch v := v.(type) {
	case []any:
		if len(v) == 1 {
			return plainValue(v[0])
		}
		for i := range v {
			v[i] = plainValue(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plainValue(v[name])
		}
	}
	return v
}

// functionPolicies plans the function's policy, as several where it is too long
// for one. What a mark of other buckets stands for is never taken out.
func (p *planner) functionPolicies() {
	wanted := FunctionPolicy(p.Table, p.Account, p.Region, p.names.DeadLetters)
	mark := p.mark()
	var have []RAMPolicy
	var marked []Policy
	for i := 1; ; i++ {
		policy, there := p.found.Policies[numbered(p.names.Role, i)]
		if !there {
			break
		}
		have = append(have, policy)
		if p.owns(policy.Description) {
			marked = append(marked, policy.Document)
			mark.Buckets = union(mark.Buckets, p.others(policy.Description))
		}
	}
	others := len(mark.Buckets) > len(p.Buckets())
	if others {
		wanted = wanted.keep(marked)
	}
	parts := wanted.split(maxPolicy)
	var items []Item
	for i, part := range parts {
		before := len(p.plan.Items)
		p.policy(numbered(p.names.Role, i+1), p.names.Role, part, mark)
		items = append(items, p.plan.Items[before:]...)
		p.plan.Items = p.plan.Items[:before]
	}
	if others {
		items[0].Notes = append(items[0].Notes,
			"keeps the domains of buckets that the table does not name, unless with --adopt; "+
				"its buckets: "+strings.Join(mark.Buckets, ", "))
	}
	if len(parts) >= len(have) {
		slices.Reverse(items) // what moves into a later part is there first
	}
	p.plan.Items = append(p.plan.Items, items...)
	for i := len(have); i > len(parts); i-- {
		if extra := have[i-1]; p.owns(extra.Description) {
			p.add(Item{
				Kind: kindPolicy, Name: extra.Name, State: Remove,
				Notes: []string{"the policy is short enough without it"},
				Calls: p.dropPolicy(extra, p.names.Role),
			})
		}
	}
}

func (p *planner) triggerPolicy() {
	wanted := triggerPolicy(p.Account, p.Region, p.names.Function)
	p.policy(p.names.TriggerRole, p.names.TriggerRole, wanted, p.mark())
}

// policy plans one policy and its attachment to a role.
func (p *planner) policy(name, role string, wanted Policy, mark Mark) {
	attach := rpc(RAM, "AttachPolicyToRole",
		"PolicyType", "Custom", "PolicyName", name, "RoleName", role,
	).orDone("EntityAlreadyExists.Role.Policy")
	attached := slices.Contains(p.found.Roles[role].Attached, name)
	have, there := p.found.Policies[name]
	its, made := p.found.Roles[role]
	foreign := made && !p.Adopt && !p.owns(its.Description)
	if foreign && !attached && (!there || p.owns(have.Description)) {
		p.withhold(kindPolicy, name, "is not attached to the role, which is foreign")
		return
	}
	if !there {
		create := rpc(RAM, "CreatePolicy",
			"PolicyName", name, "PolicyDocument", wanted.String(), "Description", mark.String(),
		).orDone("EntityAlreadyExists.Policy")
		p.create(kindPolicy, name, create, attach)
		return
	}
	var differs []string
	var calls []Call
	is, want := grants(have.Document), grants(wanted)
	for _, name := range lacking(want, is) {
		differs = append(differs, "lacks "+name)
	}
	for _, name := range lacking(is, want) {
		differs = append(differs, "has "+name)
	}
	if len(differs) > 0 {
		calls = append(calls, rpc(RAM, "CreatePolicyVersion",
			"PolicyName", name, "PolicyDocument", wanted.String(), "SetAsDefault", "true",
			"RotateStrategy", "DeleteOldestNonDefaultVersionWhenLimitExceeded"))
	}
	if have.Description != mark.String() {
		calls = append(calls, rpc(RAM, "UpdatePolicyDescription",
			"PolicyName", name, "NewDescription", mark.String()))
	}
	if !attached {
		differs = append(differs, "is not attached to the role")
		calls = append(calls, attach)
	}
	p.decide(kindPolicy, name, p.owns(have.Description), differs, calls)
}

// dropPolicy detaches a policy and deletes it with its versions.
func (p *planner) dropPolicy(policy RAMPolicy, role string) []Call {
	var calls []Call
	if slices.Contains(p.found.Roles[role].Attached, policy.Name) {
		calls = append(calls, rpc(RAM, "DetachPolicyFromRole",
			"PolicyType", "Custom", "PolicyName", policy.Name, "RoleName", role,
		).orDone("EntityNotExist.Role.Policy"))
	}
	for _, version := range policy.Old {
		calls = append(calls, rpc(RAM, "DeletePolicyVersion",
			"PolicyName", policy.Name, "VersionId", version,
		).orDone("EntityNotExist.Policy.Version"))
	}
	drop := rpc(RAM, "DeletePolicy", "PolicyName", policy.Name)
	return append(calls, drop.orDone("EntityNotExist.Policy"))
}

// serviceRoles are the roles by which an event stream reads the queue and
// invokes the function (EventBridge: service-linked roles), with their services.
var serviceRoles = map[string]string{
	"AliyunServiceRoleForEventBridgeSendToFC":  "sendevent-fc.eventbridge.aliyuncs.com",
	"AliyunServiceRoleForEventBridgeSendToMNS": "sendevent-mns.eventbridge.aliyuncs.com",
}

func (p *planner) serviceRoles() {
	if !p.Burst {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(serviceRoles)) {
		if _, there := p.found.Roles[name]; there {
			p.add(Item{Kind: kindServiceRole, Name: name, State: There})
			continue
		}
		create := rpc(ResourceManager, "CreateServiceLinkedRole",
			"ServiceName", serviceRoles[name])
		p.create(kindServiceRole, name, create.orDone("EntityAlreadyExists.Role"))
	}
}

// eventTypes are those that change what a CDN serves, as a rule spells them.
var eventTypes = []string{
	"ObjectCreated:PutObject", "ObjectCreated:PostObject", "ObjectCreated:CopyObject",
	"ObjectCreated:AppendObject", "ObjectCreated:PutSymlink",
	"ObjectCreated:CompleteMultipartUpload",
	"ObjectRemoved:DeleteObject", "ObjectRemoved:DeleteObjects", "ObjectModified:UpdateObjectMeta",
}

// rules plans those of the table's buckets, and of the buckets that the mark of
// the function's role names.
func (p *planner) rules() {
	buckets := p.Buckets()
	m, marked := parseMark(p.found.Roles[p.names.Role].Description)
	if marked && m.Owner == p.Name {
		buckets = union(buckets, m.Buckets)
	}
	for _, bucket := range buckets {
		p.rule(bucket)
	}
}

// rule plans the rule of a bucket. A rule cannot be changed: it is deleted and
// made again.
func (p *planner) rule(bucket string) {
	name := p.ruleName(bucket)
	have, there := p.found.Rules[name]
	inTable := slices.Contains(p.Buckets(), bucket)
	wanted := p.Burst && inTable
	ours := have.Queue == p.names.Queue
	drop := dropRule(name)
	i := Item{Kind: KindRule, Name: name}
	switch {
	case !there && !wanted:
		return
	case !there:
		i.State, i.Calls = Create, []Call{p.makeRule(name, bucket)}
	case !ours && wanted && p.Adopt:
		i.State, i.Notes = Update, []string{"notifies " + have.Queue, "adopted"}
		i.Calls = []Call{drop, p.makeRule(name, bucket)}
	case !ours:
		i.State, i.Notes = Foreign, []string{"notifies " + have.Queue}
	case !inTable && !p.Adopt:
		i.State = Kept
		i.Notes = []string{"of a bucket that the table does not name; --adopt removes it"}
	case !wanted:
		i.State, i.Calls = Remove, []Call{drop}
	default:
		i.Notes = ruleDiffers(have, bucket)
		i.State = There
		if len(i.Notes) > 0 {
			i.State, i.Calls = Update, []Call{drop, p.makeRule(name, bucket)}
		}
	}
	if len(i.Calls) > 0 && p.HoldRules {
		i.State, i.Calls = Waits, nil
		i.Notes = []string{"until triggers that stand in its way are removed"}
	}
	if len(i.Calls) > 0 {
		p.unseen(bucket)
	}
	p.add(i)
}

// ruleDiffers compares by what must be so: how the service spells the objects of
// a bucket is not documented.
func ruleDiffers(have Rule, bucket string) []string {
	var differs []string
	for _, event := range eventTypes {
		is := func(e string) bool { return strings.TrimPrefix(e, "oss:") == event }
		if !slices.ContainsFunc(have.EventTypes, is) {
			differs = append(differs, "lacks "+event)
		}
	}
	if !strings.Contains(have.Match, bucket) {
		differs = append(differs, "is not for "+bucket)
	}
	return differs
}

// makeRule is for the whole bucket, so that a changed prefix of the table does
// not make it anew (CreateEventRule, Mns-open 2022-01-19).
func (p *planner) makeRule(name, bucket string) Call {
	text := func(v any) string {
		data, _ := json.Marshal(v)
		return string(data)
	}
	type m = map[string]string
	prefix := fmt.Sprintf("acs:oss:%s:%s:%s/", p.Region, p.Account, bucket)
	return rpc(SMQ, "CreateEventRule", "ProductName", "oss", "RuleName", name,
		"ClientToken", "", // Apply makes one
		"EventTypes", text(eventTypes),
		"MatchRules", text([][]m{{{"MatchState": "true", "Prefix": prefix, "Suffix": ""}}}),
		"Endpoint", text(m{"EndpointType": "queue", "EndpointValue": p.names.Queue}),
	).orDone("EventRuleAlreadyExist")
}

func dropRule(name string) Call {
	drop := rpc(SMQ, "DeleteEventRule", "ProductName", "oss", "RuleName", name)
	return drop.orDone("RESOURCE_NOT_FOUND")
}

// count counts things: "1 message", "2 messages".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
