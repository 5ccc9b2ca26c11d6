package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"oss-cdn-refresh/handler/forecast"
	"oss-cdn-refresh/mapping"
)

// A history is what was published, one after the other.
type history = iter.Seq2[forecast.Publish, error]

type forecastCommand struct {
	tableFlag
	Git       string   `placeholder:"DIR" help:"A repository whose files are the site, one publish a commit."`
	Branch    string   `placeholder:"B" help:"Its branch. Default: the one that is checked out."`
	Path      string   `placeholder:"SUBDIR" help:"Where the site is in it."`
	GitLog    string   `placeholder:"FILE" help:"What git printed, see above, or - for standard input."`
	Inventory []string `placeholder:"FILE" sep:"none" help:"Inventories (CSV) or listings (ossutil ls) of the bucket, the oldest first."`
	More      []string `arg:"" optional:"" name:"file" sep:"none" help:"More of --inventory."`
	Log       string   `placeholder:"FILE" help:"The function's log lines, to compare with what was really spent."`
	Bucket    string   `help:"The site's bucket. Default: the table's, where it has one."`
	Prefix    *string  `placeholder:"P" help:"Put before a path it is the key. Default: the prefix of the bucket's rule, where it has one."`
	Since     string   `placeholder:"DATE" help:"The first day that counts, such as 2026-01-31."`
	Days      int      `placeholder:"N" help:"How many days count, from --since on."`
	Quota     string   `placeholder:"URLS[,DIRECTORIES]" help:"What may be refreshed in a day. Default: 2000,100, which is what DCDN and CDN have at least; a site of ESA has what its plan has."`
	Batch     string   `default:"100" placeholder:"N" help:"How many events an invocation sees: 1 with the trigger oss, up to 100 (the default) with burst, or all of a publish."`
	HTML      string   `name:"html" placeholder:"FILE" help:"Write a page to look at."`
}

func (*forecastCommand) Help() string {
	return `It takes a site's history through the table, as the function would: what each day would have cost of the quota, what would have stayed stale, and what would cost less. Nothing is called.

A history is a repository of what is published (--git), or what this prints, gzip too (--git-log):

    ` + forecast.GitLog + ` BRANCH

or inventories of the bucket with ETag and LastModifiedDate, or what "ossutil ls" prints (--inventory). Files whose names begin with a dot are left out, unless an include of the table names them. The first publish is the first fill and does not count. A day is one of UTC.

Exit status 1: the quota would have been exceeded.

Examples:

    ossrefresh forecast --git ../site --branch gh-pages --since 2026-01-01
    ossrefresh forecast --git-log site.log.gz --quota 10000 --html forecast.html
    ossrefresh forecast --inventory monday.csv.gz tuesday.csv.gz --json`
}

func (cmd *forecastCommand) Run(ctx context.Context, c *console) error {
	table, err := cmd.load()
	if err != nil {
		return err
	}
	options, err := cmd.options(table)
	if err != nil {
		return err
	}
	doc := outlook{
		Mapping: cmd.file(), Bucket: options.Bucket, Prefix: options.Prefix, Batch: options.Batch,
	}
	doc.guessed = cmd.Quota == "" && hasProduct(table, mapping.ESA)
	if err := cmd.run(ctx, c, table, options, &doc); err != nil {
		return err
	}
	if cmd.HTML != "" {
		if err := doc.writePage(cmd.HTML); err != nil {
			return err
		}
		doc.written = cmd.HTML
	}
	return errors.Join(c.show(doc), doc.failure())
}

// options reads what the command line says of the history.
func (cmd *forecastCommand) options(table *mapping.Table) (o forecast.Options, err error) {
	if o.Quota, err = parseQuota(cmp.Or(cmd.Quota, "2000,100")); err != nil {
		return o, err
	}
	if o.Batch, err = parseBatch(cmd.Batch); err != nil {
		return o, err
	}
	if cmd.Since != "" {
		if o.Since, err = time.Parse(time.DateOnly, cmd.Since); err != nil {
			return o, misuse(fmt.Errorf("--since: %q is not a valid date", cmd.Since),
				"give one such as 2026-01-31")
		}
	}
	switch {
	case cmd.Days < 0:
		return o, misuse(fmt.Errorf("--days: %d is not a valid number of days", cmd.Days),
			"give 1 or more")
	case cmd.Days > 0 && cmd.Since == "":
		return o, misuse(errors.New("--days is given without --since"),
			"say from which day on: --since 2026-01-31")
	case cmd.Days > 0:
		o.Until = o.Since.AddDate(0, 0, cmd.Days)
	}
	names := buckets(table)
	if o.Bucket = cmd.Bucket; o.Bucket == "" && len(names) == 1 {
		o.Bucket = names[0]
	}
	if !slices.Contains(names, o.Bucket) {
		what := errors.New("the table has several buckets")
		if o.Bucket != "" {
			what = fmt.Errorf("--bucket: the table has no rule of %q", o.Bucket)
		}
		return o, misuse(what, "give one of them with --bucket: "+strings.Join(names, ", "))
	}
	o.Prefix, err = cmd.prefix(table, o.Bucket)
	return o, err
}

