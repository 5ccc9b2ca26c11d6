package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/mapping"
)

// since refreshes what was put into a bucket since a time, as far as its listing
// tells: for changes that no trigger has seen.
func (cmd *refreshCommand) since(ctx context.Context, c *console) error {
	if len(cmd.URLs) != 1 || cmd.Type != "file" || cmd.Product != "" {
		return misuse(errors.New("--since takes the name of one bucket; the table says the rest"),
			"run ossrefresh refresh --since 2h BUCKET")
	}
	from, err := sinceTime(cmd.Since, time.Now())
	if err != nil {
		return err
	}
	table, err := cmd.load()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Timeout)
	defer cancel()
	doc := sinceDocument{Bucket: cmd.URLs[0], Since: from, sendResult: newSendResult(cmd.Live)}
	targets, err := doc.list(ctx, c, table)
	if err != nil {
		return err
	}
	sender, err := newSender(c, cmd.Live, table.Refresh)
	if err != nil {
		return err
	}
	sender.send(ctx, &doc.sendResult, targets, nil)
	return errors.Join(c.show(doc), doc.failure())
}

// sinceTime reads a time, or how long ago it was.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago).UTC().Truncate(time.Second), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, misuse(fmt.Errorf("--since: %q is not a valid time", text),
			"give one such as 2026-11-20T08:00:00Z, or 2h for two hours ago")
	}
	if at.After(now) {
		return at, misuse(fmt.Errorf("--since: %s is yet to come", text),
			"give a time that is over")
	}
	return at.UTC(), nil
}

// A sinceDocument is what a listing says was put, and what became of it.
type sinceDocument struct {
	Bucket    string    `json:"bucket"`
	Since     time.Time `json:"since"`
	Listed    int       `json:"listed"`    // objects of the table's prefixes
	Changed   int       `json:"changed"`   // of these, since then
	Unmatched int       `json:"unmatched"` // of these, of no rule
	Ignored   int       `json:"ignored"`   // of these, filtered out by their rule
	sendResult
}

// list returns what shows the objects that were put since then.
func (d *sinceDocument) list(
	ctx context.Context, c *console, table *mapping.Table,
) ([]mapping.Target, error) {
	if _, err := credentialsFrom(c.getenv, ""); err != nil {
		return nil, err
	}
	store, err := storeFrom(c.getenv)
	if err != nil {
		return nil, err
	}
	var targets []mapping.Target
	visit := func(key string, modified time.Time) {
		d.Listed++
		if d.Listed%1000 == 0 {
			c.showProgress("%d objects listed, %d changed", d.Listed, d.Changed)
		}
		if modified.Before(d.Since) {
			return
		}
		d.Changed++
		// Whether it is new is not known: what is refreshed in vain is never stale.
		m := table.Map(mapping.Object{Bucket: d.Bucket, Key: key, Event: mapping.Created})
		switch {
		case m.Rule == nil:
			d.Unmatched++
		case m.Ignored != "":
			d.Ignored++
		}
		targets = append(targets, m.Targets...)
	}
	known := false
	for _, source := range (deployment.Settings{Table: table}).Sources() {
		if source.Bucket != d.Bucket {
			continue
		}
		known = true
		if err := store.list(ctx, d.Bucket, source.Prefix, visit); err != nil {
			return nil, hint(err, "the key needs oss:ListObjects on the bucket; "+
				"FC_REGION is its region, now "+regionFrom(c.getenv))
		}
	}
	c.showProgress("")
	if !known {
		return nil, misuse(fmt.Errorf("the table has no rule for the bucket %s", d.Bucket),
			"name the table with --mapping")
	}
	return targets, nil
}

func (d sinceDocument) text(p *page) {
	p.line("%s: %s listed, %d put since %s, %d of no rule, %d filtered out", d.Bucket,
		plural(d.Listed, "object"), d.Changed, d.Since.Format(time.RFC3339), d.Unmatched, d.Ignored)
	p.line("What was removed since then is in no listing: refresh its URLs by hand.")
	d.sendResult.text(p)
}
