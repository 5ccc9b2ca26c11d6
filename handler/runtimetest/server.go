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

// next answers a poll as soon as there is an invocation for it. Several polls may
// wait: fc-runtime-go-sdk polls again before it has answered.
func (p *Process) next(w http.ResponseWriter, r *http.Request) {
	p.noteFirstPoll()
	select {
	case in := <-p.queue:
		for name, value := range p.protocol.header(p.program.name(), in, time.Now().Add(in.Timeout)) {
			w.Header().Set(name, value)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(in.Payload)))
		_, _ = w.Write(in.Payload) // fails only if the process has ended, which Invoke notices
	case <-r.Context().Done():
	case <-p.done:
	}
}

// answer handles what the function answers. The error of a failed invocation is
// what failed returns.
func (p *Process) answer(failed func(*http.Request, []byte) *FunctionError) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "reading the answer: "+err.Error(), http.StatusBadRequest)
			return
		}
		result := Result{Response: body, Err: failed(r, body)}
		if err := p.deliver(r.PathValue("id"), result); err != nil {
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
	err = fmt.Errorf("function reported that its initialization failed: %w", bodyError(r, body))
	_ = p.addFaultLocked(err)
	w.WriteHeader(p.protocol.accepted)
}

// bodyError reads the JSON of an error. A body that is something else becomes
// the error's message.
func bodyError(_ *http.Request, body []byte) *FunctionError {
	e := new(FunctionError)
	if err := json.Unmarshal(body, e); err != nil {
		return &FunctionError{Message: string(body)}
	}
	return e
}

// trailerError returns the error of a response that broke off while it was
// streamed ("AWS Lambda: Building a custom runtime", response streaming), or nil.
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

func (p *Process) noteFirstPoll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.firstPoll == 0 {
		p.firstPoll = time.Since(p.started)
	}
}

// expect registers the channel that the result of id is delivered to. It must be
// buffered.
func (p *Process) expect(id string, answer chan<- Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[id] != nil {
		return fmt.Errorf("invoking %q: an invocation with this request id is in flight", id)
	}
	p.open[id] = answer
	return nil
}

// abandon stops waiting for the result of id. One that comes later is accepted
// from the function and dropped.
func (p *Process) abandon(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[id] != nil {
		delete(p.open, id)
		p.answered[id] = false
	}
}

// deliver sends a result to the invocation that expects it. The function is told
// afterwards that its answer was taken, because it may exit then.
func (p *Process) deliver(id string, result Result) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	answer, open := p.open[id]
	answered, known := p.answered[id]
	switch {
	case open:
		delete(p.open, id)
		answer <- result
	case !known:
		return p.addFaultLocked(
			fmt.Errorf("function answered request id %q, which it was not given", id))
	case answered:
		return p.addFaultLocked(fmt.Errorf("function answered request id %q twice", id))
	}
	p.answered[id] = true
	return nil
}

// addFaultLocked stores a violation of the protocol until it is reported, and
// returns it.
func (p *Process) addFaultLocked(err error) error {
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
