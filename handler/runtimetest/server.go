package runtimetest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

func (p *Process) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+p.protocol.root+"/invocation/next", p.next)
	mux.HandleFunc("POST "+p.protocol.root+"/invocation/{id}/response", p.answer(trailerError))
	mux.HandleFunc("POST "+p.protocol.root+"/invocation/{id}/error", p.answer(bodyError))
	mux.HandleFunc("POST "+p.protocol.root+"/init/error", p.initError)
	return mux
}

// next holds a poll until there is an invocation for it. Several polls may wait:
// fc-runtime-go-sdk polls again before it has answered.
func (p *Process) next(w http.ResponseWriter, r *http.Request) {
	p.polled()
	select {
	case in := <-p.queue:
		for name, value := range p.protocol.header(p.program.name(), in, time.Now().Add(in.Timeout)) {
			w.Header().Set(name, value)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(in.Payload)))
		_, _ = w.Write(in.Payload) // fails only when the process ends, which Invoke notices
	case <-r.Context().Done():
	case <-p.done:
	}
}

// answer takes what the function answers; failed reads from it whether the
// invocation failed.
func (p *Process) answer(failed func(*http.Request, []byte) *FunctionError) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "reading the answer: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := p.settle(r.PathValue("id"), Result{Response: body, Err: failed(r, body)}); err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.WriteHeader(p.protocol.accepted)
	}
}

func (p *Process) initError(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "reading the error: "+err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.fault(fmt.Errorf("function reported that its initialization failed: %w", bodyError(r, body)))
	w.WriteHeader(p.protocol.accepted)
}

// bodyError is never nil; a body that is not the JSON of an error becomes its
// message.
func bodyError(_ *http.Request, body []byte) *FunctionError {
	e := new(FunctionError)
	if err := json.Unmarshal(body, e); err != nil {
		return &FunctionError{Message: string(body)}
	}
	return e
}

// trailerError is the error of a response that broke off while it was streamed
// ("AWS Lambda: Building a custom runtime", response streaming), or nil.
func trailerError(r *http.Request, _ []byte) *FunctionError {
	kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		return nil
	}
	body, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
	e := bodyError(r, body)
	e.Type = kind
	return e
}

func (p *Process) polled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.firstPoll == 0 {
		p.firstPoll = time.Since(p.started)
	}
}

// expect makes answer, which must be buffered, the receiver of id's result.
func (p *Process) expect(id string, answer chan<- Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[id] != nil {
		return fmt.Errorf("invoking %q: an invocation with this request id is in flight", id)
	}
	p.open[id] = answer
	return nil
}

// abandon no longer waits for id's result. If there is none yet, one that comes
// late is taken and dropped.
func (p *Process) abandon(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[id] != nil {
		delete(p.open, id)
		p.answered[id] = false
	}
}

// settle hands a result to whom expects it, before the function is told that it
// was taken: it may exit then.
func (p *Process) settle(id string, result Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer, open := p.open[id]
	answered, known := p.answered[id]
	switch {
	case open:
		delete(p.open, id)
		answer <- result
	case !known:
		return p.fault(fmt.Errorf("function answered request id %q, which it was not given", id))
	case answered:
		return p.fault(fmt.Errorf("function answered request id %q twice", id))
	}
	p.answered[id] = true
	return nil
}

// fault remembers err until it is reported; the caller holds the lock.
func (p *Process) fault(err error) error {
	p.faults = append(p.faults, err)
	return err
}

func (p *Process) takeFaults() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := errors.Join(p.faults...)
	p.faults = nil
	return err
}
