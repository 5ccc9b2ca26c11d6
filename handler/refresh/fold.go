package refresh

import (
	"cmp"
	"slices"

	"oss-cdn-refresh/mapping"
)

// maxFolds is how many directories an invocation refreshes in place of files
// over the quota: the quota of directories is 100 a day.
const maxFolds = 10

// A folder is a Directory that is refreshed in place of files that the quota of
// URLs was too small for. Files may join it until the submission is done.
type folder struct {
	Item                 // Covered has the files
	refusals   []Outcome // of the files, reported if the Directory is refused too
	acceptance *Outcome  // nil: not accepted so far
	closed     bool      // refused: no more files join it
}

// mayFold reports whether refreshing the file's directory, which has its own
// quota, may replace refreshing the file.
func (q *submission) mayFold(it Item) bool {
	if !q.FoldOnQuota || it.Type != mapping.File || it.Modified || it.Extra {
		return false
	}
	key, ok := q.ownDirectory(it)
	deleting := key
	deleting.Force = true
	return ok && !q.own[key] && !q.own[deleting]
}

// ownDirectory returns the key of the file's own directory. It returns false
// where that is a domain's root or one of Roots, which hold too much.
func (q *submission) ownDirectory(file Item) (Key, bool) {
	key := Key{Kind: Kind{Product: file.Product, Site: file.Site, Type: mapping.Directory}}
	for url := range parents(file) {
		key.URL = url
		break
	}
	return key, !holdsTooMuch(key.URL, file.Domain, q.Roots)
}

// folderOf returns the folder that an item of that key stands for: none where
// the key is of one of the job's Directories, or of a File.
func (q *submission) folderOf(key Key) *folder {
	if key.Type != mapping.Directory || q.own[key] {
		return nil
	}
	return q.findFolder(key)
}

func (q *submission) findFolder(key Key) *folder {
	for _, f := range q.folders {
		if f.Key() == key {
			return f
		}
	}
	return nil
}

// newFolder makes a folder of the importance of the file, the first one in it.
func (q *submission) newFolder(key Key, file Item) *folder {
	f := &folder{Item: inPlaceOf(file, key.URL)}
	q.folders = append(q.folders, f)
	return f
}

// fold puts the files over the quota into folders and returns the new ones to
// send: the fullest first, at most maxFolds an invocation. The files of the
// others have failed.
func (q *submission) fold() []Item {
	files := take(&q.foldable)
	slices.SortStableFunc(files, func(a, b Outcome) int { return compareItems(&a.Item, &b.Item) })
	var created []*folder
	for _, file := range files {
		key, _ := q.ownDirectory(file.Item)
		f := q.folderOf(key)
		if f == nil {
			f = q.newFolder(key, file.Item)
			created = append(created, f)
		}
		if f.closed {
			q.report(file)
			continue
		}
		f.Covered = append(f.Covered, file.Item)
		f.refusals = append(f.refusals, file)
	}
	slices.SortStableFunc(created, func(a, b *folder) int {
		return -cmp.Compare(len(a.Covered), len(b.Covered))
	})
	var sent []Item
	for _, f := range created {
		if q.spent.folds == maxFolds {
			q.closeFolder(f)
			continue
		}
		q.spent.folds++
		sent = append(sent, f.Item)
	}
	return sent
}

// closeFolder gives the files of a refused folder their own outcomes back.
func (q *submission) closeFolder(f *folder) {
	for _, o := range f.refusals {
		q.report(o)
	}
	f.Covered, f.refusals, f.closed = nil, nil, true
}

// reportFolders reports the accepted folders, with all files that joined them.
func (q *submission) reportFolders() {
	for _, f := range take(&q.folders) {
		if f.acceptance != nil {
			f.acceptance.Item = f.Item
			q.report(*f.acceptance)
		}
	}
}

// recall reports the items that an earlier try had accepted, and returns the
// others. A file whose directory was refreshed in its place joins that folder.
func (q *submission) recall(items []Item) []Item {
	if len(q.job.Accepted) == 0 {
		return items
	}
	var rest []Item
	for _, it := range items {
		earlier, ok := q.job.Accepted[it.Key()]
		switch {
		case !ok && it.InPlaceOfFiles():
			if it.Covered = q.recall(it.Covered); len(it.Covered) > 0 {
				rest = append(rest, it)
			}
		case !ok:
			rest = append(rest, it)
		case earlier.Directory == "":
			q.accept([]Item{it}, Outcome{Receipt: earlier.Receipt, Recalled: true})
		default:
			key, _ := q.ownDirectory(it)
			key.URL = earlier.Directory
			f := q.findFolder(key)
			if f == nil {
				f = q.newFolder(key, it)
				f.acceptance = &Outcome{Receipt: earlier.Receipt, Recalled: true}
			}
			f.Covered = append(f.Covered, it)
		}
	}
	return rest
}
