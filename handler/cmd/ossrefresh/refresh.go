package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/mapping"
)

type refreshCommand struct {
	tableFlag
	Type string `enum:"file,directory,ignore_params" default:"file" help:"What the URLs stand for: file, directory or ignore_params (the file with every query)."`
	productFlag
	Exact   bool          `help:"Send the URLs only as they are given, in no other spelling."`
	Live    bool          `help:"Send the requests; without it they are only shown."`
	Wait    bool          `help:"With --live: wait until the API calls the refreshes complete, which takes 5 to 6 minutes."`
	Preload bool          `help:"With --wait: then preload the URLs that were given, as far as the API calls them complete."`
	Timeout time.Duration `default:"2m" help:"When to give up sending."`
	URLs    []string      `arg:"" name:"url" sep:"none" help:"URLs, or - for standard input with one a line."`
}

func (*refreshCommand) Help() string {
	return `A URL is sent as it is given, and in the other spellings that the mapping table has for its domain: those of "spellings: common" where it has none. They are marked as added.

Requests are planned, paced and repeated as the function does it, within the limits of the mapping table if there is one. The credentials are those of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN.

Examples:

    ossrefresh refresh https://www.example.com/ https://www.example.com/logo.png
    ossrefresh refresh --exact 'https://www.example.com/a[1].jpg'
    ossrefresh refresh --live --type directory www.example.com/docs/
    ossrefresh refresh --live --product cdn - <urls.txt
    ossrefresh refresh --live --wait --preload https://www.example.com/setup.zip`
}

func (cmd *refreshCommand) Run(ctx context.Context, c *console) error {
	if err := cmd.check(); err != nil {
		return err
	}
	urls, err := readURLs(ctx, c, cmd.URLs)
	if err != nil {
		return err
	}
	table, err := tableOf(cmd.tableFlag)
	if err != nil {
		return err
	}
	targets, err := targetsOf(urls, types[cmd.Type], cmd.productFlag, table, cmd.suits)
	if err != nil {
		return err
	}
	given := targets
	if !cmd.Exact {
		targets = respelt(targets, table)
	}
	sender, err := newSender(c, cmd.Live, table.Refresh)
	if err != nil {
		return err
	}
	sending, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	doc := refreshment{submission: newSubmission(cmd.Live), Added: addedURLs(targets)}
	start := time.Now()
	sender.send(sending, &doc.submission, targets, nil)
	failure := doc.failure()
	if cmd.Wait {
		failure = errors.Join(failure, cmd.waitAndPreload(ctx, c, &doc, given, start))
	}
	return errors.Join(c.show(doc), failure)
}

// check refuses flags that make no sense together.
func (cmd *refreshCommand) check() error {
	switch {
	case cmd.Wait && !cmd.Live:
		return misuse(errors.New("--wait: in a dry run there is nothing to wait for"), "give --live too")
	case cmd.Preload && !cmd.Wait:
		return misuse(errors.New("--preload: only what is refreshed can be preloaded"), "give --live and --wait too")
	case cmd.Preload && cmd.Type != "file":
		return misuse(fmt.Errorf("--preload: the API preloads files, not type %s", cmd.Type), "give URLs of files")
	}
	return errors.Join(checkTimeout(cmd.Timeout), cmd.validate())
}

// waitAndPreload waits until the refreshes have ended and preloads the given targets
// that are complete.
func (cmd *refreshCommand) waitAndPreload(
	ctx context.Context, c *console, doc *refreshment, given []mapping.Target, start time.Time,
) error {
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return err
	}
	failure := doc.wait(ctx, c, caller, start)
	if !cmd.Preload || ctx.Err() != nil {
		return failure
	}
	preloader, err := newPreloader(c, true)
	if err != nil {
		return errors.Join(failure, err)
	}
	targets := doc.complete(given)
	for i := range targets {
		targets[i].Type = preloaded
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	done := preload(ctx, preloader, targets)
	doc.Preloaded = &done
	return errors.Join(failure, done.failure())
}

