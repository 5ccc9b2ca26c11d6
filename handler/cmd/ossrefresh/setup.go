package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/deployment"
)

type setupCommand struct {
	tableFlag
	Live        bool          `help:"Bring it about; without it, it is only shown."`
	Burst       bool          `help:"For buckets that publish in bursts: OSS notifies a queue, and a stream hands it on in batches."`
	Name        string        `placeholder:"NAME" help:"What the names begin with. Default: OSSREFRESH_NAME, or oss-cdn-refresh."`
	Notify      string        `placeholder:"KIND:TO" help:"Whom alerts tell: dingtalk:URL, feishu:URL, wecom:URL, webhook:URL or mail:ADDRESS. It stays until another one is given."`
	Adopt       bool          `help:"Take over what is there and was not made by this command."`
	Role        string        `placeholder:"ARN" help:"The function's role, made by somebody else. With it, no role is looked at or made."`
	TriggerRole string        `name:"trigger-role" placeholder:"ARN" help:"The trigger's role, likewise."`
	Print       string        `enum:",admin,account,triggers" default:"" placeholder:"admin" help:"admin: print the roles and policies for an administrator to make, and change nothing."`
	Remove      bool          `help:"Undo it: remove what this command has made, but logs and queues that hold messages."`
	Write       string        `placeholder:"FILE" help:"Also write what Serverless Devs is to deploy: s.yaml with a trigger for each bucket and prefix of the table."`
	Timeout     time.Duration `default:"5m" help:"When to give up."`

	// Of scripts/deploy, which removes triggers and deploys the function in between.
	HoldRules bool      `name:"hold-rules" hidden:""`
	HoldWatch bool      `name:"hold-watch" hidden:""`
	From      time.Time `hidden:""`
}

func (*setupCommand) Help() string {
	return `It shows a line for each resource: there, create, update, remove, kept, or foreign, which is what was not made by this command. What is foreign is left alone. The exit status is 1 if anything is missing.

The region is that of FC_REGION, cn-hangzhou if it is not set. The credentials are those of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN; ossrefresh policy --account ID --deployer prints what they need to be allowed.

Examples:

    ossrefresh setup
    ossrefresh setup --live --burst
    ossrefresh setup --print admin`
}

func (cmd *setupCommand) Run(ctx context.Context, c *console) error {
	if err := checkTimeout(cmd.Timeout); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	settings, cloud, err := cmd.settings(ctx, c)
	if err != nil {
		return err
	}
	if cmd.Print == "account" {
		_, err := fmt.Fprintln(c.out, settings.Account)
		return err
	}
	doc := newSetup(settings, cmd.Live)
	doc.brief = !cmd.From.IsZero() // it follows one that was not
	if cmd.Print == "admin" {
		return c.show(newAdmin(ofRAM(deployment.NewPlan(settings, deployment.Found{}))))
	}
	found, err := deployment.Read(ctx, cloud, settings)
	if err != nil {
		return cmd.stopped(c, doc, settings, err)
	}
	if cmd.Print == "triggers" {
		template, _ := os.ReadFile("s.yaml") // without it, there are no triggers of it
		stale := deployment.StaleTriggers(settings, found, deployment.OSSTriggers(template))
		_, err := fmt.Fprintln(c.out, strings.Join(stale, ","))
		return err
	}
	if cmd.Write != "" {
		if err := writeS(settings, cmd.Write); err != nil {
			return err
		}
	}
	plan := deployment.NewPlan(settings, found)
	if cmd.Remove {
		plan = deployment.NewRemoval(settings, found)
		doc.Removal = true
	}
	doc.add(plan)
	if !cmd.Live {
		return errors.Join(c.show(doc), doc.failure())
	}
	return cmd.apply(ctx, c, doc, settings, cloud, plan)
}

