package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/mapping"
)

// fromQueue replays the dead letters of a queue. A letter is deleted from it only
// when all of it was accepted. Without --live, the first ones are looked at.
func (cmd *replayCommand) fromQueue(ctx context.Context, c *console) error {
	if len(cmd.Files) > 1 {
		return misuse(errors.New("--queue takes the name of one queue"),
			"run ossrefresh replay --queue [NAME]")
	}
	table, err := cmd.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	messages, err := cmd.messages(ctx, c)
	if err != nil {
		return err
	}
	sender, err := newSender(c, cmd.Live, table.Refresh)
	if err != nil {
		return err
	}
	doc := queueReplay{Queue: messages.Queue}
	doc.sendResult, doc.Letters = newSendResult(cmd.Live), []letterState{}
	stopped := doc.drain(ctx, c, sender, table, messages)
	if stopped != nil && len(doc.Letters) == 0 {
		return explained(stopped)
	}
	return errors.Join(c.show(doc), explained(stopped), doc.failure())
}

// messages are those of the queue that was named, or of this deployment's.
func (cmd *replayCommand) messages(ctx context.Context, c *console) (deployment.Messages, error) {
	none := deployment.Messages{}
	cloud, err := cloudFrom(c.getenv, regionFrom(c.getenv))
	if err != nil {
		return none, err
	}
	account, err := deployment.Account(ctx, cloud)
	if err != nil {
		return none, explained(fmt.Errorf("asking whose the credentials are: %w", err))
	}
	queue := deployment.Settings{Name: nameFrom("", c.getenv)}.Names().DeadLetters
	if len(cmd.Files) == 1 {
		queue = cmd.Files[0]
	}
	if !queueName.MatchString(queue) {
		return none, misuse(fmt.Errorf("--queue: %q is not a valid name of a queue", queue),
			"give its name without region and account: letters, digits and hyphens")
	}
	return deployment.Messages{Cloud: cloud, Account: account, Queue: queue}, nil
}

// A queueReplay is what became of a queue's dead letters.
type queueReplay struct {
	replay
	Queue   string `json:"queue"`
	Deleted int    `json:"deleted"` // messages
}

// drain goes on until the queue gives no message that it has not given before.
// It stops early where of what came last some failed and nothing was done: then
// nothing of the next will be.
func (q *queueReplay) drain(
	ctx context.Context, c *console, sender *sender, table *mapping.Table,
	from deployment.Messages,
) error {
	seen := map[string]bool{}
	for {
		messages, err := q.next(ctx, from, q.Live)
		if err != nil {
			return err
		}
		messages = slices.DeleteFunc(messages, func(m deployment.Message) bool {
			return seen[m.ID]
		})
		if len(messages) == 0 {
			return nil
		}
		first, deleted := len(q.Letters), q.Deleted
		for _, m := range messages {
			seen[m.ID] = true
		}
		err = q.answer(ctx, c, sender, table, from, messages)
		if err != nil || !q.Live {
			return err
		}
		failed := slices.ContainsFunc(q.Letters[first:], func(s letterState) bool {
			return s.State == "failed"
		})
		if failed && q.Deleted == deleted {
			return nil
		}
	}
}

func (q *queueReplay) next(
	ctx context.Context, from deployment.Messages, live bool,
) ([]deployment.Message, error) {
	if live {
		return from.Receive(ctx)
	}
	return from.Peek(ctx)
}

// answer replays some messages, and deletes those of which every letter is done.
func (q *queueReplay) answer(
	ctx context.Context, c *console, sender *sender, table *mapping.Table,
	from deployment.Messages, messages []deployment.Message,
) error {
	var letters []letter
	var ends []int // of each message: where its letters end
	for _, m := range messages {
		letters = append(letters, splitLetters(m.ID, []byte(m.Body))...)
		ends = append(ends, len(letters))
	}
	batch := replay{sendResult: newSendResult(q.Live)}
	batch.run(ctx, c, sender, table, letters)
	q.Requests = append(q.Requests, batch.Requests...)
	q.Failed = append(q.Failed, batch.Failed...)
	q.Letters = append(q.Letters, batch.Letters...)
	if !q.Live {
		return nil
	}
	begin := 0
	for i, m := range messages {
		states := batch.Letters[begin:ends[i]]
		begin = ends[i]
		if len(states) == 0 || slices.ContainsFunc(states, letterState.unfinished) {
			continue
		}
		if err := from.Delete(ctx, m.Receipt); err != nil {
			return err
		}
		q.Deleted++
	}
	return nil
}

// unfinished reports whether something of the letter was not accepted: a URL, or a
// record that could not be read or that no rule is for.
func (s letterState) unfinished() bool { return s.State != "done" || len(s.Notes) > 0 }

func (q queueReplay) text(p *page) {
	q.replay.text(p)
	if q.Live {
		p.title("QUEUE %s: %s deleted", q.Queue, plural(q.Deleted, "message"))
	} else {
		p.title("QUEUE %s: its first messages; nothing is deleted without --live", q.Queue)
	}
}
