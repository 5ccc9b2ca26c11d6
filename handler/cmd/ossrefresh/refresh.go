package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"oss-cdn-refresh/mapping"
)

type refreshCommand struct {
	tableFlag
	Type string `enum:"file,directory,ignore_params" default:"file" help:"What the URLs stand for: file, directory or ignore_params (the file with every query)."`
	productFlag
	Exact   bool          `help:"Send the URLs only as they are given, in no other spelling."`
	Since   string        `placeholder:"TIME" help:"Refresh what the listing of a bucket says was put since then: 2026-11-20T08:00:00Z, or 2h for two hours ago. The bucket's name stands in place of the URLs."`
	Live    bool          `help:"Send the requests; without it they are only shown."`
	Wait    bool          `help:"With --live: wait until the API calls the refreshes complete, which takes 5 to 6 minutes."`
	Preload bool          `help:"With --wait: then preload the URLs that were given, as far as the API calls them complete."`
	Timeout time.Duration `default:"2m" help:"When to give up sending."`
	URLs    []string      `arg:"" name:"url" sep:"none" help:"URLs, or - for standard input with one a line."`

	verb string // the command that hints name, if it is not refresh
}

func (*refreshCommand) Help() string {
	return `URLs may be joined by commas or blanks, and a list may have comments behind #. A URL is sent as it is given, and in the other spellings that the mapping table asks for at its domain, or in those of "spellings: common" if the domain is not in the table. They are marked as added.

Requests are planned, paced and repeated as the function does it, within the limits of the mapping table if there is one. The credentials are those of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN.

Examples:

    ossrefresh refresh https://www.example.com/ https://www.example.com/logo.png
    ossrefresh refresh --exact 'https://www.example.com/a[1].jpg'
    ossrefresh refresh --live --type directory www.example.com/docs/
    ossrefresh refresh --live --product cdn - <urls.txt
    ossrefresh refresh --live --wait --preload https://www.example.com/setup.zip
    ossrefresh refresh --since 2h my-site`
}

