package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// credentialsFrom reads the caller's credentials.
func credentialsFrom(getenv func(string) string) (aliyun.Credentials, error) {
	credentials := aliyun.CredentialsFrom(getenv)
	if credentials.AccessKeyID == "" || credentials.AccessKeySecret == "" {
		return credentials, hint(errors.New("the environment has no credentials"),
			"set ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for a role, ALIBABA_CLOUD_SECURITY_TOKEN")
	}
	return credentials, nil
}

// callerFrom returns a caller of the real API, or of the one that
// REFRESH_ENDPOINT names.
func callerFrom(getenv func(string) string) (*aliyun.Caller, error) {
	credentials, err := credentialsFrom(getenv)
	if err != nil {
		return nil, err
	}
	client, err := aliyun.ClientFrom(getenv)
	if err != nil {
		return nil, err
	}
	return client.With(credentials), nil
}

// unanswered words the error of a call that changes nothing: without an answer
// there is nothing to wonder about.
func unanswered(err error) error {
	var e *refresh.Error
	if !errors.As(err, &e) {
		return err
	}
	worded := *e
	worded.Message, _, _ = strings.Cut(e.Message, "; whether the API accepted")
	return &worded
}

// tableOf reads the table or, where none is named and none is there, one that
// has the defaults.
func tableOf(flag tableFlag) (*mapping.Table, error) {
	if _, err := os.Stat(flag.file()); err != nil && flag.Mapping == "" {
		return mapping.Parse("defaults", []byte("rules: [{bucket: none, targets: [{domain: example.com}]}]"))
	}
	return flag.load()
}

// A sender submits targets as the function does, but for folding files into
// directories when the quota ends: by hand, that is for people to decide.
type sender struct {
	live      bool
	api       *remembering
	submitter *refresh.Submitter
	accepted  map[refresh.Key]bool // targets, by earlier calls of send
}

// newSender returns one that calls the API or, in a dry run, nothing.
func newSender(c *console, live bool, r mapping.Refresh) (*sender, error) {
	s := &sender{
		live:      live,
		api:       &remembering{new(rehearsal), map[scope]*refresh.Error{}},
		submitter: handler.NewSubmitter(r),
		accepted:  map[refresh.Key]bool{},
	}
	s.submitter.FoldOnQuota = false // what is named by hand is refreshed as named
	if !live {
		s.submitter.CallsPerSecond = map[mapping.Product]int{mapping.DCDN: 1e4, mapping.CDN: 1e4}
		return s, nil
	}
	caller, err := callerFrom(c.getenv)
	s.api.Refresher = caller
	return s, err
}

// send submits the targets that were not accepted before.
func (s *sender) send(ctx context.Context, targets []mapping.Target) refresh.Result {
	targets = slices.DeleteFunc(targets, func(t mapping.Target) bool { return s.accepted[keyOf(t)] })
	result := s.submitter.Submit(ctx, refresh.Job{API: s.api, Items: refresh.Debounce(targets)})
	for _, o := range result.Outcomes {
		s.api.remember(o)
		for _, i := range o.Item.All() {
			if o.Err == nil && !o.Item.Extra() { // which would be a stand-in for what failed
				s.accepted[keyOf(targets[i])] = true
			}
		}
	}
	return result
}

func keyOf(t mapping.Target) refresh.Key {
	return refresh.Key{Product: t.Product, Type: t.Type, URL: t.URL}
}

// A remembering API answers by itself what earlier calls of send have found
// refused for all that is left to send.
type remembering struct {
	refresh.Refresher
	refused map[scope]*refresh.Error
}

// A scope is what a refusal holds for. An empty field stands for all.
type scope struct{ product, typ string }

func (r *remembering) remember(o refresh.Outcome) {
	if o.Err == nil {
		return
	}
	switch o.Err.Class {
	case refresh.Quota:
		r.refused[scope{string(o.Item.Product), string(o.Item.Type)}] = o.Err
	case refresh.StopProduct:
		r.refused[scope{product: string(o.Item.Product)}] = o.Err
	case refresh.StopAll:
		r.refused[scope{}] = o.Err
	}
}

// Refresh calls the API where nothing is known to stand against it.
func (r *remembering) Refresh(ctx context.Context, call refresh.Call) (refresh.Receipt, error) {
	for _, sc := range []scope{{}, {product: call.Product}, {call.Product, call.Type}} {
		if err := r.refused[sc]; err != nil {
			known := *err
			known.Unsent = true
			return refresh.Receipt{}, &known
		}
	}
	return r.Refresher.Refresh(ctx, call)
}

// A rehearsal is an API that accepts everything and does nothing.
type rehearsal struct{ calls atomic.Int64 }

// Refresh gives each call a receipt of its own, which tells requests apart.
func (r *rehearsal) Refresh(context.Context, refresh.Call) (refresh.Receipt, error) {
	return refresh.Receipt{RequestID: fmt.Sprintf("dry run %d", r.calls.Add(1))}, nil
}

// A submission is what became of targets.
type submission struct {
	Live     bool      `json:"live"`
	Requests []request `json:"requests"` // accepted ones; in a dry run, those that would be sent
	Failed   []group   `json:"failed"`
}

// add adds the outcomes of a send, grouped by their fate.
func (s *submission) add(outcomes []refresh.Outcome) {
	for _, o := range outcomes {
		if o.Err == nil {
			s.accept(o)
		} else {
			s.refuse(o)
		}
	}
}

func (s *submission) accept(o refresh.Outcome) {
	product, typ := string(o.Item.Product), string(o.Item.Type)
	i := slices.IndexFunc(s.Requests, func(r request) bool {
		return r.RequestID == o.Receipt.RequestID && r.Product == product && r.Type == typ
	})
	if i < 0 {
		i = len(s.Requests)
		s.Requests = append(s.Requests, request{Product: product, Type: typ, TaskID: o.Receipt.TaskID, RequestID: o.Receipt.RequestID})
	}
	r := &s.Requests[i]
	r.URLs = append(r.URLs, o.Item.URL)
	r.Count = len(r.URLs)
}

func (s *submission) refuse(o refresh.Outcome) {
	product, typ := string(o.Item.Product), string(o.Item.Type)
	i := slices.IndexFunc(s.Failed, func(g group) bool {
		return g.Code == o.Err.Code && g.Product == product && g.Type == typ
	})
	if i < 0 {
		i = len(s.Failed)
		s.Failed = append(s.Failed, group{Product: product, Type: typ, Code: o.Err.Code, Error: o.Err.Message, Retryable: o.Err.Class.Retryable()})
	}
	s.Failed[i].URLs = append(s.Failed[i].URLs, o.Item.URL)
}

func newSubmission(live bool) submission {
	return submission{Live: live, Requests: []request{}, Failed: []group{}}
}

func (s submission) text(p *page) {
	if !s.Live && len(s.Requests) > 0 {
		p.title("DRY RUN: nothing is sent without --live")
	}
	callLog{Requests: s.Requests, Failed: s.Failed}.text(p, nil)
}

// failure tells how much failed, and why.
func (s submission) failure() error {
	n := 0
	var codes []string
	for _, g := range s.Failed {
		n += len(g.URLs)
		codes = append(codes, g.Code)
	}
	if n == 0 {
		return nil
	}
	slices.Sort(codes)
	return fmt.Errorf("%s failed: %s", plural(n, "URL"), strings.Join(slices.Compact(codes), ", "))
}
