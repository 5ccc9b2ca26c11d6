package deployment

import (
	"slices"
	"strings"
)

// NewRemoval plans to undo a deployment: what carries its mark, roles after the
// policies that they have. A log project and a queue that holds messages stay.
func NewRemoval(s Settings, f Found) Plan {
	p := &planner{Settings: s, found: f, names: s.Names()}
	for _, bucket := range union(s.Buckets(), p.others(f.Roles[p.names.Role].Description)) {
		p.removeRule(s.ruleName(bucket))
	}
	if s.Role == "" {
		p.removePolicies()
		p.removeRole(p.names.TriggerRole)
		p.removeRole(p.names.Role)
	}
	var removed []string
	for _, q := range p.queues() {
		if p.removeQueue(q.name, q.key) {
			removed = append(removed, q.key)
		}
	}
	p.removeWatch()
	p.keepLogs(removed)
	return p.plan
}

func (p *planner) removeRule(name string) {
	have, there := p.found.Rules[name]
	switch {
	case !there:
	case have.Queue != p.names.Queue:
		p.add(Item{Kind: KindRule, Name: name, State: Foreign})
	default:
		p.add(Item{Kind: KindRule, Name: name, State: Remove, Calls: []Call{dropRule(name)}})
	}
}

func (p *planner) removePolicies() {
	names := []string{p.names.TriggerRole}
	for i := 1; ; i++ {
		if _, there := p.found.Policies[numbered(p.names.Role, i)]; !there {
			break
		}
		names = append(names, numbered(p.names.Role, i))
	}
	slices.Reverse(names) // the last part first: what is left is found by counting
	for _, name := range names {
		have, there := p.found.Policies[name]
		role := p.names.Role
		if name == p.names.TriggerRole {
			role = name
		}
		switch {
		case !there:
		case !p.owns(have.Description):
			p.add(Item{Kind: kindPolicy, Name: name, State: Foreign})
		default:
			calls := p.dropPolicy(have, role)
			p.add(Item{Kind: kindPolicy, Name: name, State: Remove, Calls: calls})
		}
	}
}

func (p *planner) removeRole(name string) {
	have, there := p.found.Roles[name]
	if !there {
		return
	}
	foreign := slices.DeleteFunc(slices.Clone(have.Attached), func(policy string) bool {
		return p.owns(p.found.Policies[policy].Description)
	})
	switch {
	case !p.owns(have.Description):
		p.add(Item{Kind: kindRole, Name: name, State: Foreign})
	case len(foreign) > 0:
		note := "has other policies: " + strings.Join(foreign, ", ")
		p.add(Item{Kind: kindRole, Name: name, State: Kept, Notes: []string{note}})
	default:
		drop := rpc(RAM, "DeleteRole", "RoleName", name).orDone("EntityNotExist.Role")
		p.add(Item{Kind: kindRole, Name: name, State: Remove, Calls: []Call{drop}})
	}
}

// removeQueue reports whether the queue goes.
func (p *planner) removeQueue(name, key string) bool {
	have, there := p.found.Queues[name]
	i := Item{Kind: kindQueue, Name: name, State: Remove}
	switch {
	case !there:
		return p.ownsQueue(key)
	case !p.ownsQueue(key):
		i.State = Foreign
	case have.Messages > 0:
		i.State, i.Notes = Kept, []string{"holds " + count(have.Messages, "message")}
	default:
		i.Calls = []Call{rpc(SMQ, "DeleteQueue", "QueueName", name).orDone("QueueNotExist")}
	}
	p.add(i)
	return i.State == Remove
}

// keepLogs takes the queues that are gone out of the project's mark.
func (p *planner) keepLogs(removed []string) {
	if p.found.Project == nil {
		return
	}
	i := Item{
		Kind: kindProject, Name: p.names.Project, State: Kept,
		Notes: []string{"a log project is never removed"},
	}
	m, ok := parseMark(p.found.Project.Description)
	if ok && m.Owner == p.Name && len(removed) > 0 {
		m.Owns = slices.DeleteFunc(m.Owns, func(key string) bool {
			return slices.Contains(removed, key)
		})
		i.Calls = []Call{{
			Service: LogService, Op: "UpdateProject", Project: p.names.Project,
			Method: "PUT", Path: "/",
			Body: map[string]any{"projectName": p.names.Project, "description": m.String()},
		}}
	}
	p.add(i)
}
