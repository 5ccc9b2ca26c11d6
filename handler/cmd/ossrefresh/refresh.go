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
	Type    string        `enum:"file,directory,ignore_params" default:"file" help:"What the URLs stand for: file, directory or ignore_params (the file with every query)."`
	Product string        `enum:"dcdn,cdn" default:"dcdn" help:"dcdn or cdn."`
	Exact   bool          `help:"Send the URLs only as they are given, in no other spelling."`
	Since   string        `placeholder:"TIME" help:"Refresh what the listing of a bucket says was put since then: 2026-11-20T08:00:00Z, or 2h for two hours ago. The bucket's name stands in place of the URLs."`
	Live    bool          `help:"Send the requests; without it they are only shown."`
	Timeout time.Duration `default:"2m" help:"When to give up."`
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
    ossrefresh refresh --since 2h my-site`
}

func (cmd *refreshCommand) Run(ctx context.Context, c *console) error {
	if err := checkTimeout(cmd.Timeout); err != nil {
		return err
	}
	if cmd.Since != "" {
		return cmd.since(ctx, c)
	}
	urls, err := cmd.urls(ctx, c)
	if err != nil {
		return err
	}
	targets, err := cmd.targets(urls)
	if err != nil {
		return err
	}
	table, err := tableOf(cmd.tableFlag)
	if err != nil {
		return err
	}
	if !cmd.Exact {
		targets = respelt(targets, table)
	}
	sender, err := newSender(c, cmd.Live, table.Refresh)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	doc := refreshment{newSubmission(cmd.Live), addedURLs(targets)}
	sender.send(ctx, &doc.submission, targets, nil)
	return errors.Join(c.show(doc), doc.failure())
}

// urls are those of the command line, with standard input in place of a "-".
func (cmd *refreshCommand) urls(ctx context.Context, c *console) ([]string, error) {
	var urls []string
	for _, arg := range cmd.URLs {
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

// targets makes a target of each URL, or tells of all that are none.
func (cmd *refreshCommand) targets(urls []string) ([]mapping.Target, error) {
	var targets []mapping.Target
	var faults []error
	for _, text := range urls {
		full, domain, err := complete(text)
		if err == nil {
			err = cmd.suits(full)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		targets = append(targets, urlTarget(mapping.Product(cmd.Product), types[cmd.Type], full, domain))
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
	seen := map[string]bool{}
	for _, t := range targets {
		seen[t.URL] = true
	}
	all := slices.Clone(targets)
	for _, t := range targets {
		for _, url := range mapping.Respell(t.URL, table.SpellingsOf(t.Domain)) {
			if !seen[url] {
				seen[url] = true
				t.URL, t.Respelt = url, true
				all = append(all, t)
			}
		}
	}
	return all
}

func addedURLs(targets []mapping.Target) []string {
	added := []string{}
	for _, t := range targets {
		if t.Respelt {
			added = append(added, t.URL)
		}
	}
	return added
}

// A refreshment is a submission of URLs that were named by hand.
type refreshment struct {
	submission
	Added []string `json:"added"` // URLs that were not named: other spellings
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
}