// readURLs returns those of the command line, with standard input in place of a "-".
func readURLs(ctx context.Context, c *console, args []string) ([]string, error) {
	var urls []string
	for _, arg := range args {
		if arg != "-" {
			urls = append(urls, arg)
			continue
		}
		text, err := c.read(ctx, "the URLs", arg)
		if err != nil {
			return nil, err
		}
		urls = append(urls, lines(string(text))...)
	}
	if len(urls) == 0 {
		return nil, misuse(errors.New("there is no URL"), "give URLs, or - and one a line on standard input")
	}
	return urls, nil
}

// types are the mapping table's names of the API's.
var types = map[string]mapping.Type{"file": mapping.File, "directory": mapping.Directory, "ignore_params": mapping.IgnoreParams}

// targetsOf makes a target of each URL for each product that its domain belongs to,
// or tells of all that suit no target.
func targetsOf(
	urls []string, typ mapping.Type, products productFlag, table *mapping.Table, suits func(full string) error,
) ([]mapping.Target, error) {
	var targets []mapping.Target
	var faults []error
	for _, text := range urls {
		full, domain, err := complete(text)
		if err == nil {
			err = suits(full)
		}
		var accounts []account
		if err == nil {
			accounts, err = products.of(table, domain)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, a := range accounts {
			t := urlTarget(a.Product, typ, full, domain)
			t.Site = a.Site
			targets = append(targets, t)
		}
	}
	if len(faults) > 0 {
		return nil, misuse(errors.Join(faults...), "give URLs like https://www.example.com/logo.png; nothing was sent")
	}
	return targets, nil
}

// suits tells what keeps a URL from being of the type.
func (cmd *refreshCommand) suits(full string) error {
	switch {
	case cmd.Type != "file" && strings.Contains(full, "?"):
		return fmt.Errorf("%q has a query, and type %s stands for all of them", full, cmd.Type)
	case cmd.Type == "directory" && !strings.HasSuffix(full, "/"):
		return fmt.Errorf("%q is no directory: it does not end in a slash", full)
	}
	return nil
}

// respelt returns the targets and, behind them, the other spellings of their
// URLs that the table has for their domains.
func respelt(targets []mapping.Target, table *mapping.Table) []mapping.Target {
	seen := map[target]bool{}
	for _, t := range targets {
		seen[newTarget(t)] = true
	}
	all := slices.Clone(targets)
	for _, t := range targets {
		for _, url := range mapping.Respell(t.URL, table.SpellingsOf(t.Domain)) {
			t.URL, t.Respelt = url, true
			if !seen[newTarget(t)] {
				seen[newTarget(t)] = true
				all = append(all, t)
			}
		}
	}
	return all
}

func addedURLs(targets []mapping.Target) []string {
	added := []string{}
	for _, t := range targets {
		if t.Respelt && !slices.Contains(added, t.URL) {
			added = append(added, t.URL)
		}
	}
	return added
}

// A refreshment is a submission of URLs that were named by hand.
type refreshment struct {
	submission
	Added     []string    `json:"added"`           // URLs that were not named: other spellings
	Tasks     []tasks     `json:"tasks,omitempty"` // as they are after waiting
	Preloaded *preloading `json:"preloaded,omitempty"`
}

// text marks the URLs that were added.
func (r refreshment) text(p *page) {
	marked := func(urls []string) []string {
		all := slices.Clone(urls)
		for i, url := range all {
			if slices.Contains(r.Added, url) {
				all[i] += "  (added: another spelling)"
			}
		}
		return all
	}
	s := r.submission
	s.Requests, s.Failed = slices.Clone(s.Requests), slices.Clone(s.Failed)
	for i := range s.Requests {
		s.Requests[i].URLs = marked(s.Requests[i].URLs)
	}
	for i := range s.Failed {
		s.Failed[i].URLs = marked(s.Failed[i].URLs)
	}
	s.text(p)
	for _, list := range r.Tasks {
		list.text(p)
	}
	if r.Preloaded != nil {
		p.title("PRELOADING")
		r.Preloaded.text(p)
	}
}