// prefix is what comes before a path. Listings have whole keys.
func (cmd *forecastCommand) prefix(table *mapping.Table, bucket string) (string, error) {
	switch {
	case cmd.Prefix != nil && len(cmd.Inventory) > 0:
		return "", misuse(errors.New("--prefix is given with --inventory, which has whole keys"),
			"leave it out")
	case len(cmd.Inventory) > 0:
		return "", nil
	case cmd.Prefix != nil:
		return *cmd.Prefix, nil
	}
	var prefixes []string
	for _, r := range table.Rules {
		if r.Bucket == bucket {
			prefixes = append(prefixes, r.Prefix)
		}
	}
	if len(prefixes) == 1 {
		return prefixes[0], nil
	}
	return "", nil
}

func parseQuota(text string) (forecast.Quota, error) {
	urls, directories, two := strings.Cut(text, ",")
	if !two {
		directories = "100"
	}
	var q forecast.Quota
	var wrong [2]error
	q.URLs, wrong[0] = strconv.Atoi(urls)
	q.Directories, wrong[1] = strconv.Atoi(directories)
	if errors.Join(wrong[:]...) != nil || q.URLs < 1 || q.Directories < 0 {
		return q, misuse(fmt.Errorf("--quota: %q is not a valid quota", text),
			"give URLs and directories a day, such as 10000,100")
	}
	return q, nil
}

func parseBatch(text string) (int, error) {
	if text == "all" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, misuse(fmt.Errorf("--batch: %q is not a valid number of events", text),
			"give 1 or more, or all")
	}
	return n, nil
}

// run takes the history and the log through a forecast.
func (cmd *forecastCommand) run(
	ctx context.Context, c *console, table *mapping.Table, o forecast.Options, doc *outlook,
) error {
	publishes, err := cmd.history(ctx, c)
	if err != nil {
		return err
	}
	if publishes != nil {
		if doc.Result, err = foresee(ctx, c, forecast.New(table, o), publishes); err != nil {
			return err
		}
		if err := nothing(doc.Result, o); err != nil {
			return err
		}
		doc.listed = len(cmd.Inventory) > 0
	}
	if cmd.Log == "" {
		return nil
	}
	text, err := c.read(ctx, "the log", cmd.Log)
	if err != nil {
		return err
	}
	days, err := forecast.ReadLog(bytes.NewReader(text), o.Quota)
	if err == nil && len(days) == 0 {
		err = errors.New(`it has no "refreshed" line`)
	}
	if err != nil {
		return hint(fmt.Errorf("reading the log: %w", err),
			"give the function's log, one JSON object a line")
	}
	spent := forecast.SpendOf(days)
	doc.Spent = &spent
	doc.quota = o.Quota
	return nil
}

// nothing says why there is nothing to tell, if there is nothing.
func nothing(r *forecast.Result, o forecast.Options) error {
	spent := r.Spend.URLs.Total + r.Spend.Directories.Total + r.Spend.Queries.Total
	switch {
	case r.Publishes > 0 && (spent > 0 || r.Unmatched == 0):
		return nil
	case r.Unmatched > 0:
		return hint(fmt.Errorf("no rule of bucket %q is for the keys of this history, which begin with %q", o.Bucket, o.Prefix),
			"give the beginning of the keys with --prefix")
	}
	return hint(errors.New("no publish of this history counts"),
		"the first one is the first fill; without --since all others count")
}

// foresee adds the publishes, with progress on a terminal.
func foresee(
	ctx context.Context, c *console, f *forecast.Forecast, publishes history,
) (*forecast.Result, error) {
	defer c.showProgress("")
	shown := time.Now()
	n := 0
	for p, err := range publishes {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return nil, err
		}
		f.Add(p)
		n++
		if time.Since(shown) > 100*time.Millisecond {
			shown = time.Now()
			c.showProgress("%s, up to %s", countPublishes(n), p.Time.Format(time.DateOnly))
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("stopped after %s", countPublishes(n))
	}
	r := f.Result()
	return &r, nil
}

// countPublishes counts them: "1 publish", "2 publishes".
func countPublishes(n int) string {
	if n == 1 {
		return "1 publish"
	}
	return thousands(n) + " publishes"
}

