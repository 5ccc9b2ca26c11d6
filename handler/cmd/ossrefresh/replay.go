package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"oss-cdn-refresh/mapping"
)

type replayCommand struct {
	tableFlag
	Live    bool          `help:"Send the requests; without it they are only shown."`
	Timeout time.Duration `default:"10m" help:"When to give up."`
	Queue   bool          `help:"Read them from a queue of Simple Message Queue, and delete there what is done. Its name stands in place of the files; without one it is the deployment's."`
	Files   []string      `arg:"" name:"file" optional:"" sep:"none" help:"Files of dead letters, or - for standard input."`
}

func (*replayCommand) Help() string {
	return `A file holds the messages of the function's dead-letter destination: one JSON, many, or the Base64 of them. They may be in the envelopes that a queue and its tools put around them. Of each letter, the URLs that failed are refreshed or, if the letter does not list all of them, everything that its event asks for. Running it again is harmless: a URL may be refreshed twice, and none is left out.

Examples:

    ossrefresh replay letters.jsonl
    ossrefresh replay --live letters.jsonl
    ossrefresh replay --live --json - <letter.json
    ossrefresh replay --live --queue`
}

func (cmd *replayCommand) Run(ctx context.Context, c *console) error {
	if err := checkTimeout(cmd.Timeout); err != nil {
		return err
	}
	if cmd.Queue {
		return cmd.fromQueue(ctx, c)
	}
	if len(cmd.Files) == 0 {
		return misuse(errors.New(`expected "<file> ..."`), "run ossrefresh replay --help")
	}
	table, err := cmd.load()
	if err != nil {
		return err
	}
	letters, err := cmd.letters(ctx, c)
	if err != nil {
		return err
	}
	sender, err := newSender(c, cmd.Live, table.Refresh)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	doc := replay{sendResult: newSendResult(cmd.Live), Letters: []letterState{}}
	doc.run(ctx, c, sender, table, letters)
	return errors.Join(c.show(doc), doc.failure())
}

func (cmd *replayCommand) letters(ctx context.Context, c *console) ([]letter, error) {
	var all []letter
	for _, file := range cmd.Files {
		data, err := c.read(ctx, "dead letters", file)
		if err != nil {
			return nil, err
		}
		all = append(all, splitLetters(file, data)...)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no dead letter in what was given")
	}
	return all, nil
}

// A replay is what became of dead letters.
type replay struct {
	sendResult
	Letters []letterState `json:"letters"`
}

// A letterState is what became of one.
type letterState struct {
	Letter string `json:"letter"`
	// done, failed, nothing (it asks for no URL, and Notes say why) or unreadable; planned
	// in a dry run.
	State string   `json:"state"`
	From  string   `json:"from,omitempty"`
	URLs  int      `json:"urls"`
	Left  int      `json:"left"` // URLs that are not refreshed
	Error string   `json:"error,omitempty"`
	Notes []string `json:"notes"`
}

// run submits letters at once, so that they share requests and what is
// removed in any of them comes first.
func (r *replay) run(
	ctx context.Context, c *console, sender *sender, table *mapping.Table, letters []letter,
) {
	var targets []mapping.Target
	ends := make([]int, len(letters)) // of the letters' targets
	for i, l := range letters {
		state, some := newLetterState(l, table)
		r.Letters = append(r.Letters, state)
		targets = append(targets, some...)
		ends[i] = len(targets)
	}
	accepted := sender.send(ctx, &r.sendResult, targets, func(n, of int) {
		c.showProgress("%d of %s", n, plural(of, "URL"))
	})
	c.showProgress("")
	begin := 0
	for i, end := range ends {
		r.Letters[i].close(targets[begin:end], accepted[begin:end], sender.live())
		begin = end
	}
}

func newLetterState(l letter, table *mapping.Table) (letterState, []mapping.Target) {
	read, err := l.read(table)
	s := letterState{
		Letter: l.name, State: "done", From: "what failed", Notes: append([]string{}, read.notes...),
	}
	if read.whole {
		s.From = "the whole event"
	}
	if err != nil {
		s.State, s.From, s.Error = "unreadable", "", err.Error()
	}
	return s, read.targets
}

// close counts what is left of a letter's targets.
func (s *letterState) close(targets []mapping.Target, accepted []bool, live bool) {
	seen := map[targetView]bool{}
	for i, t := range targets {
		key := newTarget(t)
		if !seen[key] && !accepted[i] {
			s.Left++
		}
		seen[key] = true
	}
	s.URLs = len(seen)
	switch {
	case s.Left > 0:
		s.State = "failed"
	case s.State == "done" && s.URLs == 0 && len(s.Notes) > 0:
		s.State = "nothing"
	case s.State == "done" && !live:
		s.State = "planned"
	}
}

// failure says how many letters are to be run again.
func (r replay) failure() error {
	count := map[string]int{}
	for _, l := range r.Letters {
		count[l.State]++
	}
	bad := count["failed"] + count["unreadable"] + count["nothing"]
	var faults []string
	if n := count["unreadable"]; n > 0 {
		faults = append(faults, plural(n, "letter")+" unreadable")
	}
	if n := count["nothing"]; n > 0 {
		faults = append(faults, plural(n, "letter")+" without anything to refresh")
	}
	switch {
	case bad == 0:
		return nil
	case count["failed"] == 0:
		return hint(errors.New(strings.Join(faults, ", ")),
			"read the notes of these letters; running them again unchanged gives the same result")
	}
	all := plural(len(r.Letters), "letter")
	again := "run the letters again that are not done"
	refused := r.sendResult.failure()
	if h := new(hinted); errors.As(refused, &h) {
		again = h.hint + "\n" + again
	}
	return hint(fmt.Errorf("%d of %s not done: %w", bad, all, refused), again)
}

func (r replay) text(p *page) {
	r.sendResult.text(p)
	p.title("LETTERS: %d", len(r.Letters))
	rows := [][]string{{"state", "URLs", "left", "refreshed", "letter"}}
	for _, l := range r.Letters {
		rows = append(rows, []string{
			l.State, strconv.Itoa(l.URLs), strconv.Itoa(l.Left), orDash(l.From), shown(l.Letter),
		})
		for _, note := range append(l.Notes, l.Error) {
			if note != "" {
				rows = append(rows, []string{"", "", "", "", note})
			}
		}
	}
	p.rows(rows)
}