// settings are those of the command line, the environment and the account.
func (cmd *setupCommand) settings(
	ctx context.Context, c *console,
) (deployment.Settings, deployment.Caller, error) {
	s := deployment.Settings{
		Name: nameFrom(cmd.Name, c.getenv), Region: regionFrom(c.getenv), Account: "0",
		Burst: cmd.Burst, Role: cmd.Role, TriggerRole: cmd.TriggerRole, Adopt: cmd.Adopt,
		HoldRules: cmd.HoldRules, HoldWatch: cmd.HoldWatch,
	}
	table, err := cmd.load()
	if err != nil {
		return s, nil, err
	}
	s.Table = table
	if cmd.Notify != "" {
		if s.Notify, err = deployment.ParseNotify(cmd.Notify); err != nil {
			return s, nil, misuse(fmt.Errorf("--notify: %w", err), "run ossrefresh setup --help")
		}
	}
	if err := s.Validate(); err != nil {
		return s, nil, misuse(err, "run ossrefresh setup --help")
	}
	cloud, err := cloudFrom(c.getenv, s.Region)
	if err != nil {
		return s, nil, err
	}
	if s.Account, err = deployment.Account(ctx, cloud); err != nil {
		return s, nil, explained(fmt.Errorf("asking whose the credentials are: %w", err))
	}
	return s, cloud, s.Validate()
}

func nameFrom(flag string, getenv func(string) string) string {
	return cmp.Or(flag, getenv("OSSREFRESH_NAME"), deployment.DefaultName)
}

func regionFrom(getenv func(string) string) string {
	return cmp.Or(getenv("FC_REGION"), "cn-hangzhou")
}

// cloudFrom returns a caller of the real services, or of the host that
// CLOUD_ENDPOINT names.
func cloudFrom(getenv func(string) string, region string) (*deployment.Cloud, error) {
	credentials, err := credentialsFrom(getenv, "--deployer")
	if err != nil {
		return nil, err
	}
	cloud, err := deployment.NewCloud(getenv("CLOUD_ENDPOINT"), region, credentials)
	if err != nil {
		return nil, fmt.Errorf("CLOUD_ENDPOINT: %w", err)
	}
	return cloud, nil
}

// writeS writes the file that Serverless Devs deploys.
func writeS(settings deployment.Settings, name string) error {
	template, err := os.ReadFile("s.yaml")
	if err != nil {
		return hint(fmt.Errorf("reading what to deploy: %w", err), "run it where s.yaml is")
	}
	text, err := settings.WriteS(template)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o666)
}

// apply makes the plan's calls, and looks at what has come of them.
func (cmd *setupCommand) apply(
	ctx context.Context, c *console, doc *setup,
	settings deployment.Settings, cloud deployment.Caller, plan deployment.Plan,
) error {
	begun := time.Now()
	done, err := plan.Apply(ctx, shownCalls{cloud, c})
	c.showProgress("")
	doc.done(done, err)
	if err != nil {
		return cmd.stopped(c, doc, settings, err)
	}
	if cmd.Remove {
		return c.show(doc)
	}
	found, left, err := deployment.Verify(ctx, cloud, settings)
	if err != nil {
		return cmd.stopped(c, doc, settings, err)
	}
	doc.readBack(found)
	if len(plan.Unseen) > 0 {
		doc.unseen(plan.Unseen, settings.Burst, earlier(cmd.From, begun), time.Now())
	}
	doc.Missing = left.Missing()
	return errors.Join(c.show(doc), doc.failure())
}

func earlier(from, begun time.Time) time.Time {
	if from.IsZero() || begun.Before(from) {
		return begun
	}
	return from
}

// shownCalls show on a terminal how far they are.
type shownCalls struct {
	deployment.Caller
	console *console
}

func (s shownCalls) Call(
	ctx context.Context, call deployment.Call,
) (deployment.Answer, error) {
	s.console.showProgress("setup: %s %s", call.Service, call.Op)
	return s.Caller.Call(ctx, call)
}

// stopped shows how far it came, and what helps. Where RAM refuses, that is what
// an administrator has to make.
func (cmd *setupCommand) stopped(
	c *console, doc *setup, settings deployment.Settings, err error,
) error {
	var e *deployment.Error
	if errors.As(err, &e) && refusedByRAM(e) {
		calls := doc.rest
		if len(calls) == 0 { // it was refused to look: then nothing may be there
			calls = ofRAM(deployment.NewPlan(settings, deployment.Found{}))
		}
		doc.Admin = newAdmin(calls)
	}
	if doc.Admin != nil || len(doc.Resources) > 0 {
		if shown := c.show(doc); shown != nil {
			return shown
		}
	}
	return explained(err)
}

// ofRAM are the calls that an administrator can make for somebody.
func ofRAM(plan deployment.Plan) []deployment.Call {
	return plan.Calls(deployment.RAM, deployment.ResourceManager)
}

func refusedByRAM(e *deployment.Error) bool {
	return e.Refused() && (e.Service == deployment.RAM || e.Service == deployment.ResourceManager)
}

