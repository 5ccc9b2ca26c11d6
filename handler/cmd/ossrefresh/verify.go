package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/edge"
)

type verifyCommand struct {
	tableFlag
	Keys      bool          `help:"The arguments are a bucket and keys of it."`
	Letter    string        `placeholder:"FILE" help:"Ask for what the dead letters of this file are about; - for standard input."`
	Spellings string        `enum:"table,all" default:"table" help:"table: the URLs as given, and keys in the spellings of the table. all: every spelling that there is."`
	Edge      string        `placeholder:"HOST[:PORT]" help:"Ask this node, not the one that DNS gives. Plain HTTP on loopback, HTTPS elsewhere."`
	Wait      bool          `help:"Ask again until all are fresh or gone; a refresh takes 5 to 6 minutes."`
	Refresh   bool          `help:"Refresh each URL that is stale or missing, once. Without --live the requests are only shown."`
	Live      bool          `help:"Send the requests of --refresh."`
	Timeout   time.Duration `default:"10m" help:"When to give up."`
	Args      []string      `arg:"" optional:"" name:"url" sep:"none" help:"URLs; with --keys, a bucket and keys. - stands for standard input with one a line."`
}

func (*verifyCommand) Help() string {
	return `Asks a node of the CDN for each URL, and OSS for the object that the table shows there, and compares the answers:

    fresh    the node serves what OSS holds
    stale    it serves something else, or what OSS no longer holds
    missing  it says 404, and OSS holds the object
    gone     neither has it
    unknown  the answers do not tell, and why

One node answers, for all that there are. Each URL is asked twice, with and without compression, at most 10 at once and 50 requests a second; asking may itself bring a copy to the node. OSS is asked with the credentials of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and ALIBABA_CLOUD_SECURITY_TOKEN, which need oss:GetObject; without them, as anybody may. FC_REGION is the region of the buckets, cn-hangzhou where it is not set. Exit status 1: something is stale or missing, or did not answer.

Examples:

    ossrefresh verify https://www.example.com/docs/
    ossrefresh verify --keys my-site www/docs/index.html 'www/photo (1).jpg'
    ossrefresh verify --letter letters.jsonl --wait
    ossrefresh verify --refresh --live --wait - <urls.txt`
}

func (cmd *verifyCommand) Run(ctx context.Context, c *console) error {
	node, err := cmd.check()
	if err != nil {
		return err
	}
	written, err := cmd.load()
	if err != nil {
		return err
	}
	table, err := newVerifyTable(written, cmd.Spellings == "all")
	if err != nil {
		return hint(err, "leave --spellings all out")
	}
	objects, err := storeFrom(c.getenv)
	if err != nil {
		return err
	}
	questions, notes, err := cmd.questions(ctx, c, table)
	if err != nil {
		return err
	}
	v := newVerifier(table, objects, node, questions)
	v.progress = c.showProgress
	v.doc.Notes, v.doc.Unread, v.doc.waited = append(v.doc.Notes, notes...), len(notes), cmd.Wait
	if cmd.Refresh {
		if v.sender, err = newSender(c, cmd.Live, written.Refresh); err != nil {
			return err
		}
		sent := newSendResult(cmd.Live)
		v.doc.Refresh = &sent
	}
	timed, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	v.run(timed, cmd.Wait)
	v.close()
	c.showProgress("")
	if ctx.Err() != nil {
		return errors.Join(c.show(v.doc), errors.New("not all was asked"))
	}
	return errors.Join(c.show(v.doc), v.doc.failure())
}

// check refuses what does not go together.
func (cmd *verifyCommand) check() (edge.Node, error) {
	if err := checkTimeout(cmd.Timeout); err != nil {
		return "", err
	}
	switch {
	case cmd.Live && !cmd.Refresh:
		return "", misuse(errors.New("--live without --refresh: there is nothing to send"),
			"give --refresh --live, or leave --live out")
	case cmd.Letter != "" && (cmd.Keys || len(cmd.Args) > 0):
		err := errors.New("--letter says what to ask for: no URL or key may be given beside it")
		return "", misuse(err, "give one of the two")
	case cmd.Letter == "" && len(cmd.Args) == 0:
		return "", misuse(errors.New("there is nothing to ask for"),
			"give URLs, --keys BUCKET KEY…, or --letter FILE")
	case cmd.Keys && len(cmd.Args) < 2:
		return "", misuse(fmt.Errorf("--keys: bucket %q is named without a key", cmd.Args[0]),
			"give --keys BUCKET KEY…, or --keys BUCKET - and one a line on standard input")
	}
	node, err := edge.ParseNode(cmd.Edge)
	if err != nil {
		return "", misuse(fmt.Errorf("--edge: %w", err),
			"give an address such as 203.0.113.7, or 127.0.0.1:8080")
	}
	return node, nil
}

