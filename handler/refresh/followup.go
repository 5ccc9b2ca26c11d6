package refresh

import (
	"slices"

	"oss-cdn-refresh/mapping"
)

// followUps returns what to submit in place of what was refused: the files of
// a refused Directory, File URLs for a refused IgnoreParams, less where the
// quota did not suffice. At last, when nothing else is to be sent, these are
// directories for files that it did not suffice for: which are the fullest shows
// only then.
func (s *submission) followUps(last bool) []Request {
	requests := s.lesserOf(take(s, &s.overdrawn)) // of which some items fail, and are followed up now
	requests = append(requests, s.plan(s.newFallbacks(take(s, &s.follow)))...)
	if last && len(requests) == 0 {
		return s.plan(s.fold())
	}
	return requests
}

// plan plans the items that were not accepted before.
func (s *submission) plan(items []*Item) []Request {
	sortItems(items)
	return Plan(s.recall(items), s.Limits)
}

// take empties a list that mu guards.
func take[T any](s *submission, list *[]T) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := *list
	*list = nil
	return taken
}

// recall gives the items their outcome that an earlier invocation has had
// accepted, and returns the others.
func (s *submission) recall(items []*Item) []*Item {
	if len(s.job.Accepted) == 0 {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), func(it *Item) bool {
		receipt, ok := s.job.Accepted[it.Key()]
		switch {
		case !ok:
			return false
		case receipt.Directory == "":
			s.accept([]*Item{it}, receipt)
		default:
			s.recallFolded(it, receipt)
		}
		return true
	})
}

// lesserOf halves, for each type whose quota is short, the most important
// request that was refused. The other requests have failed.
func (s *submission) lesserOf(refused []refusedRequest) []Request {
	slices.SortStableFunc(refused, func(a, b refusedRequest) int { return compareItems(a.Items[0], b.Items[0]) })
	var requests []Request
	for _, r := range refused {
		if s.halved[r.Type] {
			s.fail(r.Items, r.err)
			continue
		}
		s.halved[r.Type] = true
		requests = append(requests, s.lesser(r.Request, r.err)...)
	}
	return requests
}

// fallbacks are the File items in place of an IgnoreParams.
func fallbacks(it *Item) []*Item {
	var files []*Item
	for _, url := range it.fallback {
		files = append(files, &Item{
			Product: it.Product, Type: mapping.File, Domain: it.Domain, URL: url,
			Rank: it.Rank, place: it.place, Targets: it.Targets, extra: true, modified: it.modified,
		})
	}
	return files
}

// newFallbacks leaves out fallbacks that are items by themselves, or of another
// fallback.
func (s *submission) newFallbacks(items []*Item) []*Item {
	return slices.DeleteFunc(items, func(it *Item) bool {
		if !it.extra {
			return false
		}
		sent := s.sent[it.Key()]
		s.sent[it.Key()] = true
		return sent
	})
}

// fileKeys are the keys of the File items, those that a Directory covers too.
func fileKeys(items []*Item) map[Key]bool {
	keys := map[Key]bool{}
	for _, it := range items {
		if it.Type == mapping.File {
			keys[it.Key()] = true
		}
		for _, file := range it.covered {
			keys[file.Key()] = true
		}
	}
	return keys
}
