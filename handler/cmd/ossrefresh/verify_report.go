package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"oss-cdn-refresh/handler/edge"
	"oss-cdn-refresh/mapping"
)

// A verification is what nodes serve of URLs.
type verification struct {
	Edge    string      `json:"edge,omitempty"` // that was asked for, in place of what DNS gives
	Fresh   int         `json:"fresh"`
	Stale   int         `json:"stale"`
	Missing int         `json:"missing"`
	Gone    int         `json:"gone"`
	Unknown int         `json:"unknown"`
	URLs    []verified  `json:"urls"`
	Notes   []string    `json:"notes"`
	Refresh *sendResult `json:"refresh,omitempty"`
	Unread  int         `json:"unread"` // dead letters that Notes say are not readable

	waited bool
}

// A verified URL is what one node serves of it.
type verified struct {
	URL        string          `json:"url,omitempty"` // none: no URL shows the object
	State      edge.State      `json:"state"`
	Because    string          `json:"because"`
	Certain    bool            `json:"certain"`  // false: it follows from times, or from weaker evidence
	Answered   bool            `json:"answered"` // by the node and by OSS
	Bucket     string          `json:"bucket,omitempty"`
	Key        string          `json:"key,omitempty"`
	Encoding   string          `json:"accept_encoding,omitempty"` // of the question with the worst answer
	Status     int             `json:"status,omitempty"`
	Node       string          `json:"node,omitempty"`     // as Via names it
	Address    string          `json:"address,omitempty"`  // of the node
	Cache      string          `json:"cache,omitempty"`    // "HIT TCP_MEM_HIT"
	Stored     time.Time       `json:"stored,omitzero"`    // when the CDN first stored these bytes
	Validated  time.Time       `json:"validated,omitzero"` // when the origin's side was last asked for them
	EagleID    string          `json:"eagle_id,omitempty"` // of the request, for the vendor's support
	Evidence   []edge.Evidence `json:"evidence"`
	Notes      []string        `json:"notes"`
	Refreshed  bool            `json:"refreshed"` // the API has accepted it; that takes minutes
	open       bool            // another answer may settle it
	unanswered bool            // it was asked, and there was none
}

func newVerified(q question) verified {
	u := verified{
		URL: q.url, State: edge.Unknown, Because: "it was not asked",
		Evidence: []edge.Evidence{}, Notes: []string{}, open: true,
	}
	if len(q.objects) > 0 {
		u.Bucket, u.Key = q.objects[0].bucket, q.objects[0].key
	}
	if q.unasked != "" {
		u.Because, u.open = q.unasked, false
	}
	return u
}

// note takes what was found.
func (u *verified) note(found finding) {
	cache := edge.ReadCache(found.answer)
	*u = verified{
		URL: u.URL, State: found.State, Because: found.Because, Certain: found.Certain,
		Answered: found.err == nil, Bucket: found.object.bucket, Key: found.object.key,
		Encoding: found.encoding, Status: found.answer.Status,
		Node: cache.Node, Address: found.answer.Peer,
		Cache:   strings.TrimSpace(cache.Result + " " + cache.Detail),
		EagleID: found.answer.Header.Get("EagleId"),
		Stored:  cache.Stored, Validated: cache.Validated,
		Evidence:  append([]edge.Evidence{}, found.Evidence...),
		Notes:     append([]string{}, found.Notes...),
		Refreshed: u.Refreshed, unanswered: found.err != nil,
	}
	u.open = found.State == edge.Stale || found.State == edge.Missing || found.Again
}

func (v *verification) count() {
	count := map[edge.State]int{}
	for _, u := range v.URLs {
		count[u.State]++
	}
	v.Fresh, v.Stale, v.Missing = count[edge.Fresh], count[edge.Stale], count[edge.Missing]
	v.Gone, v.Unknown = count[edge.Gone], count[edge.Unknown]
}

func (v verification) summary() string {
	return fmt.Sprintf("%s: %d fresh, %d stale, %d missing, %d gone, %d unknown",
		plural(len(v.URLs), "URL"), v.Fresh, v.Stale, v.Missing, v.Gone, v.Unknown)
}

