package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"oss-cdn-refresh/handler"
	"oss-cdn-refresh/handler/aliyun"
	"oss-cdn-refresh/handler/refresh"
	"oss-cdn-refresh/mapping"
)

// credentialsFrom reads the caller's credentials. The option is that of ossrefresh
// policy which prints what they need to be allowed; "" where none does.
func credentialsFrom(getenv func(string) string, option string) (aliyun.Credentials, error) {
	credentials := aliyun.CredentialsFrom(getenv)
	if credentials.AccessKeyID != "" && credentials.AccessKeySecret != "" {
		return credentials, nil
	}
	text := "set ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, " +
		"for a role, ALIBABA_CLOUD_SECURITY_TOKEN"
	if option != "" {
		text += "; ossrefresh policy --account ID " + option + " prints what the credentials must be allowed"
	}
	return credentials, hint(errors.New("the environment has no credentials"), text)
}

// callerFrom returns a caller of the real API, or of the one that
// REFRESH_ENDPOINT names.
func callerFrom(getenv func(string) string) (*aliyun.Caller, error) {
	credentials, err := credentialsFrom(getenv, "--operator")
	if err != nil {
		return nil, err
	}
	client, err := aliyun.ClientFrom(getenv, handler.Version())
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
		const defaults = "rules: [{bucket: none, targets: [{domain: example.com}]}]"
		table, err := mapping.Parse("defaults", []byte(defaults))
		if err == nil {
			table.Rules = nil
		}
		return table, err
	}
	return flag.load()
}

// A sender submits targets as the function does, but for folding files into
// directories when the quota ends: by hand, that is for people to decide.
type sender struct {
	api       refresh.Refresher // nil: a dry run
	submitter *refresh.Submitter
}

// newSender returns one that calls the API or, in a dry run, nothing.
func newSender(c *console, live bool, r mapping.Refresh) (*sender, error) {
	s := &sender{submitter: handler.NewSubmitter(r, 1)}
	s.submitter.FoldOnQuota = false // what is named by hand is refreshed as named
	if !live {
		return s, nil
	}
	caller, err := callerFrom(c.getenv)
	if err != nil {
		return nil, err
	}
	s.api = caller
	return s, nil
}

func (s *sender) live() bool { return s.api != nil }

// send submits the targets and adds what became of them to the document. It
// returns, for each target, whether it was accepted. progress may be nil; it is
// called with the number of URLs that are decided, and of all.
func (s *sender) send(
	ctx context.Context, doc *sendResult, targets []mapping.Target, progress func(n, of int),
) []bool {
	numbered := make([]refresh.Target, len(targets))
	for i, t := range targets {
		numbered[i] = refresh.Target{Target: t, Record: i}
	}
	items := refresh.Debounce(numbered)
	requests := refresh.Plan(items, s.submitter.Limits)
	var result refresh.Result
	if !s.live() {
		result = refresh.DryRun(requests)
		doc.plan(requests)
	} else {
		done := 0
		count := func(refresh.Outcome) {
			if done++; progress != nil {
				progress(done, len(items))
			}
		}
		job := refresh.Job{API: s.api, Requests: requests, Done: count}
		result = s.submitter.Submit(ctx, job)
		doc.add(result.Outcomes)
		order := make([]targetView, len(items))
		for i, it := range items {
			order[i] = newItemView(it)
		}
		inOrder(doc.Requests, doc.Failed, ranks(order))
	}
	accepted := make([]bool, len(targets))
	for _, o := range result.Outcomes {
		if o.Err != nil || o.Item.Extra { // a stand-in for what failed
			continue
		}
		for _, i := range o.Item.AllRecords() {
			accepted[i] = true
		}
	}
	return accepted
}

// A sendResult is what became of targets.
type sendResult struct {
	Live     bool          `json:"live"`
	Requests []callView    `json:"requests"` // accepted ones; in a dry run, those that would be sent
	Failed   []failureView `json:"failed"`
}

// plan adds the requests of a dry run.
func (s *sendResult) plan(requests []refresh.Request) {
	for _, r := range requests {
		s.Requests = append(s.Requests, callView{
			Product: string(r.Product), Site: r.Site, Type: string(r.Type),
			Count: len(r.Items), URLs: r.URLs(),
		})
	}
}

// add adds the outcomes of a send, grouped by their fate.
func (s *sendResult) add(outcomes []refresh.Outcome) {
	for _, o := range outcomes {
		if o.Err == nil {
			s.accept(o)
		} else {
			s.refuse(o)
		}
	}
}

func (s *sendResult) accept(o refresh.Outcome) {
	of := newItemView(o.Item)
	i := slices.IndexFunc(s.Requests, func(r callView) bool {
		return r.RequestID == o.Receipt.RequestID &&
			r.Product == of.Product && r.Site == of.Site && r.Type == of.Type
	})
	if i < 0 {
		i = len(s.Requests)
		s.Requests = append(s.Requests, callView{
			Product: of.Product, Site: of.Site, Type: of.Type,
			TaskID: o.Receipt.TaskID, RequestID: o.Receipt.RequestID,
		})
	}
	r := &s.Requests[i]
	r.URLs = append(r.URLs, o.Item.URL)
	r.Count = len(r.URLs)
}

func (s *sendResult) refuse(o refresh.Outcome) {
	of := newItemView(o.Item)
	i := slices.IndexFunc(s.Failed, func(g failureView) bool {
		return g.Code == o.Err.Code &&
			g.Product == of.Product && g.Site == of.Site && g.Type == of.Type
	})
	if i < 0 {
		i = len(s.Failed)
		s.Failed = append(s.Failed, failureView{
			Product: of.Product, Site: of.Site, Type: of.Type, Code: o.Err.Code,
			Error: o.Err.Message, Retryable: o.Err.Class.Retryable(),
			stopped: o.Err.Class == refresh.StopAll,
		})
	}
	s.Failed[i].URLs = append(s.Failed[i].URLs, o.Item.URL)
}

func newSendResult(live bool) sendResult {
	return sendResult{Live: live, Requests: []callView{}, Failed: []failureView{}}
}

func (s sendResult) text(p *page) {
	if !s.Live && len(s.Requests) > 0 {
		p.title("DRY RUN: nothing is sent without --live")
	}
	callLog{Requests: s.Requests, Failed: s.Failed}.text(p, nil)
}

// failure says how much failed, and why.
func (s sendResult) failure() error {
	n := 0
	stopped := false
	var codes []string
	for _, g := range s.Failed {
		stopped = stopped || g.stopped
		n += len(g.URLs)
		codes = append(codes, g.Code)
	}
	if n == 0 {
		return nil
	}
	slices.Sort(codes)
	err := fmt.Errorf("%s failed: %s",
		plural(n, "URL"), strings.Join(slices.Compact(codes), ", "))
	if !stopped {
		return err
	}
	return hint(err, "check ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, "+
		"for a role, ALIBABA_CLOUD_SECURITY_TOKEN")
}
