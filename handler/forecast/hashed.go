package forecast

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"oss-cdn-refresh/events"
)

// Hashed folders are those whose files have names that change with their content,
// as far as the history tells so far: what was published later plays no part.
type hashedFolders struct {
	folders map[string]*folder // by the keys' beginning, up to a slash
	spared  map[string]bool    // folders that made a difference
}

// A folder is one that holds files itself.
type folder struct {
	files, hashed int // that were uploaded, each once
	publishes     int // with new files
	overwritten   bool
}

// What makes a folder one of hashed names: so many new files in so many publishes,
// nine in ten of a hashed look, and never one overwritten.
const (
	hashedFiles     = 10
	hashedPublishes = 3
)

// A name looks hashed where a part of it between dots, hyphens or underscores has
// eight letters and digits or more, some of them digits.
var hashedPart = regexp.MustCompile(
	`(^|[._-])([0-9a-f]{8,}|[0-9A-Za-z]*[0-9][0-9A-Za-z]{7,})([._-]|$)`)

func newHashedFolders() *hashedFolders {
	return &hashedFolders{folders: map[string]*folder{}, spared: map[string]bool{}}
}

func folderOf(key string) (name, file string) {
	end := strings.LastIndexByte(key, '/') + 1
	return key[:end], key[end:]
}

// learn takes what a publish tells.
func (h *hashedFolders) learn(steps []step) {
	fresh := map[string]bool{}
	for _, st := range steps {
		name, file := folderOf(st.change.Key)
		f := h.folders[name]
		if f == nil {
			f = &folder{}
			h.folders[name] = f
		}
		switch {
		case st.after == Gone || st.after == st.before:
		case st.before != Gone:
			f.overwritten = true
		default:
			f.files++
			if hashedPart.MatchString(file) {
				f.hashed++
			}
			fresh[name] = true
		}
	}
	for name := range fresh {
		h.folders[name].publishes++
	}
}

// spares reports whether an upload needs no refresh, as far as its folder's past
// tells.
func (h *hashedFolders) spares(c events.Change) bool {
	if c.Kind == events.Removed {
		return false
	}
	name, _ := folderOf(c.Key)
	if f := h.folders[name]; f == nil || name == "" || !f.looksHashed() {
		return false
	}
	h.spared[name] = true
	return true
}

func (f *folder) looksHashed() bool {
	return !f.overwritten && f.files >= hashedFiles && f.publishes >= hashedPublishes &&
		10*f.hashed >= 9*f.files
}

// names are the folders that made a difference, in order.
func (h *hashedFolders) names() []string { return slices.Sorted(maps.Keys(h.spared)) }