// explained gives an error of a service the hint that helps.
func explained(err error) error {
	var e *deployment.Error
	if !errors.As(err, &e) {
		return err
	}
	page := e.Activation()
	switch {
	case e.Op == "CreateEventRule" && !e.Refused() && !e.Retryable():
		return hint(err, "a trigger or a rule for the same bucket may stand in its way: "+
			"scripts/deploy --burst removes the function's triggers first")
	case page != "":
		return hint(err, "activate the service at "+page)
	case refusedByRAM(e):
		return hint(err, "let an administrator make what stands above "+
			"(or ossrefresh setup --print admin), then give --role ARN --trigger-role ARN")
	case e.Refused():
		return hint(err, "ossrefresh policy --account ID --deployer prints what the key needs to be allowed")
	case e.Retryable():
		return hint(err, "run the same command again; it goes on where it stopped")
	}
	return err
}

// A setup is what a deployment has and needs beside the function.
type setup struct {
	Name      string         `json:"name"`
	Account   string         `json:"account"`
	Region    string         `json:"region"`
	Burst     bool           `json:"burst"`
	Live      bool           `json:"live"`
	Removal   bool           `json:"removal"`
	Resources []resource     `json:"resources"`
	Missing   int            `json:"missing"`
	Rules     []rule         `json:"rules"`  // as the service has them, where they were just made
	Unseen    []gap          `json:"unseen"` // changes that nothing has seen
	Notes     []string       `json:"notes"`  // what the operator is to know beside it
	Admin     administration `json:"admin,omitempty"`

	brief bool              // the text is to say only what is not as it should be
	rest  []deployment.Call // of RAM, that were not made
	plan  deployment.Plan
}

// A resource is one of a deployment's.
type resource struct {
	Kind  string   `json:"kind"`
	Name  string   `json:"name"`
	State string   `json:"state"`
	Notes []string `json:"notes"`
}

// A rule is an event rule, as it was read back.
type rule struct {
	Name  string `json:"name"`
	Match string `json:"match"` // which objects, in the service's words
	Queue string `json:"queue"`
}

// A gap is a time in which a bucket's changes are not seen.
type gap struct {
	Bucket string     `json:"bucket"`
	From   time.Time  `json:"from"`
	Until  *time.Time `json:"until"` // null: until the triggers are deployed
}

func newSetup(s deployment.Settings, live bool) *setup {
	return &setup{
		Name: s.Name, Account: s.Account, Region: s.Region, Burst: s.Burst, Live: live,
		Resources: []resource{}, Rules: []rule{}, Unseen: []gap{}, Notes: []string{},
	}
}

func (d *setup) add(plan deployment.Plan) {
	d.plan, d.Missing = plan, plan.Missing()
	d.Notes = append(d.Notes, plan.Notes...)
	for _, i := range plan.Items {
		notes := append([]string{}, i.Notes...)
		d.Resources = append(d.Resources, resource{i.Kind, i.Name, string(i.State), notes})
	}
}

// made are the states of what is done.
var made = map[deployment.State]string{
	deployment.Create: "created", deployment.Update: "updated", deployment.Remove: "removed",
}

// done says what became of the first n resources, and of the next one where that
// failed.
func (d *setup) done(n int, err error) {
	for i, item := range d.plan.Items {
		switch word, changes := made[item.State]; {
		case i < n && changes:
			d.Resources[i].State = word
		case i == n && err != nil:
			d.Resources[i].State = "failed"
		}
	}
	var failed *deployment.StepError
	if errors.As(err, &failed) {
		left := slices.Clone(d.plan.Items[n:])
		left[0].Calls = failed.Left
		d.rest = ofRAM(deployment.Plan{Items: left})
	}
}

// readBack says how the service has what was just made and is not documented in
// full.
func (d *setup) readBack(found deployment.Found) {
	for _, r := range d.Resources {
		have, there := found.Rules[r.Name]
		made := r.State == "created" || r.State == "updated"
		if there && made && r.Kind == deployment.KindRule {
			d.Rules = append(d.Rules, rule{have.Name, have.Match, have.Queue})
		}
	}
}

// ruleDelay is about how long a new rule takes (Simple Message Queue: create a
// rule to generate OSS event notifications).
const ruleDelay = 10 * time.Minute

