package refresh

import "time"

// accept gives items their outcome.
func (s *submission) accept(items []*Item, receipt Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: it, Receipt: receipt})
	}
}

// fail gives each item its outcome, or leaves it to what may stand in for it.
func (s *submission) fail(items []*Item, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range items {
		s.failOne(it, err)
	}
}

func (s *submission) failOne(it *Item, err *Error) {
	if it.folder {
		s.unfold(it)
		return
	}
	if err.Class == Quota && s.foldable(it) {
		s.foldables = append(s.foldables, Outcome{Item: it, Err: err})
		return
	}
	s.follow = append(s.follow, it.covered...)
	it.covered = nil // they are on their own again
	if err.Class == RefuseType {
		s.follow = append(s.follow, fallbacks(it)...)
	}
	s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: it, Err: err})
}

// prune gives the items their outcome that something stands against, and
// returns the request with the others. What is known does not change
// meanwhile: a request shrinks by all that it concerns.
func (s *submission) prune(r Request) Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []*Item
	for _, it := range r.Items {
		if err := s.stoppedBy(it, r.halving); err != nil {
			s.failOne(it, err)
		} else {
			rest = append(rest, it)
		}
	}
	return r.with(rest)
}

// stoppedBy returns what is known to stand against the item.
func (s *submission) stoppedBy(it *Item, halving bool) *Error {
	for _, sc := range [...]scope{{}, {domain: it.Domain}, {typ: it.Type}} {
		if err := s.stopped[sc]; err != nil && !(halving && err.Class == Quota) {
			return err
		}
	}
	return nil
}

// stop remembers the first refusal of a scope: nothing of it is sent any more.
func (s *submission) stop(sc scope, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped[sc] != nil {
		return
	}
	s.stopped[sc] = err
	if sc.domain != "" {
		close(s.learned)
		s.learned = make(chan struct{})
	}
}

// refuse does what the class of a refusal asks for.
func (s *submission) refuse(r Request, err *Error) {
	switch err.Class {
	case Pack:
		s.pack(r, err)
	case Halve:
		s.halve(r, err)
	case SplitDomains:
		s.splitDomains(r, err)
	case Quota:
		s.quota(r, err)
	case RefuseType:
		s.stop(scope{typ: r.Type}, err)
		s.fail(r.Items, err)
	case StopProduct, StopAll: // which the other product finds out by itself
		s.stop(scope{}, err)
		s.fail(r.Items, err)
	default:
		s.fail(r.Items, err)
	}
}

func (s *submission) pack(r Request, err *Error) {
	limits := s.Limits.of(r.Type)
	limits.RequestBytes = min(limits.RequestBytes, err.Bytes)
	s.send(r.parts(pack(r.Items, limits)...)...)
}

func (s *submission) halve(r Request, err *Error) {
	half := len(r.Items) / 2
	if half == 0 {
		s.fail(r.Items, err)
		return
	}
	s.send(r.parts(r.Items[:half], r.Items[half:])...)
}

// splitDomains sends each domain by itself. One request at a time does: what
// it learns about a domain spares the others that question.
func (s *submission) splitDomains(r Request, err *Error) {
	domains := r.domains()
	if len(domains) == 1 {
		s.stop(scope{domain: r.Items[0].Domain}, err)
		s.fail(r.Items, err)
		return
	}
	rest, release := s.awaitSplitting(r)
	if len(rest.Items) < len(r.Items) {
		release()
		s.send(rest)
		return
	}
	s.send(domains...)
	release()
}

// awaitSplitting waits until no other request is being split, or one has
// learned what this one wants to know: then it returns the rest. It does not
// wait for ever, since that other one may wait for the API.
func (s *submission) awaitSplitting(r Request) (rest Request, release func()) {
	timer := time.NewTimer(s.left() / 4)
	defer timer.Stop()
	for {
		s.mu.Lock()
		learned := s.learned
		s.mu.Unlock()
		if rest = s.prune(r); len(rest.Items) < len(r.Items) {
			return rest, func() {}
		}
		select {
		case s.splitting <- struct{}{}:
			return s.prune(r), func() { <-s.splitting }
		case <-learned:
		case <-timer.C:
			return rest, func() {}
		}
	}
}

// quota stops the request's type. One request of it, the most important, finds
// out how much the quota still holds: see followUps.
func (s *submission) quota(r Request, err *Error) {
	if r.halving {
		s.send(s.lesser(r, err)...)
		return
	}
	s.stop(scope{typ: r.Type}, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.overdrawn = append(s.overdrawn, refusedRequest{r, err})
}

// lesser returns the more important half of a request that the quota did not
// suffice for, if there is one. The other half has failed.
func (s *submission) lesser(r Request, err *Error) []Request {
	half := len(r.Items) / 2
	s.fail(r.Items[half:], err)
	if half == 0 {
		return nil
	}
	r.halving = true
	return []Request{r.with(r.Items[:half])}
}
