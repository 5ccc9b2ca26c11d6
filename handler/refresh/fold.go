package refresh

import (
	"cmp"
	"slices"

	"oss-cdn-refresh/mapping"
)

// foldable tells whether a Directory refresh, of its own quota, can do for the
// file that the quota of URLs did not suffice for.
func (s *submission) foldable(it *Item) bool {
	if !s.FoldOnQuota || it.Type != mapping.File || it.modified || it.extra {
		return false
	}
	key := s.folderKey(it)
	return key.URL != "" && !s.ownDirectories[key]
}

// folderKey is that of the file's own directory. It has no URL where that is a
// domain's root or one of Roots, which hold too much.
func (s *submission) folderKey(file *Item) Key {
	key := Key{file.Product, mapping.Directory, ""}
	for dir := range parents(file) {
		if !s.Roots[dir] && dir != "https://"+file.Domain+"/" {
			key.URL = dir
		}
		break
	}
	return key
}

// fold makes directories of the files that the quota did not suffice for, the
// fullest first and at most maxFolds an invocation; the other files have
// failed.
func (s *submission) fold() []*Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.foldables, func(a, b Outcome) int { return compareItems(a.Item, b.Item) })
	var created []*Item
	for _, o := range s.foldables {
		key := s.folderKey(o.Item)
		dir, ok := s.folders[key]
		if !ok {
			dir = s.newFolder(key, o.Item)
			created = append(created, dir)
		}
		s.hold(dir, o)
	}
	s.foldables = nil
	slices.SortStableFunc(created, func(a, b *Item) int { return -cmp.Compare(len(a.covered), len(b.covered)) })
	most := 0
	for most < len(created) && s.folds.Add(1) <= maxFolds {
		most++
	}
	for _, dir := range created[most:] {
		s.unfold(dir)
	}
	return created[:most]
}

// newFolder makes a Directory of the importance of the file, the first one for
// it.
func (s *submission) newFolder(key Key, file *Item) *Item {
	dir := &Item{Product: key.Product, Type: key.Type, Domain: file.Domain, URL: key.URL, Rank: file.Rank, place: file.place, folder: true}
	s.folders[key] = dir
	return dir
}

// hold hands a file to a Directory that does for it. One that was refused does
// not.
func (s *submission) hold(dir *Item, file Outcome) {
	if dir.refused {
		s.result.Outcomes = append(s.result.Outcomes, file)
		return
	}
	dir.covered = append(dir.covered, file.Item)
	dir.held = append(dir.held, file)
}

// unfold gives the files of a refused Directory the outcome that they had.
func (s *submission) unfold(dir *Item) {
	s.result.Outcomes = append(s.result.Outcomes, dir.held...)
	dir.covered, dir.held, dir.refused = nil, nil, true
}

// recallFolded reports the Directory that an earlier invocation has refreshed
// in place of the file.
func (s *submission) recallFolded(file *Item, receipt Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := Key{file.Product, mapping.Directory, receipt.Directory}
	dir, ok := s.folders[key]
	if !ok {
		dir = s.newFolder(key, file)
		receipt.Directory = ""
		s.result.Outcomes = append(s.result.Outcomes, Outcome{Item: dir, Receipt: receipt})
	}
	dir.covered = append(dir.covered, file)
}