// failure tells what is not as it should be, and where no answer tells.
func (v verification) failure() error {
	var faults []string
	for _, f := range []struct {
		n    int
		what string
	}{
		{v.Stale, "stale"}, {v.Missing, "missing"}, {v.unanswered(), "without an answer"},
	} {
		if f.n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	if v.Unread > 0 {
		faults = append(faults, plural(v.Unread, "letter")+" unreadable")
	}
	var refused error
	if v.Refresh != nil {
		refused = v.Refresh.failure()
	}
	switch {
	case faults != nil:
		err := fmt.Errorf("of %s: %s", plural(len(v.URLs), "URL"), strings.Join(faults, ", "))
		return errors.Join(hint(err, v.advice()), refused)
	case refused != nil:
		return refused
	case v.Unknown == len(v.URLs):
		err := errors.New("no answer tells whether anything is fresh")
		return hint(err, "see what is said of each URL")
	}
	return nil
}

func (v verification) advice() string {
	switch {
	case v.Stale+v.Missing == 0:
		return "see what is said of each URL"
	case v.Refresh == nil:
		return "refresh them with --refresh --live, and give --wait to wait for it"
	case !v.Refresh.Live:
		return "give --live to send the requests"
	case v.waited:
		return "the time was over: give a longer --timeout"
	}
	return "a refresh takes 5 to 6 minutes: give --wait, or run it again later without --refresh"
}

func (v verification) unanswered() int {
	n := 0
	for _, u := range v.URLs {
		if u.unanswered {
			n++
		}
	}
	return n
}

func (v verification) text(p *page) {
	p.title("%s", v.summary())
	for _, u := range v.URLs {
		u.text(p)
	}
	for _, note := range append(v.Notes, v.nodes()) {
		if note != "" {
			p.line("%s", note)
		}
	}
	if v.Refresh != nil && len(v.Refresh.Requests)+len(v.Refresh.Failed) > 0 {
		p.line("")
		v.Refresh.text(p)
	}
}

// nodes says what the answers do not tell.
func (v verification) nodes() string {
	asked := false
	for _, u := range v.URLs {
		asked = asked || u.Answered
	}
	switch {
	case !asked:
		return ""
	case v.Edge != "":
		return "The node " + v.Edge + " answered; others may serve another copy."
	}
	return "One node answered for each URL, the one that DNS gives here; " +
		"others may serve another copy."
}

func (u verified) text(p *page) {
	why := u.Because
	if !u.Certain && (u.State == edge.Fresh || u.State == edge.Stale) {
		why = "probably: " + why
	}
	p.line("  %-7s  %s  (%s)", u.State, cmp.Or(u.URL, object{u.Bucket, u.Key}.name()), why)
	if u.State == edge.Stale || u.State == edge.Missing {
		p.line("           object %s", object{u.Bucket, u.Key}.name())
		u.evidence(p)
	}
	for _, note := range u.Notes {
		p.line("           %s", note)
	}
	if u.Refreshed {
		p.line("           the API has accepted its refresh")
	}
}

// evidence prints what decided, and the node's own word.
func (u verified) evidence(p *page) {
	for _, e := range u.Evidence {
		switch {
		case e.Says == u.Because:
			const format = "           %s: %s at the node, %s in OSS"
			p.line(format, e.Name, orDash(e.Node), orDash(e.OSS))
		case e.Name == "X-Cache":
			text := "node " + cmp.Or(u.Node, u.Address) + ": " + e.Node + ", " + e.Says
			if !u.Validated.IsZero() {
				text += ", last validated " + u.Validated.Format(time.RFC3339)
			}
			p.line("           %s", text)
		}
	}
}

// targets are what refreshes some of the URLs.
func (v *verifier) targets(which []int) []mapping.Target {
	var targets []mapping.Target
	for _, i := range which {
		targets = append(targets, v.table.target(v.questions[i]))
	}
	return targets
}
