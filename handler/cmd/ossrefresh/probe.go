package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/handler/probe"
	"oss-cdn-refresh/mapping"
)

type probeCommand struct {
	tableFlag
	Domain  string        `required:"" help:"The domain, which the table has."`
	Bucket  string        `required:"" help:"Its bucket."`
	Prefix  string        `placeholder:"P" help:"Where to put the objects: below P/oss-cdn-refresh-probe-TIME/. Default: the prefix of the rule."`
	Edge    string        `placeholder:"HOST[:PORT]" help:"Ask this node, not the one that DNS gives. Plain HTTP on loopback, HTTPS elsewhere."`
	Live    bool          `help:"Do it. Without, nothing is asked of anybody."`
	Redact  bool          `help:"Hide the domain, the bucket, the prefix and the node in the plan, the answers and the report."`
	Report  string        `placeholder:"FILE" help:"Where to write the answers as Markdown. Default: oss-cdn-refresh-probe-TIME.md."`
	Timeout time.Duration `default:"30m" help:"When to give up."`

	// dial, unless nil, connects in place of the network.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (*probeCommand) Help() string {
	return `Experiments on a domain of yours, which settle what no document tells: which spellings of a name the edge keeps apart, what a directory drops with and without Force, whether a 404 is kept, how long a refresh takes, and so on. At the end stands what to write into the table.

It puts small objects into one folder of the bucket, lets the edge have them, changes them, refreshes, and watches what becomes of the copies. The objects are removed at the end, also after an interruption; a second one leaves them. It lasts about twice as long as a refresh, and a little: 13 minutes where one takes 6.

The credentials are read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN. They need oss:PutObject, oss:GetObject and oss:DeleteObject (where the bucket keeps versions, oss:DeleteObjectVersion) on the folder, and what refresh, tasks and quota need. FC_REGION is the region of the bucket, cn-hangzhou where it is not set.

Examples:

    ossrefresh probe --domain www.example.com --bucket my-site
    ossrefresh probe --domain www.example.com --bucket my-site --live`
}

func (cmd *probeCommand) Run(ctx context.Context, c *console) error {
	node, site, table, err := cmd.check()
	if err != nil {
		return err
	}
	plan := probe.NewPlan(site)
	hide := probe.WithoutAccount
	if cmd.Redact {
		redact := probe.Redaction(site, string(node))
		hide = func(text string) string { return redact(probe.WithoutAccount(text)) }
	}
	if !cmd.Live {
		doc := probe.Planned(plan)
		return c.show(cmd.finish(doc, node, hide))
	}
	run, err := cmd.newRun(c, plan, node, table.Refresh)
	if err != nil {
		return err
	}
	secrets := aliyun.CredentialsFrom(c.getenv)
	visible := hide
	hide = func(text string) string {
		text = secrets.Hide(text)
		if secrets.AccessKeyID != "" {
			text = strings.ReplaceAll(text, secrets.AccessKeyID, "***")
		}
		return visible(text)
	}
	file, err := cmd.create(site)
	if err != nil {
		return err
	}
	seen, failure := run.Do(ctx)
	run.Edge.(*edge.Client).Close()
	c.showProgress("")
	doc := cmd.finish(probe.Found(seen), node, hide)
	if failure != nil && seen.Empty() {
		file.Close()
		os.Remove(file.Name()) // there are no answers
		return errors.Join(failed(failure, hide), doc.failure())
	}
	doc.Written = file.Name()
	err = writeReport(file, doc.Report)
	return errors.Join(c.show(doc), failed(failure, hide), doc.failure(), err)
}

// check refuses what does not go together.
func (cmd *probeCommand) check() (edge.Node, probe.Site, *mapping.Table, error) {
	var site probe.Site
	if err := checkTimeout(cmd.Timeout); err != nil {
		return "", site, nil, err
	}
	node, err := edge.ParseNode(cmd.Edge)
	if err != nil {
		return "", site, nil, misuse(fmt.Errorf("--edge: %w", err),
			"give an address such as 203.0.113.7, or 127.0.0.1:8080")
	}
	if strings.HasPrefix(cmd.Prefix, "/") {
		err := fmt.Errorf("--prefix: %q begins with a slash, which no key does", cmd.Prefix)
		return "", site, nil, misuse(err, "give one such as www/")
	}
	table, err := cmd.load()
	if err != nil {
		return "", site, nil, err
	}
	domain := strings.ToLower(cmd.Domain)
	site, err = probe.NewSite(table, cmd.Bucket, domain, cmd.Prefix, time.Now())
	if err != nil {
		return "", site, nil, hint(err, "give a bucket and a domain of one rule, "+
			"and with --prefix one that the rule is for")
	}
	if site.Product != mapping.DCDN && site.Product != mapping.CDN {
		return "", site, nil, fmt.Errorf("%s is of product %s; probe knows dcdn and cdn",
			site.Domain, site.Product)
	}
	return node, site, table, nil
}

