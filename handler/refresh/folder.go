package refresh

import (
	"cmp"
	"slices"

	"oss-cdn-refresh/mapping"
)

// maxFolders is how many directories an invocation refreshes in place of files
// over the quota: the quota of directories is 100 a day.
const maxFolders = 10

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
	url := ownDirectory(it)
	return !holdsTooMuch(url, it.Domain, q.Roots) && !q.own[url]
}

// ownDirectory returns the URL of the directory that the file is in.
func ownDirectory(file Item) (url string) {
	for url = range parents(file) {
		break
	}
	return url
}

// folderOf returns the folder that the item stands for: none where it is a File,
// or one of the job's Directories.
func (q *submission) folderOf(it Item) *folder {
	if it.Type != mapping.Directory || q.own[it.URL] {
		return nil
	}
	return q.findFolder(it.URL)
}

func (q *submission) findFolder(url string) *folder {
	for _, f := range q.folders {
		if f.URL == url {
			return f
		}
	}
	return nil
}

// newFolder makes a folder of the importance of the file, the first one in it.
func (q *submission) newFolder(url string, file Item) *folder {
	f := &folder{Item: inPlaceOf(file, url)}
	q.folders = append(q.folders, f)
	return f
}

// foldOverQuota puts the files over the quota into folders and returns the new
// ones to send: the fullest first, at most maxFolders an invocation. The files of the
// others have failed. As in [Fold], a folder with a removed file has Force.
func (q *submission) foldOverQuota() []Item {
	files := take(&q.foldable)
	sortOutcomes(files)
	var created []*folder
	for _, file := range files {
		url := ownDirectory(file.Item)
		f := q.findFolder(url)
		if f == nil {
			f = q.newFolder(url, file.Item)
			created = append(created, f)
		}
		removed := file.Item.Rank == Removal
		switch {
		case slices.Contains(created, f):
			f.Force = f.Force || removed
		case f.closed, removed && !f.Force: // it was sent without this file in mind
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
		if q.spent.folders == maxFolders {
			q.closeFolder(f)
			continue
		}
		q.spent.folders++
		sent = append(sent, f.Item)
	}
	return sent
}

// closeFolder gives the files of a refused folder their own outcomes back, unless
// an earlier try had it accepted.
func (q *submission) closeFolder(f *folder) {
	if f.acceptance != nil {
		return
	}
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
			f := q.findFolder(earlier.Directory)
			if f == nil {
				f = q.newFolder(earlier.Directory, it)
				f.Force = earlier.Force
			}
			if f.acceptance == nil {
				f.acceptance = &Outcome{Receipt: earlier.Receipt, Recalled: true}
			}
			f.Covered = append(f.Covered, it)
		}
	}
	return rest
}
