package deployment

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed dashboard.yaml
var dashboardFile []byte

//go:embed alerts.yaml
var alertsFile []byte

// A Chart shows what a query finds in the log of the last while.
type Chart struct {
	Title string
	Type  string        // table or line
	Since time.Duration // before now
	X, Y  []string      // columns of the query
	Query string        // a search of Log Service, a bar, and SQL
}

// An Alert fires where its query, whose only column is c, finds more than 0.
type Alert struct {
	Name, Title          string
	Severity             int           // 4 low, 6 medium, 8 high, 10 critical
	Every, Since, Repeat time.Duration // it looks so often, so far back, and tells so seldom
	Query                string
	Burst                string // the query for bursts, where it is another one
}

// Charts returns those of the dashboard.
func Charts() []Chart {
	var file struct{ Charts []Chart }
	mustDecode(dashboardFile, &file)
	for i := range file.Charts {
		file.Charts[i].Query = oneLine(file.Charts[i].Query)
	}
	return file.Charts
}

// Alerts returns those of a path.
func Alerts(burst bool) []Alert {
	var file struct{ Alerts []Alert }
	mustDecode(alertsFile, &file)
	for i := range file.Alerts {
		a := &file.Alerts[i]
		if burst && a.Burst != "" {
			a.Query = a.Burst
		}
		a.Query = oneLine(a.Query)
	}
	return file.Alerts
}

func mustDecode(text []byte, into any) {
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		panic(err) // it is part of this program
	}
}

// oneLine puts a query on one line. None has two spaces in a row that matter.
func oneLine(query string) string { return strings.Join(strings.Fields(query), " ") }

type object = map[string]any

// dashboard is the body of CreateDashboard (Log Service API reference), with two
// charts a row.
func (s Settings) dashboard() object {
	n := s.Names()
	const width, height = 10, 8
	var charts []any
	for i, c := range Charts() {
		charts = append(charts, object{
			"title": fmt.Sprintf("%s-%d", n.Function, i+1), "type": c.Type, "action": object{},
			"search": object{
				"logstore": n.Store, "topic": "", "query": c.Query,
				"start": secondsAgo(c.Since), "end": "now",
			},
			"display": object{
				"xAxis": c.X, "yAxis": c.Y, "displayName": c.Title,
				"xPos": i % 2 * width, "yPos": i / 2 * height, "width": width, "height": height,
			},
		})
	}
	return s.marked(object{
		"dashboardName": n.Function, "displayName": n.Function,
		"attribute": object{"type": "grid"}, "charts": charts,
	})
}

func secondsAgo(d time.Duration) string { return fmt.Sprintf("-%ds", int(d.Seconds())) }

// alertName is unique in the project.
func (s Settings) alertName(a Alert) string { return s.Name + "-" + a.Name }

// alert is the body of CreateAlert (Log Service API reference). The action may be
// "": then nobody is told.
func (s Settings) alert(a Alert, action string) object {
	n := s.Names()
	return s.marked(object{
		"name": s.alertName(a), "displayName": n.Function + " " + a.Title,
		"schedule": object{"type": "FixedRate", "interval": interval(a.Every)},
		"configuration": object{
			"version": "2.0", "type": "default", "dashboard": n.Function, "threshold": 1,
			"noDataFire": false, "sendResolved": false,
			"queryList": []any{object{
				"query": a.Query, "storeType": "log", "store": n.Store, "project": n.Project,
				"region": s.Region, "timeSpanType": "Relative", "start": secondsAgo(a.Since),
				"end": "now",
			}},
			"groupConfiguration": object{"type": "no_group"},
			"severityConfigurations": []any{object{
				"severity":      a.Severity,
				"evalCondition": object{"condition": "c > 0", "countCondition": ""},
			}},
			"annotations": []any{object{"key": "title", "value": a.Title}},
			"policyConfiguration": object{
				"alertPolicyId": "sls.builtin.dynamic", "actionPolicyId": action,
				"repeatInterval": interval(a.Repeat),
			},
		},
	})
}

