package refresh

import (
	"cmp"
	"slices"

	"oss-cdn-refresh/mapping"
)

// followUps returns what to submit in place of what was refused: the files of
// a refused Directory, File URLs for a refused IgnoreParams, less where the
// quota did not suffice, or directories for files that it did not suffice for.
func (s *submission) followUps() []Request {
	requests := s.overdraw()
	s.mu.Lock()
	defer s.mu.Unlock()
	items := s.unknown(s.follow)
	s.follow = nil
	if len(requests) == 0 { // else there will be more to fold
		items = append(items, s.fold()...)
	}
	sortItems(items)
	return append(requests, Plan(items, s.Limits)...)
}

// overdraw returns, for each product and type whose quota is short, the most
// important half of the most important request that was refused. The other
// items have failed.
func (s *submission) overdraw() []Request {
	s.mu.Lock()
	refused := s.over
	s.over = nil
	s.mu.Unlock()
	slices.SortStableFunc(refused, func(a, b overdrawn) int { return compareItems(a.Items[0], b.Items[0]) })
	var requests []Request
	for _, r := range refused {
		sc := scope{product: r.Product, typ: r.Type}
		half := len(r.Items) / 2
		if s.halved[sc] {
			half = 0
		}
		s.halved[sc] = true
		s.fail(r.Items[half:], r.err)
		if half > 0 {
			r.halving = true
			requests = append(requests, r.with(r.Items[:half]))
		}
	}
	return requests
}

// unknown leaves out fallbacks that are items of the job by themselves, or of
// another fallback.
func (s *submission) unknown(items []*Item) []*Item {
	if !slices.ContainsFunc(items, (*Item).Extra) {
		return items
	}
	if s.known == nil {
		s.known = map[Key]bool{}
		for _, it := range s.job.Items {
			s.known[it.Key()] = true
			for _, file := range it.covered {
				s.known[file.Key()] = true
			}
		}
	}
	for _, it := range items {
		s.known[it.Key()] = s.known[it.Key()] || !it.extra
	}
	return slices.DeleteFunc(items, func(it *Item) bool {
		was := s.known[it.Key()]
		s.known[it.Key()] = true
		return it.extra && was
	})
}

// fallbacks are the File items in place of an IgnoreParams.
func fallbacks(it *Item) []*Item {
	var files []*Item
	for _, url := range it.fallback {
		files = append(files, &Item{
			Product: it.Product, Type: mapping.File, Domain: it.Domain, URL: url,
			Rank: it.Rank, place: it.place, Targets: it.Targets, extra: true, modified: it.modified, root: it.root,
		})
	}
	return files
}

// foldable tells whether a Directory refresh can do for the file.
func (s *submission) foldable(it *Item) bool {
	return s.FoldOnQuota && it.Type == mapping.File && !it.modified && !it.extra && s.parent(it) != ""
}

// parent returns the URL of the file's own directory, or "" where that is a
// domain's root or a target's path, which hold too much.
func (s *submission) parent(it *Item) string {
	for dir := range parents(it) {
		if dir == it.root || dir == "https://"+it.Domain+"/" {
			return ""
		}
		return dir
	}
	return ""
}

// fold makes directories of the files that the quota did not suffice for, the
// fullest first and at most maxFolds an invocation; the other files have
// failed.
func (s *submission) fold() []*Item {
	var folders []*Item
	errs := map[*Item]*Error{}
	for _, o := range s.short {
		dir, created := s.folder(o.Item, s.parent(o.Item))
		if created {
			errs[dir] = o.Err
			folders = append(folders, dir)
		}
		dir.covered = append(dir.covered, o.Item)
		if dir.refused != nil {
			s.unfold(dir, dir.refused)
		}
	}
	s.short = nil
	slices.SortStableFunc(folders, func(a, b *Item) int { return -cmp.Compare(len(a.covered), len(b.covered)) })
	most := min(len(folders), maxFolds-s.folds)
	s.folds += most
	for _, dir := range folders[most:] {
		s.failOne(dir, errs[dir])
	}
	return folders[:most]
}

// unfold gives the files of a refused Directory their outcome.
func (s *submission) unfold(dir *Item, err *Error) {
	for _, file := range dir.covered {
		s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: file, Err: err})
	}
	dir.covered, dir.refused = nil, err
}

// folder returns the Directory that the file is folded into, and whether it is
// a new one.
func (s *submission) folder(file *Item, url string) (dir *Item, created bool) {
	key := Key{file.Product, mapping.Directory, url}
	dir, ok := s.folders[key]
	if !ok {
		dir = &Item{Product: key.Product, Type: key.Type, Domain: file.Domain, URL: url, Rank: file.Rank, place: file.place, folded: true}
		s.folders[key] = dir
	}
	dir.takePlace(file.Rank, file.place)
	return dir, !ok
}
