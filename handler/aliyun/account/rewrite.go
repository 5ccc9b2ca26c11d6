package account

import (
	"fmt"
	"regexp"
	"strings"

	"oss-cdn-refresh/handler/aliyun"
)

// A rewrite is a rule of back_to_origin_url_rewrite: it changes the path by which
// the origin is asked, and not the cache key ("Rewrite origin URLs", CDN
// documentation).
type rewrite struct {
	config   aliyun.Config
	from, to string // of a prefix, both with slashes around: "/blog/", "/site/"
	index    string // of an index: its name, with its folder in to
}

// by names the rule in a comment.
func (w rewrite) by() string {
	return fmt.Sprintf("%s to %s (back_to_origin_url_rewrite)",
		w.config.Args["source_url"], w.config.Args["target_url"])
}

// last reports whether no other rule follows where this one has matched.
func (w rewrite) last() bool { return w.config.Args["flag"] != "" }

// findRewrites works out which keys are shown at which path.
func (r *Reading) findRewrites(d Domain) {
	whole := rewrite{from: "/", to: "/"} // of all paths
	wholeAt := -1
	var all []rewrite
	prefixes, open := 0, false // rules of a prefix; whether one lets others follow
	for i, c := range d.always("back_to_origin_url_rewrite") {
		w, ok := parse(c)
		if !ok {
			r.not(Undecided, "the table cannot say what it rewrites: "+w.by())
			continue
		}
		all = append(all, w)
		if w.index != "" {
			continue
		}
		prefixes++
		open = open || !w.last()
		if w.from == "/" && wholeAt < 0 {
			whole, wholeAt = w, i
		}
	}
	if prefixes > 1 && open {
		r.not(Undecided, "several rewrites may follow one another (back_to_origin_url_rewrite)")
	}
	r.mount(whole)
	for i, w := range all {
		switch {
		case w.index != "" && !w.agrees(whole, i < wholeAt):
			r.not(Undecided, "the table cannot say what it rewrites: "+w.by())
		case w.index != "":
			r.Index = append(r.Index, Index{w.index, w.by()})
		case w.from != "/":
			r.mount(w)
		}
	}
}

// mount adds that the keys below the rewrite's target are shown below its source.
func (r *Reading) mount(w rewrite) {
	m := Mount{Key: w.to[1:], Path: w.from}
	if w.config.Function != "" {
		m.By = w.by()
	}
	r.Mounts = append(r.Mounts, m)
}

// agrees reports whether an index document is asked for in the folder that the
// rewrite of all paths leads to.
func (w rewrite) agrees(whole rewrite, before bool) bool {
	if before && !w.last() {
		return w.to == "/" // the other rule follows
	}
	return w.to == whole.to
}

// The forms of rules that the table can express, with slashes that are not
// escaped. A name is made of characters that mean themselves in a regular
// expression, or are escaped.
var (
	// ^/(.*)$, ^/blog/(.*)$; with the slash in the group: ^(/.*)$, ^/blog(/.*)$
	prefixSource = regexp.MustCompile(`^\^((?:[A-Za-z0-9_~/-]|\\[.-])*)\((/?)\.[*+]\)\$?$`)
	// ^(.*)$, (.*)
	anySource = regexp.MustCompile(`^\^?\(\.[*+]\)\$?$`)
	// /site/$1
	prefixTarget = regexp.MustCompile(`^(/?[A-Za-z0-9._~/-]*)\$1$`)

	// ^/$ and ^/?$: of the domain's root
	rootSource  = regexp.MustCompile(`^\^/\??\$$`)
	indexTarget = regexp.MustCompile(`^(/(?:[A-Za-z0-9._~-]+/)*)([A-Za-z0-9._~-]+)$`)
	// ^/(.*)/$, ^(.*)/$, ^(.*/)$, ^/(.*/)$: of every folder
	folderSource = regexp.MustCompile(`^\^(/?)\(\.\*(/?)\)(/?)\$$`)
	folderTarget = regexp.MustCompile(`^/?\$1/?([A-Za-z0-9._~-]+)$`)
)

// parse reads a rule; false: it is none that the table can express.
func parse(c aliyun.Config) (rewrite, bool) {
	w := rewrite{config: c}
	source, target := strings.ReplaceAll(c.Args["source_url"], `\/`, "/"), c.Args["target_url"]
	if rootSource.MatchString(source) {
		m := indexTarget.FindStringSubmatch(target)
		if m == nil {
			return w, false
		}
		w.to, w.index = m[1], m[2]
		return w, true
	}
	if w.index = folderIndex(source, target); w.index != "" {
		w.to = "/"
		return w, true
	}
	to := prefixTarget.FindStringSubmatch(target)
	from := prefixSource.FindStringSubmatch(source)
	switch {
	case to == nil:
		return w, false
	case anySource.MatchString(source): // the group begins with a slash
		w.from, w.to = "/", to[1]+"/"
	case from == nil:
		return w, false
	default:
		w.from = strings.ReplaceAll(from[1], `\`, "") + from[2]
		w.to = to[1] + from[2]
	}
	odd := strings.Contains(w.from+" "+w.to, "//") || strings.Contains(w.from+" "+w.to, "/.")
	whole := strings.HasPrefix(w.from, "/") && strings.HasSuffix(w.from, "/")
	return w, whole && strings.HasPrefix(w.to, "/") && !odd
}

// folderIndex returns the index document of a rule for every folder; empty: it is
// not such a rule.
func folderIndex(source, target string) string {
	from, to := folderSource.FindStringSubmatch(source), folderTarget.FindStringSubmatch(target)
	if from == nil || to == nil || from[2] == "" && from[3] == "" {
		return ""
	}
	// The path must come out with one slash before the name and one at its front.
	group := "docs"
	if from[1] == "" {
		group = "/" + group
	}
	if from[2] != "" {
		group += "/"
	}
	if strings.Replace(target, "$1", group, 1) != "/docs/"+to[1] {
		return ""
	}
	return to[1]
}