// history returns the publishes that the command line names; nil where it names
// the log only.
func (cmd *forecastCommand) history(ctx context.Context, c *console) (history, error) {
	sources := 0
	for _, given := range []bool{cmd.Git != "", cmd.GitLog != "", len(cmd.Inventory) > 0} {
		if given {
			sources++
		}
	}
	switch {
	case sources > 1:
		return nil, misuse(errors.New("there is more than one history"),
			"give one of --git, --git-log and --inventory")
	case sources == 0 && cmd.Log == "":
		return nil, misuse(errors.New("there is no history"),
			"give one of --git, --git-log and --inventory, or --log")
	case len(cmd.Inventory) == 0 && len(cmd.More) > 0:
		return nil, misuse(fmt.Errorf("unexpected argument %s", shown(cmd.More[0])),
			"give inventories after --inventory")
	case cmd.Git == "" && (cmd.Branch != "" || cmd.Path != ""):
		return nil, misuse(errors.New("--branch and --path belong to --git"),
			"give the repository with --git")
	case cmd.Git != "":
		return cmd.fromGit(ctx), nil
	case cmd.GitLog == "-":
		return forecast.ReadGitLog(c.in), nil
	case cmd.GitLog != "":
		return fromGitLog(cmd.GitLog), nil
	case len(cmd.Inventory) > 0:
		return cmd.fromListings(ctx, c)
	}
	return nil, nil
}

func fromGitLog(name string) history {
	return func(yield func(forecast.Publish, error) bool) {
		file, err := os.Open(name)
		if err != nil {
			yield(forecast.Publish{}, hint(fmt.Errorf("reading the history: %w", err),
				"give the name of a file, or - for standard input"))
			return
		}
		defer file.Close()
		for p, err := range forecast.ReadGitLog(file) {
			if err != nil {
				err = hint(fmt.Errorf("reading the history: %w", err),
					"it must be what the command of ossrefresh forecast --help prints")
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// fromGit runs git and reads what it prints.
func (cmd *forecastCommand) fromGit(ctx context.Context) history {
	args := append([]string{"-C", cmd.Git, "-c", "log.showSignature=false"}, gitLog(cmd.Branch, cmd.Path)...)
	return func(yield func(forecast.Publish, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // where the reader stops early, git has to stop too
		git := exec.CommandContext(ctx, "git", args...)
		var stderr bytes.Buffer
		git.Stderr = &stderr
		out, err := git.StdoutPipe()
		if err == nil {
			err = git.Start()
		}
		if err != nil {
			yield(forecast.Publish{}, hint(fmt.Errorf("running git: %w", err), "is git installed?"))
			return
		}
		for p, err := range forecast.ReadGitLog(out) {
			if !yield(p, err) || err != nil {
				cancel()
				_ = git.Wait()
				return
			}
		}
		_, _ = io.Copy(io.Discard, out)
		if err := git.Wait(); err != nil && ctx.Err() == nil {
			yield(forecast.Publish{}, hint(fmt.Errorf("running git: %s", strings.TrimSpace(stderr.String())),
				"give a repository with --git, and the branch that holds the site's files with --branch"))
		}
	}
}

// gitLog are the arguments of the command that forecast.GitLog shows.
func gitLog(branch, path string) []string {
	args := strings.Fields(strings.ReplaceAll(forecast.GitLog, "'", ""))[1:]
	args = append(args[:len(args)-2], "--format=%H %ct") // which Fields has cut
	if path != "" {
		args = append(args, "--relative="+path)
	}
	if branch == "" {
		branch = "HEAD"
	}
	args = append(args, "--end-of-options", branch, "--")
	if path != "" {
		args = append(args, path)
	}
	return args
}

func (cmd *forecastCommand) fromListings(ctx context.Context, c *console) (history, error) {
	files := slices.Concat(cmd.Inventory, cmd.More)
	if len(files) < 2 {
		return nil, misuse(errors.New("one inventory tells nothing of what was published"),
			"give two or more, the oldest first")
	}
	var snapshots []forecast.Snapshot
	for i, name := range files {
		text, err := c.read(ctx, "an inventory", name)
		if err != nil {
			return nil, err
		}
		s, err := forecast.ReadListing(bytes.NewReader(text))
		if err != nil {
			return nil, hint(fmt.Errorf("reading %s: %w", shown(name), err),
				"give inventories as OSS writes them, or what ossutil ls prints")
		}
		if i > 0 && s.Time.Before(snapshots[i-1].Time) {
			return nil, misuse(fmt.Errorf("%s is older than %s", shown(name), shown(files[i-1])),
				"give the oldest first")
		}
		snapshots = append(snapshots, s)
	}
	return func(yield func(forecast.Publish, error) bool) {
		for _, p := range forecast.Publishes(snapshots) {
			if !yield(p, nil) {
				return
			}
		}
	}, nil
}