// interval writes a duration as Log Service does: 5m, 1h.
func interval(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// watch plans the dashboard, the alerts and whom they tell. It comes last: what
// refreshes does not depend on it.
func (p *planner) watch() {
	if p.HoldWatch || p.withoutWatch() {
		return
	}
	ours := p.found.Project == nil || p.owns(p.found.Project.Description)
	foreign := !ours && !p.Adopt
	name := p.names.Function
	body := p.dashboard()
	switch have := p.found.Dashboard; {
	case have == nil && foreign:
		p.withhold(kindDashboard, name, "is missing, in a project that is foreign")
	case have == nil:
		create := p.sls("CreateDashboard", "POST", "/dashboards", body, "DashboardAlreadyExist")
		p.create(kindDashboard, name, create)
	case !have.same(body):
		p.decide(kindDashboard, name, ours, []string{"differs from this version"},
			[]Call{p.sls("UpdateDashboard", "PUT", "/dashboards/"+name, body)})
	default:
		p.decide(kindDashboard, name, ours, nil, nil)
	}
	if foreign {
		p.withhold(kindAlerts, name, "are not made in a project that is foreign")
		return
	}
	p.alertCentre()
	action := p.notify()
	p.alerts(ours, action)
	if action == "" {
		p.note("the alerts tell nobody: give --notify dingtalk:URL, feishu:URL, wecom:URL, " +
			"webhook:URL or mail:ADDRESS")
	}
}

func (p *planner) withoutWatch() bool {
	if p.found.NoWatch == "" {
		return false
	}
	p.note("the dashboard and the alerts are left alone: the key may not " + p.found.NoWatch +
		"; ossrefresh policy --account ID --deployer prints what it needs to be allowed")
	return true
}

// sls is a call of Log Service in the deployment's project.
func (p *planner) sls(op, method, path string, body any, done ...string) Call {
	return Call{
		Service: LogService, Op: op, Project: p.names.Project, Method: method, Path: path,
		Body: body, Done: done,
	}
}

// alertCentre plans what Log Service evaluates and shows alerts with, which it
// makes once for a region of an account (InitUserAlertResource).
func (p *planner) alertCentre() {
	name := alertCentre(p.Settings)
	if p.found.AlertCentre {
		p.add(Item{Kind: kindAlertCentre, Name: name, State: There})
		return
	}
	p.create(kindAlertCentre, name, rpc(LogService, "InitUserAlertResource",
		"App", "none", "Language", "cn", "Region", p.Region))
}

// alertCentre is the project that Log Service keeps alerts in.
func alertCentre(s Settings) string { return "sls-alert-" + s.Account + "-" + s.Region }

func (p *planner) alerts(ours bool, action string) {
	var differs []string
	var calls []Call
	missing := 0
	for _, a := range Alerts(p.Burst) {
		body, name := p.alert(a, action), p.alertName(a)
		switch have := p.found.Alerts[name]; {
		case have == nil:
			missing++
			differs = append(differs, "lacks "+name)
			calls = append(calls, p.sls("CreateAlert", "POST", "/alerts", body,
				"JobAlreadyExist", "AlertAlreadyExist"))
		case !have.same(body):
			differs = append(differs, name+" differs")
			calls = append(calls, p.sls("UpdateAlert", "PUT", "/alerts/"+name, body))
		}
	}
	if missing > 0 && len(p.found.Alerts) == 0 {
		p.create(kindAlerts, p.names.Function, calls...)
		return
	}
	p.decide(kindAlerts, p.names.Function, ours, differs, calls)
}

// removeWatch plans to remove what watch has made, the alerts last: they tell
// which recipient is theirs.
func (p *planner) removeWatch() {
	if p.withoutWatch() || p.found.Project == nil {
		return
	}
	ours := p.owns(p.found.Project.Description)
	name := p.names.Function
	remove := func(kind, name string, calls ...Call) {
		i := Item{Kind: kind, Name: name, State: Remove, Calls: calls}
		if !ours {
			i.State, i.Calls = Foreign, nil
		}
		p.add(i)
	}
	if p.found.Dashboard != nil {
		drop := p.sls("DeleteDashboard", "DELETE", "/dashboards/"+name, nil, notThere...)
		remove(kindDashboard, name, drop)
	}
	if ours {
		p.removeRecipient()
	}
	var calls []Call
	for _, a := range Alerts(p.Burst) {
		if alert := p.alertName(a); p.found.Alerts[alert] != nil {
			drop := p.sls("DeleteAlert", "DELETE", "/alerts/"+alert, nil, notThere...)
			calls = append(calls, drop)
		}
	}
	if len(calls) > 0 {
		remove(kindAlerts, name, calls...)
	}
}

// notThere are the codes by which Log Service says that something is not there.
// No document lists those of dashboards, alerts and records.
var notThere = []string{
	"DashboardNotExist", "JobNotExist", "AlertNotExist", "ResourceRecordNotExist",
}

// marked adds a description to a body: whose it is, and what it says in short. By
// that it is known again: how the service spells what it was sent is not
// documented, and who changes a chart or an alert in the console keeps that.
func (s Settings) marked(body object) object {
	data, _ := json.Marshal(body)
	body["description"] = s.watchMark() + short(string(data))
	return body
}

func (s Settings) watchMark() string { return markBegins + s.Name + "; " }

// same reports whether what there is was made from the body.
func (a Answer) same(body object) bool { return a.text("description") == body["description"] }

// readWatch looks at the dashboard, the alerts and whom these tell. Who may not is
// told so, and goes without: what refreshes does not depend on it.
func (r *reader) readWatch(n Names) {
	r.alertCentre()
	if r.found.Project != nil {
		r.dashboardAndAlerts(n)
	}
	var e *Error
	if errors.As(r.err, &e) && e.Refused() {
		r.found.NoWatch, r.err = e.Op, nil
	}
}

func (r *reader) dashboardAndAlerts(n Names) {
	s := r.settings
	get := func(op, path string) Answer {
		c := Call{Service: LogService, Op: op, Project: n.Project, Method: "GET", Path: path}
		answer, _ := r.ask(c)
		return answer
	}
	r.found.Dashboard = get("GetDashboard", "/dashboards/"+n.Function)
	r.found.Alerts = map[string]Answer{}
	told := false
	for _, a := range Alerts(s.Burst) {
		name := s.alertName(a)
		if alert := get("GetAlert", "/alerts/"+name); alert != nil {
			r.found.Alerts[name] = alert
			policy := alert.object("configuration").object("policyConfiguration")
			told = told || policy.text("actionPolicyId") == s.recipientID()
		}
	}
	if told || s.Notify != (Notify{}) {
		r.recipient()
	}
}

func (r *reader) alertCentre() {
	c := Call{
		Service: LogService, Op: "GetProject", Project: alertCentre(r.settings),
		Method: "GET", Path: "/",
	}
	_, r.found.AlertCentre = r.ask(c)
}

func (p *planner) note(text string) {
	if !slices.Contains(p.plan.Notes, text) {
		p.plan.Notes = append(p.plan.Notes, text)
	}
}
