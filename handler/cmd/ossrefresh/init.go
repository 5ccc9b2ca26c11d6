package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler/aliyun/account"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

type initCommand struct {
	tableFlag
	Overwrite bool          `help:"Write over a table that is there."`
	Bucket    []string      `sep:"none" placeholder:"NAME" help:"Only domains that show this bucket. May be repeated."`
	Domain    []string      `sep:"none" placeholder:"NAME" help:"Only this domain. May be repeated."`
	Timeout   time.Duration `default:"5m" help:"When to give up."`
}

func (*initCommand) Help() string {
	return `Asks the account for its domains of DCDN, CDN and ESA, takes those whose origin is a bucket of OSS, and writes the table that follows from their settings. Comments in it tell where each line comes from, and why a domain is not in it. Nothing of the account is changed; no settings that hold keys are asked for.

The credentials are read from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN.

Examples:

    ossrefresh init
    ossrefresh init --overwrite --bucket my-site
    ossrefresh init --mapping shop.yaml --domain shop.example.com --domain img.example.com`
}

func (cmd *initCommand) Run(ctx context.Context, c *console) error {
	if err := checkTimeout(cmd.Timeout); err != nil {
		return err
	}
	if _, err := os.Lstat(cmd.file()); err == nil && !cmd.Overwrite {
		return cmd.exists()
	}
	v, err := operatorFrom(c, "init")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	domains, refused, err := v.take(ctx, cmd.asksFor)
	if err != nil {
		return err
	}
	if err := cmd.checkDomains(domains, refused); err != nil {
		return err
	}
	if err := cmd.checkLoss(refused); err != nil {
		return err
	}
	doc := newDraft(cmd.file(), slices.DeleteFunc(read(domains), cmd.leavesOut), refused)
	err = cmd.write(doc)
	return errors.Join(c.show(doc), err)
}

func (cmd *initCommand) exists() error {
	return hint(fmt.Errorf("%s is there already", cmd.file()),
		"write over it with --overwrite, or another file with --mapping FILE")
}

// names reports whether the command line asks for a domain.
func (cmd *initCommand) names(domain string) bool {
	return len(cmd.Domain) == 0 || slices.ContainsFunc(cmd.Domain, func(name string) bool {
		return strings.EqualFold(name, domain)
	})
}

// asksFor reports whether the settings of a domain are needed.
func (cmd *initCommand) asksFor(d account.Domain) bool {
	return cmd.names(d.Name) && account.MayHaveBucket(d.Domain)
}

// leavesOut reports whether the command line leaves a domain out.
func (cmd *initCommand) leavesOut(r account.Reading) bool {
	shows := func(bucket string) bool {
		return r.Bucket == bucket || slices.Contains(r.Buckets, bucket)
	}
	return !cmd.names(r.Domain) || len(cmd.Bucket) > 0 && !slices.ContainsFunc(cmd.Bucket, shows)
}

// checkDomains makes sure that the account has the domains of the command line.
func (cmd *initCommand) checkDomains(domains []account.Domain, refused []productError) error {
	for _, name := range cmd.Domain {
		has := func(d account.Domain) bool { return strings.EqualFold(d.Name, name) }
		if slices.ContainsFunc(domains, has) {
			continue
		}
		text := "without --domain, all of them are listed"
		for _, e := range refused {
			text = e.Error() + "; " + e.hint
		}
		return hint(fmt.Errorf("the account has no domain %q of DCDN, CDN or ESA that was listed", name), text)
	}
	return nil
}

// checkLoss makes sure that a table is not written over for want of an answer. A
// product that is not activated has no domains to lose: it may be the sample's.
func (cmd *initCommand) checkLoss(refused []productError) error {
	old, err := mapping.Load(cmd.file())
	if err != nil {
		return nil // there is none, or none that anybody uses
	}
	for _, r := range refused {
		var refusal *refresh.Error
		isOff := errors.As(r.error, &refusal) && refusal.Class == refresh.StopProduct
		if !isOff && hasProduct(old, r.product) {
			return hint(fmt.Errorf("%s has domains of %s: %w", cmd.file(), r.product, r.error),
				r.hint+"\nnothing was written; --mapping FILE writes another file, without them")
		}
	}
	return nil
}

