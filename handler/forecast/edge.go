package forecast

import "strings"

// An edge caches every URL that people ask for, and every 404, for ever: after
// each publish all of them are asked for. It notes only those of which it has
// something else than the origin.
type edge struct{ stale map[string]cached }

// A cached answer is not what the origin has.
type cached struct {
	content Content
	early   bool // a 404 from before the object's first upload
}

// change notes that the origin has other content for the URL.
func (e *edge) change(url string, st step) {
	c, is := e.stale[url]
	if !is {
		c = cached{st.before, st.early}
	}
	if c.content == st.after {
		delete(e.stale, url)
		return
	}
	e.stale[url] = c
}

// refresh drops a URL, and reports whether it was stale.
func (e *edge) refresh(url string) bool {
	if _, is := e.stale[url]; !is {
		return false
	}
	delete(e.stale, url)
	return true
}

// refreshBelow drops a directory with all that is below it.
func (e *edge) refreshBelow(dir string) {
	for url := range e.stale {
		if strings.HasPrefix(url, dir) {
			delete(e.stale, url)
		}
	}
}

// refreshQueries drops a URL with every query.
func (e *edge) refreshQueries(url string) {
	for other := range e.stale {
		if path, _, _ := strings.Cut(other, "?"); path == url {
			delete(e.stale, other)
		}
	}
}
