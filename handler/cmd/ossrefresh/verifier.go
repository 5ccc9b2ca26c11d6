package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"oss-cdn-refresh/handler/edge"
)

const (
	atOnce    = 10                    // questions, each over one connection
	interval  = 20 * time.Millisecond // from one question to the next
	firstWait = time.Second
	lastWait  = 15 * time.Second
)

// encodings are what a URL is asked with: nodes may keep a copy for each, and
// visitors' browsers ask for compressed ones.
var encodings = []string{"identity", "gzip"}

// A verifier asks nodes and OSS, and compares. One goroutine owns it; those that
// ask send what they found to it.
type verifier struct {
	table     verifyTable
	store     store
	clients   []*edge.Client // one for each question at once
	pacer     pacer
	questions []question
	doc       verification // URLs are those of questions, in their order
	sender    *sender      // nil: nothing is refreshed
	tried     map[int]bool // to refresh
	progress  func(format string, args ...any)
}

func newVerifier(table verifyTable, s store, node edge.Node, questions []question) *verifier {
	v := &verifier{
		table: table, store: s, pacer: pacer{interval: interval},
		questions: questions, tried: map[int]bool{},
		doc: verification{Edge: string(node), URLs: []verified{}, Notes: []string{}},
	}
	for _, q := range questions {
		v.doc.URLs = append(v.doc.URLs, newVerified(q))
	}
	for range min(atOnce, len(questions)) {
		v.clients = append(v.clients, &edge.Client{Node: node})
	}
	return v
}

// run asks for everything, once or until it is settled or ctx ends.
func (v *verifier) run(ctx context.Context, wait bool) {
	for pause := firstWait; ; pause = min(2*pause, lastWait) {
		v.round(ctx)
		v.refresh(ctx)
		v.doc.count()
		if !wait || len(v.open()) == 0 || ctx.Err() != nil {
			return
		}
		v.progress("%s; asking again in %v", v.doc.summary(), pause)
		if sleep(ctx, pause) != nil {
			return
		}
	}
}

// open are the questions that another answer may settle, those of a domain
// together, so that connections are kept.
func (v *verifier) open() []int {
	var open []int
	for i, u := range v.doc.URLs {
		if u.open {
			open = append(open, i)
		}
	}
	slices.SortStableFunc(open, func(a, b int) int {
		return cmp.Compare(domainOf(v.questions[a].url), domainOf(v.questions[b].url))
	})
	return open
}

// A finding is what the answers to a question come to.
type finding struct {
	question int
	edge.Judgement
	answer   edge.Answer
	encoding string
	object   object
	err      error // the node or OSS did not answer
}

// differs notes what another encoding's answer came to.
func (f *finding) differs(other finding) {
	note := fmt.Sprintf("with Accept-Encoding: %s it is %s", other.encoding, other.State)
	f.Notes = append(f.Notes, note)
}

// round asks all that is open.
func (v *verifier) round(ctx context.Context) {
	open := v.open()
	jobs, findings := make(chan int, len(open)), make(chan finding)
	for _, i := range open {
		jobs <- i
	}
	close(jobs)
	objects := &objectsOnce{store: v.store, asked: map[object]func() (edge.Answer, error){}}
	for _, client := range v.clients[:min(len(v.clients), len(open))] {
		go func() {
			for i := range jobs {
				found := v.ask(ctx, client, objects, v.questions[i])
				found.question = i
				findings <- found
			}
		}()
	}
	for n := range open {
		found := <-findings
		u := &v.doc.URLs[found.question]
		late := found.err != nil && ctx.Err() != nil
		if !late || u.State == edge.Unknown { // else the last finding stays
			u.note(found)
		}
		v.progress("%d of %s asked", n+1, plural(len(open), "URL"))
	}
}

// ask asks for a URL in each encoding and returns the worst finding.
func (v *verifier) ask(
	ctx context.Context, client *edge.Client, objects *objectsOnce, q question,
) finding {
	var worst finding
	for i, encoding := range encodings {
		err := v.pacer.wait(ctx)
		var answer edge.Answer
		if err == nil {
			answer, err = client.Head(ctx, q.url, encoding)
		}
		found := finding{answer: answer, encoding: encoding, object: q.objects[0]}
		if err == nil {
			found.Judgement, found.object, err = v.judge(ctx, objects, q, answer)
		}
		if err != nil {
			if ctx.Err() != nil {
				err = errors.New("there was no time to ask")
			}
			found.err = err
			found.Judgement = edge.Judgement{
				State: edge.Unknown, Because: err.Error(), Again: temporary(err),
				Notes: wordOf(answer),
			}
			return found
		}
		switch {
		case i == 0:
			worst = found
		case weight(found.State) > weight(worst.State):
			found.differs(worst)
			worst = found
		case weight(found.State) < weight(worst.State):
			worst.differs(found)
		}
	}
	return worst
}