func (d *setup) unseen(buckets []string, begins bool, from, now time.Time) {
	for _, bucket := range buckets {
		g := gap{Bucket: bucket, From: from.UTC().Truncate(time.Second)}
		if begins {
			until := now.UTC().Add(ruleDelay).Truncate(time.Second)
			g.Until = &until
		}
		d.Unseen = append(d.Unseen, g)
	}
}

// failure tells what is missing.
func (d *setup) failure() error {
	differs := func(r resource) bool {
		return r.State == string(deployment.Foreign) && len(r.Notes) > 0
	}
	resources := plural(d.Missing, "resource")
	switch {
	case d.Missing == 0 || d.Removal:
		return nil
	case slices.ContainsFunc(d.Resources, differs):
		return hint(fmt.Errorf("%s missing or different", resources),
			"--adopt takes over what is foreign, with --live")
	case d.Live:
		return hint(fmt.Errorf("%s not as they were made", resources),
			"run it again in a minute: what was just made may not be known everywhere")
	}
	return hint(fmt.Errorf("%s missing", resources), "run it with --live to bring it about")
}

func (d *setup) text(p *page) {
	path := "an invocation for each upload"
	if d.Burst {
		path = "bursts, through a queue"
	}
	if !d.brief {
		p.line("%s in %s, account %s: %s", d.Name, d.Region, d.Account, path)
	}
	for _, r := range d.Resources {
		if d.brief && r.State == string(deployment.There) {
			continue
		}
		p.line("  %-8s  %-19s  %s", r.State, r.Kind, shown(r.Name))
		p.list(r.Notes)
	}
	if d.Removal {
		d.removal(p)
	}
	for _, note := range d.Notes {
		p.line("  note      %s", note)
	}
	for _, r := range d.Rules {
		p.title("RULE %s, as it came back", r.Name)
		p.line("  objects %s, to the queue %s", orDash(r.Match), orDash(r.Queue))
	}
	if len(d.Unseen) > 0 {
		p.title("NOT SEEN")
	}
	for _, g := range d.Unseen {
		from := g.From.Format(time.RFC3339)
		until := "the triggers are deployed"
		if g.Until != nil {
			until = g.Until.Format(time.RFC3339)
		}
		p.line("  changes of %s from %s until %s, which this makes good, but for removals:",
			g.Bucket, from, until)
		p.line("       ossrefresh refresh --live --since %s %s", from, g.Bucket)
	}
	if len(d.Admin) > 0 {
		p.title("FOR AN ADMINISTRATOR")
		d.Admin.text(p)
	}
}

func (d *setup) removal(p *page) {
	if d.Live {
		return
	}
	p.title("Nothing is removed without --live. Remove the function first:")
	p.line("  AccountID=%s AccessKeyID=$ALIBABA_CLOUD_ACCESS_KEY_ID \\", d.Account)
	p.line("    AccessKeySecret=$ALIBABA_CLOUD_ACCESS_KEY_SECRET s remove -y -t dist/s.yaml")
}

// An administration is what somebody has to make who may.
type administration []adminCall

// An adminCall is one call.
type adminCall struct {
	Service    string            `json:"service"`
	Operation  string            `json:"operation"`
	Parameters map[string]string `json:"parameters"`
	Command    string            `json:"command"` // the same, for the vendor's tool
}

func newAdmin(calls []deployment.Call) administration {
	all := administration{}
	for _, c := range calls {
		all = append(all, adminCall{string(c.Service), c.Op, c.Params, c.CLI()})
	}
	return all
}

// text has the documents for the console, and then all of it for the vendor's
// tool.
func (a administration) text(p *page) {
	for _, t := range a {
		switch t.Operation {
		case "CreateRole":
			p.line("role %s, with the trust policy", t.Parameters["RoleName"])
			jsonLines(p, t.Parameters["AssumeRolePolicyDocument"])
		case "CreatePolicy", "CreatePolicyVersion":
			p.line("policy %s", t.Parameters["PolicyName"])
			jsonLines(p, t.Parameters["PolicyDocument"])
		}
	}
	p.title("or, with the aliyun CLI:")
	for _, t := range a {
		p.line("%s", t.Command)
	}
}

func jsonLines(p *page, document string) {
	var b bytes.Buffer
	if json.Indent(&b, []byte(document), "  ", "  ") != nil {
		return
	}
	for line := range strings.Lines(b.String()) {
		p.line("  %s", strings.TrimRight(strings.TrimPrefix(line, "  "), "\n"))
	}
}