// write writes the table, if there is a rule for it and it has no fault.
func (cmd *initCommand) write(doc *draft) error {
	if !slices.ContainsFunc(doc.Domains, func(d draftDomain) bool { return d.In }) {
		return hint(
			errors.New("no table was written: no domain shows a bucket, as far as its settings tell"),
			"write it by hand; the project has mapping/mapping.yaml to start from")
	}
	text := account.Table(doc.readings, doc.head()...)
	table, err := mapping.Parse(cmd.file(), []byte(text))
	if err != nil {
		return fmt.Errorf("no table was written, since it would have faults: %w", err)
	}
	doc.Rules = len(table.Rules)
	write := create
	if cmd.Overwrite {
		write = replace
	}
	switch err = write(cmd.file(), text); {
	case errors.Is(err, fs.ErrExist): // since a moment ago
		return cmd.exists()
	case err != nil:
		return fmt.Errorf("writing the table: %w", err)
	}
	doc.Written = true
	return nil
}

// create writes a file that is not there yet.
func create(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// replace writes a file as a whole or, with an error, not at all. A symbolic link
// stays one.
func replace(name, text string) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	whole, err := os.CreateTemp(filepath.Dir(name), ".mapping-*.yaml")
	if err != nil {
		return err
	}
	_, err = whole.WriteString(text)
	err = errors.Join(err, whole.Chmod(0o644), whole.Close())
	if err == nil {
		err = os.Rename(whole.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(whole.Name()))
	}
	return nil
}

// A draft is the table that follows from an account.
type draft struct {
	File    string        `json:"file"`
	Written bool          `json:"written"`
	Rules   int           `json:"rules"`
	Domains []draftDomain `json:"domains"`
	Refused []string      `json:"refused"` // why a product was not asked

	readings []account.Reading
}

// A draftDomain says whether a domain is in the table, and why.
type draftDomain struct {
	Domain  string   `json:"domain"`
	Product string   `json:"product"`
	Site    int64    `json:"site,omitempty"` // ESA only
	In      bool     `json:"in"`
	Bucket  string   `json:"bucket,omitempty"`
	Reason  string   `json:"reason"` // where its bucket is known from, or why it is not in
	Notes   []string `json:"notes"`
}

func newDraft(file string, readings []account.Reading, refused []productError) *draft {
	doc := &draft{
		File: file, Domains: []draftDomain{}, Refused: []string{}, readings: readings,
	}
	for _, r := range readings {
		d := draftDomain{
			Domain: r.Domain, Product: string(r.Product), Site: r.Site, In: r.Verdict == account.Decided,
			Bucket: r.Bucket, Reason: r.Reason, Notes: append([]string{}, r.Notes...),
		}
		if d.In {
			d.Reason = r.Origin
		}
		doc.Domains = append(doc.Domains, d)
	}
	for _, e := range refused {
		doc.Refused = append(doc.Refused, strings.ToUpper(string(e.product))+" is left out: "+e.Error())
	}
	return doc
}

// head is what the table says of itself.
func (d *draft) head() []string {
	var head []string
	if _, err := os.Stat(filepath.Join(filepath.Dir(d.File), "schema.json")); err == nil {
		head = append(head, "yaml-language-server: $schema=schema.json", "")
	}
	head = append(head,
		"Written by ossrefresh init from the account's domains. Look at it with:",
		"ossrefresh check, ossrefresh check --live",
		"Whether a bucket shows index.html at its folders' URLs (static website hosting)",
		"the domains do not tell: if so, add index: [index.html] to the targets.")
	return append(head, d.Refused...)
}

func (d *draft) text(p *page) {
	in := 0
	rows := map[bool][][]string{}
	for _, one := range d.Domains {
		row := []string{one.Product, one.Domain, one.Reason}
		if one.In {
			in++
			row = []string{one.Product, one.Domain, one.Bucket, one.Reason}
		}
		for i := range row {
			row[i] = oneLine(row[i])
		}
		rows[one.In] = append(rows[one.In], row)
	}
	state := "written"
	if !d.Written {
		state = "not written"
	}
	p.line("%s: %s; %s for %d of %s", d.File, state,
		plural(d.Rules, "rule"), in, plural(len(d.Domains), "domain"))
	if in > 0 {
		p.title("IN THE TABLE")
		p.rows(append([][]string{{"product", "domain", "bucket", "known by"}}, rows[true]...))
	}
	if in < len(d.Domains) {
		p.title("NOT IN THE TABLE")
		p.rows(append([][]string{{"product", "domain", "reason"}}, rows[false]...))
	}
	for _, text := range d.Refused {
		p.title("%s", text)
	}
}