// wordOf says what a node has answered: where OSS cannot be asked, the operator may
// compare it with what is known of the upload.
func wordOf(node edge.Answer) []string {
	if node.Status == 0 {
		return nil
	}
	text := fmt.Sprintf("the node answered %d", node.Status)
	for _, name := range []string{"Last-Modified", "Age", "X-Cache"} {
		if value := node.Header.Get(name); value != "" {
			text += ", " + name + ": " + value
		}
	}
	return []string{text}
}

// temporary reports whether another try may be answered: not where a name or a
// certificate is wrong, or OSS has refused.
func temporary(err error) bool {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var refused *refusedError
	switch {
	case errors.As(err, &name):
		return !name.IsNotFound
	case errors.As(err, &refused):
		return refused.status >= http.StatusInternalServerError
	}
	return !errors.As(err, &certificate)
}

// weight orders states by how bad they are.
func weight(s edge.State) int {
	return map[edge.State]int{edge.Unknown: 1, edge.Missing: 2, edge.Stale: 3}[s]
}

// judge compares an answer with what OSS holds of the objects that the URL may
// show. OSS is asked first after the node, so that a node is seldom ahead of what
// OSS has said.
func (v *verifier) judge(
	ctx context.Context, objects *objectsOnce, q question, node edge.Answer,
) (edge.Judgement, object, error) {
	var held []object
	var judged []edge.Judgement
	for _, o := range q.objects {
		if o.marker() && len(held) > 0 { // the index page is shown
			continue
		}
		answer, err := objects.head(ctx, o)
		if err != nil {
			return edge.Judgement{}, o, err
		}
		if answer.Status != http.StatusNotFound {
			held = append(held, o)
			judged = append(judged, edge.Judge(node, answer, processed(q.url, o)))
		}
	}
	if len(held) == 0 {
		held = q.objects[:1]
		nothing := edge.Answer{Status: http.StatusNotFound}
		judged = append(judged, edge.Judge(node, nothing, false))
	}
	first, which := judged[0], held[0]
	for i, j := range judged {
		if j.State != first.State { // what it is depends on which is shown
			first.State, first.Certain = edge.Unknown, false
			first.Because = "the table does not say which is shown there: " +
				which.name() + ", or " + held[i].name()
			return first, which, nil
		}
	}
	if first.State == edge.Stale && q.directory {
		first.State, first.Certain, first.Because = edge.Unknown, false, noIndex
	}
	return first, which, nil
}

// refresh refreshes what is stale or missing, each URL once.
func (v *verifier) refresh(ctx context.Context) {
	if v.sender == nil || ctx.Err() != nil {
		return
	}
	var which []int
	for i, u := range v.doc.URLs {
		if weight(u.State) > weight(edge.Unknown) && !v.tried[i] {
			which = append(which, i)
		}
	}
	if len(which) == 0 {
		return
	}
	targets := v.targets(which)
	accepted := v.sender.send(ctx, v.doc.Refresh, targets, func(n, of int) {
		v.progress("%d of %s refreshed", n, plural(of, "URL"))
	})
	for n, i := range which {
		v.tried[i] = true
		v.doc.URLs[i].Refreshed = accepted[n] && v.sender.api != nil
	}
}

func (v *verifier) close() {
	for _, client := range v.clients {
		client.Close()
	}
}

// objectsOnce asks OSS for each object once: many URLs may show one.
type objectsOnce struct {
	store store
	mu    sync.Mutex
	asked map[object]func() (edge.Answer, error)
}

func (a *objectsOnce) head(ctx context.Context, o object) (edge.Answer, error) {
	a.mu.Lock()
	ask := a.asked[o]
	if ask == nil {
		ask = sync.OnceValues(func() (edge.Answer, error) {
			return a.store.head(ctx, o.bucket, o.key)
		})
		a.asked[o] = ask
	}
	a.mu.Unlock()
	return ask()
}

// A pacer lets things start at even intervals.
type pacer struct {
	interval time.Duration
	mu       sync.Mutex
	next     time.Time
}

func (p *pacer) wait(ctx context.Context) error {
	p.mu.Lock()
	start := time.Now()
	if p.next.After(start) {
		start = p.next
	}
	p.next = start.Add(p.interval)
	p.mu.Unlock()
	return sleep(ctx, time.Until(start))
}