// newRun wires a run to OSS, the edge and the API.
func (cmd *probeCommand) newRun(
	c *console, plan probe.Plan, node edge.Node, r mapping.Refresh,
) (*probe.Run, error) {
	creds, err := credentialsFrom(c.getenv, "")
	if err != nil {
		return nil, err
	}
	client, err := aliyun.ClientFrom(c.getenv, handler.Version())
	if err != nil {
		return nil, err
	}
	objects, err := storeFrom(c.getenv, func(config *oss.Config) {
		if cmd.dial != nil {
			transport := &http.Transport{DialContext: cmd.dial, DisableKeepAlives: true}
			config.WithHttpClient(&http.Client{Transport: transport})
		}
	})
	if err != nil {
		return nil, err
	}
	visitor := &edge.Client{Node: node, Dial: cmd.dial}
	if cmd.dial != nil {
		client.DialWith(cmd.dial)
	} else {
		visitor.Dial = pin((&net.Dialer{Timeout: 10 * time.Second}).DialContext)
	}
	return &probe.Run{
		Plan:     plan,
		Bucket:   newProbeBucket(objects, plan.Site.Bucket),
		Edge:     visitor,
		API:      newProbeAPI(client, creds, plan.Site.Product, r),
		Timeout:  cmd.Timeout,
		Progress: c.showProgress,
	}, nil
}

// pin connects to the address of the first connection whenever there is another:
// DNS may give another node, which has no copy.
func pin(
	dial func(ctx context.Context, network, address string) (net.Conn, error),
) func(ctx context.Context, network, address string) (net.Conn, error) {
	var mu sync.Mutex
	first := ""
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if first != "" {
			address = first
		}
		c, err := dial(ctx, network, address)
		if err == nil {
			first = c.RemoteAddr().String()
		}
		return c, err
	}
}

// create opens the report before anything is done, so that answers are not lost.
func (cmd *probeCommand) create(site probe.Site) (*os.File, error) {
	name := cmd.Report
	if name == "" {
		_, folder, _ := strings.Cut(site.Folder, probe.FolderPrefix)
		name = probe.FolderPrefix + strings.TrimSuffix(folder, "/") + ".md"
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		err = fmt.Errorf("writing the report: %w", err)
		return nil, hint(err, "name another file with --report")
	}
	return file, nil
}

func writeReport(file *os.File, r probe.Report) error {
	_, err := file.WriteString(printable(r.Markdown()))
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// failed words why a run did not come to its end.
func failed(err error, hide func(string) string) error {
	if err == nil {
		return nil
	}
	worded := errors.New(hide(err.Error()))
	short, notShown := (*probe.ShortError)(nil), (*probe.NotShownError)(nil)
	switch {
	case errors.As(err, &notShown):
		return hint(worded, "is the bucket the origin of the domain, "+
			"and does the table say where it is shown? Nothing was refreshed")
	case errors.Is(err, probe.ErrTimeout):
		return hint(worded, "give a longer --timeout; a probe lasts twice as long as a refresh")
	case errors.As(err, &short):
		return hint(worded, "run it another day")
	}
	return worded
}

// finish adds what the command knows.
func (cmd *probeCommand) finish(
	r probe.Report, node edge.Node, hide func(string) string,
) probeDocument {
	r.Version, r.Edge = handler.Version(), string(node)
	r.Rewrite(hide)
	return probeDocument{Report: r}
}

// A probeDocument is a report for people.
type probeDocument struct {
	probe.Report
	Written string `json:"written,omitempty"` // the file of Markdown
}

// failure tells what was left behind.
func (d probeDocument) failure() error {
	if len(d.Left) == 0 {
		return nil
	}
	left := plural(len(d.Left), "object")
	err := fmt.Errorf("%s could not be removed: %s", left, shownKeys(d.Left))
	return hint(err, "remove them by hand")
}

func shownKeys(keys []string) string {
	var all []string
	for _, key := range keys {
		all = append(all, shown(key))
	}
	return strings.Join(all, ", ")
}

func (d probeDocument) text(p *page) {
	if !d.Live {
		d.plan(p)
		return
	}
	p.title("ANSWERS: %s and bucket %s", d.Domain, d.Bucket)
	var rows [][]string
	for _, a := range d.Answers {
		rows = append(rows, []string{strings.ReplaceAll(string(a.ID), "_", " "), a.Answer})
	}
	p.rows(rows)
	if len(d.Settings) > 0 {
		p.title("TABLE: what to write into it")
		rows = nil
		for _, s := range d.Settings {
			rows = append(rows, []string{s.Setting, s.Because})
		}
		p.rows(rows)
	}
	p.line("")
	d.notes(p)
	p.line("One node answered; others may do otherwise.")
	p.line("Written to %s.", shown(d.Written))
}

func (d probeDocument) plan(p *page) {
	p.title("PLAN: nothing is asked of anybody without --live")
	for _, e := range d.Experiments {
		p.line("  %s", e.Question)
		p.line("      %s; costs %s", e.Does, e.Cost)
	}
	p.title("COST: at most %s", d.Cost)
	p.line("  the objects are put below %s of %s, and removed at the end",
		shown(d.Folder), shown(d.Bucket))
	p.line("  the URLs are of %s (%s)", shown(d.Domain), d.Product)
	d.notes(p)
}

func (d probeDocument) notes(p *page) {
	for _, note := range d.Notes {
		p.line("Note: %s.", note)
	}
}