// questions are what to ask, each URL once, and what is wrong with letters that
// cannot be read.
func (cmd *verifyCommand) questions(
	ctx context.Context, c *console, table verifyTable,
) (all []question, notes []string, err error) {
	switch {
	case cmd.Letter != "":
		all, notes, err = cmd.ofLetters(ctx, c, table)
	case cmd.Keys:
		all, err = cmd.ofKeys(ctx, c, table)
	default:
		all, err = cmd.ofURLs(ctx, c, table)
	}
	seen := map[string]bool{}
	all = slices.DeleteFunc(all, func(q question) bool {
		name := q.url
		if name == "" {
			name = q.objects[0].name()
		}
		again := seen[name]
		seen[name] = true
		return again
	})
	return all, notes, err
}

func (cmd *verifyCommand) ofURLs(
	ctx context.Context, c *console, table verifyTable,
) ([]question, error) {
	given := refreshCommand{Type: "file", productFlag: productFlag{Product: "dcdn"}, URLs: cmd.Args}
	urls, err := given.urls(ctx, c)
	if err != nil {
		return nil, err
	}
	targets, err := given.targets(urls, table.table)
	if err != nil {
		return nil, err
	}
	var all []question
	for _, t := range targets {
		q, err := table.ofURL(t.URL)
		if err != nil {
			return nil, misuse(err, "give URLs like https://www.example.com/logo.png")
		}
		if cmd.Spellings == "all" {
			all = append(all, table.respelt(q)...)
			continue
		}
		all = append(all, q)
	}
	return all, nil
}

func (cmd *verifyCommand) ofKeys(
	ctx context.Context, c *console, table verifyTable,
) ([]question, error) {
	bucket := strings.TrimSuffix(strings.TrimPrefix(cmd.Args[0], "oss://"), "/")
	var all []question
	for _, arg := range cmd.Args[1:] {
		keys := []string{arg}
		if arg == "-" {
			text, err := c.read(ctx, "the keys", arg)
			if err != nil {
				return nil, err
			}
			keys = keyLines(string(text))
		}
		for _, key := range keys {
			all = append(all, table.ofObject(object{bucket, key})...)
		}
	}
	if len(all) == 0 {
		return nil, misuse(errors.New("there is no key"), "give keys, or - and one a line on standard input")
	}
	return all, nil
}

// keyLines splits a list of keys. A key may begin or end with a space.
func keyLines(text string) []string {
	var keys []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			keys = append(keys, line)
		}
	}
	return keys
}

// ofLetters asks for all URLs of the objects that the letters' events name:
// what failed is among them.
func (cmd *verifyCommand) ofLetters(
	ctx context.Context, c *console, table verifyTable,
) (all []question, notes []string, err error) {
	data, err := c.read(ctx, "dead letters", cmd.Letter)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range splitLetters(cmd.Letter, data) {
		if l.err == nil {
			var message handler.Letter
			if message, l.err = handler.ReadLetter(l.raw); l.err == nil {
				var some []question
				some, l.err = table.ofEvent(message)
				all = append(all, some...)
			}
		}
		if l.err != nil {
			notes = append(notes, fmt.Sprintf("letter %s cannot be read: %v", shown(l.name), l.err))
		}
	}
	if len(all) == 0 {
		nothing := errors.New("there is nothing to ask for in what was given")
		return nil, nil, errors.Join(nothing, errors.New(strings.Join(notes, "\n")))
	}
	return all, notes, nil
}

func (t verifyTable) ofEvent(letter handler.Letter) ([]question, error) {
	batch, err := letter.Decode()
	if err != nil {
		return nil, err
	}
	var all []question
	for _, change := range batch.Changes {
		all = append(all, t.ofObject(object{change.Bucket, change.Key})...)
	}
	return all, nil
}