func (cmd *refreshCommand) Run(ctx context.Context, c *console) error {
	if err := cmd.check(); err != nil {
		return err
	}
	if cmd.Since != "" {
		return cmd.since(ctx, c)
	}
	urls, err := cmd.urls(ctx, c)
	if err != nil {
		return err
	}
	table, err := tableOf(cmd.tableFlag)
	if err != nil {
		return err
	}
	targets, err := cmd.targets(urls, table)
	if err != nil {
		return err
	}
	doubtPluses(c, targets)
	cmd.doubtDomains(c, table, targets)
	doubtServices(c, table, targets)
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
	doc := refreshment{sendResult: newSendResult(cmd.Live), Added: addedURLs(targets)}
	start := time.Now()
	sender.send(sending, &doc.sendResult, targets, nil)
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
	case cmd.Wait && cmd.Since != "":
		return misuse(errors.New("--wait: with --since, the end of tasks is not waited for"),
			"leave --wait out, and give the ids that are printed to ossrefresh tasks --wait")
	case cmd.Preload && !cmd.Wait:
		return misuse(errors.New("--preload: only what is refreshed can be preloaded"),
			"give --live and --wait too")
	case cmd.Preload && cmd.Type != "file":
		return misuse(fmt.Errorf("--preload: the API preloads files, not type %s", cmd.Type),
			"give URLs of files")
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

// urls are those of the command line, with standard input in place of a "-".
func (cmd *refreshCommand) urls(ctx context.Context, c *console) ([]string, error) {
	var urls []string
	for _, arg := range cmd.URLs {
		if arg != "-" {
			if file, ok := listFile(arg); ok {
				return nil, misuse(fmt.Errorf("%q is a file, not a URL", arg),
					"give its URLs on standard input: "+cmd.command("-")+" <"+shellWord(file))
			}
			if slices.Contains(listExtensions, path.Ext(arg)) && !strings.ContainsAny(arg, "/\\") {
				err := fmt.Errorf("there is no file %q, and no domain ends like that", arg)
				return nil, misuse(err, "check the folder and the name")
			}
			urls = append(urls, splitURLs(arg)...)
			continue
		}
		text, err := c.read(ctx, "the URLs", arg)
		if err != nil {
			return nil, err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if !utf8.ValidString(line) {
				return nil, misuse(fmt.Errorf("line %d of the URLs is not UTF-8", i+1),
					"save the file as plain text in UTF-8")
			}
		}
		listed, passedOver := listedURLs(string(text))
		urls = append(urls, listed...)
		switch {
		case passedOver == 1:
			c.hint("1 line has more columns, which were passed over")
		case passedOver > 1:
			c.hint(fmt.Sprintf("%d lines have more columns, which were passed over", passedOver))
		}
	}
	if len(urls) == 0 {
		return nil, misuse(errors.New("there is no URL"),
			"give URLs, or - and one a line on standard input")
	}
	return urls, nil
}

// listExtensions are those of files that people keep URLs in. No top-level domain is
// one of them (IANA, Root Zone Database).
var listExtensions = []string{".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".list", ".log"}

// listFile returns the file that was named in place of a URL: "urls.txt",
// "@urls.txt" or "file://urls.txt".
func listFile(arg string) (file string, ok bool) {
	bare := strings.TrimPrefix(strings.TrimPrefix(arg, "@"), "file://")
	for _, name := range []string{arg, bare} {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name, true
		}
	}
	return "", false
}

// command is the command line for other URLs, as a shell takes it.
func (cmd *refreshCommand) command(urls ...string) string {
	words := []string{"ossrefresh " + cmp.Or(cmd.verb, "refresh")}
	if cmd.Mapping != "" {
		words = append(words, "--mapping "+shellWord(cmd.Mapping))
	}
	if cmd.Product != "" {
		words = append(words, "--product "+cmd.Product)
	}
	if cmd.Site != 0 {
		words = append(words, fmt.Sprint("--site ", cmd.Site))
	}
	if cmd.Type != "file" {
		words = append(words, "--type "+cmd.Type)
	}
	if cmd.Exact && cmd.verb == "" {
		words = append(words, "--exact")
	}
	if cmd.Live {
		words = append(words, "--live")
	}
	for _, url := range urls {
		words = append(words, shellWord(url))
	}
	return strings.Join(words, " ")
}

// shellWord quotes a text for a shell where that is needed.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
			strings.ContainsRune("-._/:%@+=,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// doubtPluses says so where a URL has a "+" that was meant for one of a name, perhaps.
func doubtPluses(c *console, targets []mapping.Target) {
	with := map[string]bool{}
	for _, t := range targets {
		if path, _, _ := strings.Cut(t.URL, "?"); strings.Contains(path, "+") {
			with[t.URL] = true
		}
	}
	if len(with) > 0 {
		c.hint(fmt.Sprintf(`"+" in %s means a space to OSS; for a name with a plus write %%2B`,
			plural(len(with), "URL")))
	}
}

// doubtDomains says so where a domain is not in the table: it may be misspelt, or
// of another product than the one that it is taken for.
func (cmd *refreshCommand) doubtDomains(
	c *console, table *mapping.Table, targets []mapping.Target,
) {
	known := domains(table, "")
	seen := map[string]bool{}
	var foreign []string
	for _, t := range targets {
		if seen[t.Domain] || slices.Contains(known, t.Domain) {
			continue
		}
		seen[t.Domain] = true
		if near := mapping.Nearest(t.Domain, known); near != "" {
			c.hint(t.Domain + " is not a domain of the table; did you mean " + near + "?")
		} else {
			foreign = append(foreign, t.Domain)
		}
	}
	if cmd.Product != "" || known == nil || foreign == nil {
		return
	}
	const most = 3
	text, are, it := foreign[0], "is not a domain", "it is"
	if n := len(foreign); n > 1 {
		text, are, it = strings.Join(foreign[:min(n, most)], ", "), "are not domains", "they are"
		if n > most {
			text += fmt.Sprintf(" and %d more", n-most)
		}
	}
	c.hint(fmt.Sprintf("%s %s of %s; taken for dcdn, give --product if %s another's",
		text, are, cmd.file(), it))
}

// doubtServices says so where --product or --site leads past what the table has for a
// domain: once, however many domains there are.
func doubtServices(c *console, table *mapping.Table, targets []mapping.Target) {
	past, example := 0, "" // domains, and the first
	seen := map[string]bool{}
	for _, t := range targets {
		if seen[t.Domain] {
			continue
		}
		seen[t.Domain] = true // the flags are the same for all its URLs
		known := table.Services(t.Domain)
		given := mapping.Service{Product: t.Product, Site: t.Site}
		if len(known) == 0 || slices.Contains(known, given) {
			continue
		}
		if past++; past > 1 {
			continue
		}
		var names []string
		for _, s := range known {
			names = append(names, s.String())
		}
		example = fmt.Sprintf("%s at %s, not at %s", t.Domain, strings.Join(names, " and at "), given)
	}
	switch past {
	case 0:
	case 1:
		c.hint("the table has " + example)
	default:
		c.hint(fmt.Sprintf("the table has %d of these domains at other products or sites: %s, and so on",
			past, example))
	}
}

// types are the mapping table's names of the API's.
var types = map[string]mapping.Type{
	"file":          mapping.File,
	"directory":     mapping.Directory,
	"ignore_params": mapping.IgnoreParams,
}

// targets makes a target of each URL for each product that its domain belongs to; the
// error has all that are not valid URLs.
func (cmd *refreshCommand) targets(
	urls []string, table *mapping.Table,
) ([]mapping.Target, error) {
	var targets []mapping.Target
	var faults []error
	var hints []string
	for _, text := range urls {
		full, domain, err := complete(text)
		instead := ""
		if err == nil {
			instead, err = cmd.suits(full)
		} else if e := new(urlError); errors.As(err, &e) {
			instead = cmd.instead(e)
		}
		if err != nil {
			faults = append(faults, err)
			if instead != "" {
				hints = append(hints, "did you mean: "+instead)
			}
			continue
		}
		services, err := cmd.of(table, domain)
		if err != nil {
			return nil, err
		}
		for _, p := range services {
			t := urlTarget(p.Product, types[cmd.Type], full, domain)
			t.Site = p.Site
			targets = append(targets, t)
		}
	}
	if len(faults) > 0 {
		if len(hints) == 0 {
			hints = append(hints, "give URLs like https://www.example.com/logo.png")
		}
		hints = append(hints, "nothing was sent")
		return nil, misuse(errors.Join(faults...), strings.Join(hints, "\n"))
	}
	return targets, nil
}

// instead is the command that does what was probably meant by a text that is not a
// URL; "" where that is not known.
func (cmd *refreshCommand) instead(e *urlError) string {
	if object, ok := cutScheme(trimmed(e.text)); ok {
		bucket, key, _ := strings.Cut(object, "/")
		return explainCommandFor(bucket, key) + ", which shows its URLs"
	}
	if e.instead != "" {
		return cmd.command(e.instead)
	}
	_, rest, _ := strings.Cut(withScheme(trimmed(e.text)), "://")
	host, path := rest[:hostEnd(rest)], rest[hostEnd(rest):]
	table, err := tableOf(cmd.tableFlag)
	if err != nil {
		return ""
	}
	var urls []string
	for _, domain := range domains(table, "") {
		_, parent, _ := strings.Cut(domain, ".")
		if host == "" || host == "*."+parent {
			urls = append(urls, "https://"+domain+path)
		}
	}
	if urls == nil || host == "" && len(urls) > 1 {
		return ""
	}
	return cmd.command(urls...)
}

// suits says what keeps a URL from being of the type, and the command that does what
// was probably meant.
func (cmd *refreshCommand) suits(full string) (instead string, err error) {
	bare, _, hasQuery := strings.Cut(full, "?")
	before, _, wildcard := strings.Cut(bare, "*")
	switch {
	case wildcard && !cmd.Exact:
		folder := *cmd
		folder.Type = "directory"
		instead = folder.command(before[:strings.LastIndexByte(before, '/')+1])
		err = fmt.Errorf("%q has a *, and the API knows no wildcards; "+
			"with --exact, a * is part of the name", full)
	case cmd.Type == "file":
	case hasQuery:
		instead = cmd.command(bare)
		err = fmt.Errorf("%q has a query, and type %s stands for all of them", full, cmd.Type)
	case cmd.Type == "directory" && !strings.HasSuffix(full, "/"):
		instead = cmd.command(full + "/")
		err = fmt.Errorf("%q does not end in a slash, as a directory does", full)
	}
	return instead, err
}

// respelt returns the targets and, behind them, the other spellings of their
// URLs that the table has for their domains.
func respelt(targets []mapping.Target, table *mapping.Table) []mapping.Target {
	seen := map[targetView]bool{}
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

// A refreshment is a sending of URLs that were named by hand.
type refreshment struct {
	sendResult
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
	s := r.sendResult
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
