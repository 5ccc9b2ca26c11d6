package mapping

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
)

// Check reads the table in a file as [Load] does. With the table it returns
// warnings: what is not a fault, but unlikely to be meant, or dearer than it looks.
// Each hint says what to write instead, and where there is one, what to write to
// say that it is meant.
func Check(file string) (*Table, Faults, error) {
	data, err := read(file)
	if err != nil {
		return nil, nil, err
	}
	return checkText(file, data)
}

func checkText(name string, data []byte) (*Table, Faults, error) {
	t, err := Parse(name, data)
	if err != nil {
		return nil, nil, err
	}
	root, _ := document(data)
	w := &decoder{file: name}
	t.warnings(func(path []step, hint, problem string) {
		w.path = path
		w.fault(nodeAt(root, path), hint, "%s", problem)
	})
	w.faults.sort()
	return t, w.faults, nil
}

// nodeAt returns the node at a path, or the one that is the nearest to it.
func nodeAt(n *yaml.Node, path []step) *yaml.Node {
	for _, s := range path {
		next := child(n, s.key)
		if s.key == "" {
			next = n.Content[s.index]
		}
		if next == nil {
			break
		}
		n = next
	}
	return n
}

// A warner calls warn with the path of what is doubtful in a table, the hint and the
// problem.
type warner struct {
	table *Table
	warn  func(path []step, hint, problem string)
	path  []step // to the rule or target that is looked at
}

// add warns of the value of a key, or of the whole where key is "". Nothing is said
// where there is no problem; the result says whether there is one.
func (w *warner) add(key, problem, hint string) bool {
	if problem == "" {
		return false
	}
	path := slices.Clone(w.path)
	if key != "" {
		path = append(path, step{key: key})
	}
	w.warn(path, hint, problem)
	return true
}

// addItem warns of an item of the list at a key.
func (w *warner) addItem(key string, index int, text, problem, hint string) bool {
	if problem == "" {
		return false
	}
	path := append(slices.Clone(w.path), step{key: key}, step{index: index})
	w.warn(path, hint, quote(text)+" "+problem)
	return true
}

// warnings calls warn for each thing of the table that is unlikely to be meant.
func (t *Table) warnings(warn func(path []step, hint, problem string)) {
	w := &warner{table: t, warn: warn}
	for i := range t.Rules {
		w.rule(i, &t.Rules[i])
	}
	if t.Refresh.Fold > 0 {
		warn([]step{{key: "refresh"}, {key: "fold"}},
			"let the function get its events in batches, as the trigger burst does",
			"it counts the files of one invocation: where each event is an invocation, it never applies")
	}
}

func (w *warner) rule(i int, r *Rule) {
	rule := []step{{key: "rules"}, {index: i}}
	w.path = rule
	problem, hint := bucketDoubt(r.Bucket)
	w.add("bucket", problem, hint)
	problem, hint = r.prefixDoubt()
	oddPrefix := w.add("prefix", problem, hint)
	if !oddPrefix {
		problem, hint = w.table.takenDoubt(r)
		w.add("prefix", problem, hint)
	}
	oddGlob := false // of those that say what is let through
	for j, glob := range r.Include {
		problem, hint := r.globDoubt(glob, false)
		oddGlob = w.addItem("include", j, glob, problem, hint) || oddGlob
	}
	for j, glob := range r.Exclude {
		problem, hint := r.globDoubt(glob, true)
		w.addItem("exclude", j, glob, problem, hint)
	}
	for j := range r.Targets {
		s := &r.Targets[j]
		w.path = append(slices.Clone(rule), step{key: "targets"}, step{index: j})
		w.target(s)
		if oddPrefix {
			continue // what follows is about the prefix that was meant
		}
		problem, hint := stripDoubt(s.StripPrefix, r.Prefix)
		w.add("strip_prefix", problem, hint)
		if r.Prefix != "" && s.StripPrefix == "" && !s.stripNothing {
			url := join(s.root, r.Prefix, "")
			w.add("", fmt.Sprintf("the prefix %s stays in the URL: %s…", quote(r.Prefix), url),
				`set strip_prefix, or strip_prefix: "" if it is meant`)
		}
		if s.Type == Directory && s.Path == "/" && w.table.showsRoot(r, s) {
			w.add("type", "a change of a file at the root refreshes the whole domain: "+s.root,
				`write type: file, or include: ["*/**/*"] to leave out the files at the root`)
		}
		if key, _ := w.table.Sample(r, s); key == "" && !oddGlob {
			w.add("", "no key was found that this target refreshes", "look at include and exclude")
		}
	}
}

func (w *warner) target(s *Spec) {
	problem, hint := domainDoubt(s.Domain)
	w.add("domain", problem, hint)
	if problem, hint = rawDoubt(s.Path, checkPath); problem != "" {
		w.add("path", quote(s.Path)+" "+problem, hint)
	}
	for k, name := range s.Index {
		problem, hint := indexDoubt(name)
		w.addItem("index", k, name, problem, hint)
	}
	for k, suffix := range s.Suffixes {
		problem, hint := suffixDoubt(suffix)
		w.addItem("suffixes", k, suffix, problem, hint)
	}
	if name, n := s.dearest(); n > 1+len(s.Suffixes) && !(s.chosen && s.Spellings == SpellCommon) {
		hint := "set spellings: canonical, or spellings: common if it is meant"
		if s.Spellings == SpellAll {
			hint = "set spellings: canonical or common"
		}
		problem := "with spellings: %s, a name such as %s takes %d of the 100 URLs of type %s a day"
		w.add("", fmt.Sprintf(problem, s.Spellings, quote(name), n, s.Type), hint)
	}
	if s.Force {
		w.add("force",
			"force makes the origin send "+s.forced()+" again, even where nothing has changed",
			"leave force out where files are large or many")
	}
}

// showsRoot reports whether r has keys whose directory is the root of the domain.
func (t *Table) showsRoot(r *Rule, s *Spec) bool {
	if strings.Contains(r.Prefix[len(s.StripPrefix):], "/") {
		return false
	}
	return slices.ContainsFunc(r.examples(s.Index), func(rest string) bool {
		return !strings.Contains(rest, "/") && t.shows(r, r.Prefix+rest)
	})
}

// bucketDoubt says what is doubtful about a bucket.
func bucketDoubt(s string) (problem, hint string) {
	name, isEndpoint := cutEndpoint(s)
	switch {
	case !isEndpoint:
		return "", ""
	case isBucket(name):
		return quote(s) + " is a bucket's endpoint, not its name", "write " + quote(name)
	}
	return quote(s) + " is an endpoint, not the name of a bucket", "write the bucket's name"
}

// cutEndpoint returns the bucket of the host name of an endpoint, such as
// "my-site.oss-cn-hangzhou-internal.aliyuncs.com" (Regions and endpoints, OSS
// documentation; Virtual hosting of buckets, Amazon S3 documentation).
func cutEndpoint(host string) (bucket string, ok bool) {
	for _, suffix := range []string{".aliyuncs.com", ".amazonaws.com", ".amazonaws.com.cn"} {
		name, ok := strings.CutSuffix(host, suffix)
		if !ok {
			continue
		}
		for _, service := range []string{".oss-", ".s3.", ".s3-", ".oss."} {
			if at := strings.LastIndex(name+".", service); at > 0 {
				return name[:at], true
			}
		}
		return "", true
	}
	return "", false
}

// domainDoubt says what is doubtful about a domain.
func domainDoubt(s string) (problem, hint string) {
	const ask = "write the domain that visitors ask for"
	if _, ok := cutEndpoint(s); ok {
		return quote(s) + " is a bucket's endpoint, which no CDN serves", ask
	}
	labels := strings.Split(s, ".")
	zone := labels[max(len(labels)-2, 0)]
	// "www.example.com.w.kunlunsl.com" (Add a CNAME record, CDN documentation)
	isZone := strings.HasPrefix(zone, "kunlun") || zone == "alikunlun" || zone == "cdngslb"
	if isZone && labels[len(labels)-1] == "com" {
		if domain, _, ok := strings.Cut(s, ".w."); ok && domainProblem(domain) == "" {
			return quote(s) + " is the CNAME of a domain", "write " + quote(domain)
		}
		return quote(s) + " is the CNAME of a domain", ask
	}
	return "", ""
}

// prefixDoubt says what is doubtful about the prefix of r.
func (r *Rule) prefixDoubt() (problem, hint string) {
	s := r.Prefix
	folder, glob, isGlob := strings.Cut(s, "*")
	if isGlob {
		folder, glob = cutName(folder)
		glob += s[len(folder)+len(glob):]
	}
	_, path, isURL := strings.Cut(s, "://")
	switch {
	case isURL:
		_, path, _ = strings.Cut(path, "/")
		return quote(s) + " is a URL, and keys are not", "write " + quote(path)
	case isGlob && (strings.Trim(glob, "*") == "" || r.Include != nil):
		return quote(s) + " has a *, which stands for itself in a prefix", "write " + quote(folder)
	case isGlob:
		if strings.HasSuffix(glob, "/") {
			glob += "**"
		}
		return quote(s) + " has a *, which stands for itself in a prefix",
			"write prefix: " + quote(folder) + " and include: " + listOf([]string{glob})
	case strings.HasPrefix(s, "/"):
		return quote(s) + " begins with a slash, as no key of OSS does",
			"write " + quote(strings.TrimLeft(s, "/")) + ", unless S3 has such keys here"
	case strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../"):
		return quote(s) + " has a " + dotSegment, "write " + quote(strings.TrimLeft(s, "./"))
	case strings.Contains(s, "//"):
		return quote(s) + ` has "//", as keys seldom have`, "write " + quote(oneSlash(s))
	case strings.Contains(s, `\`):
		return quote(s) + " has a backslash, and folders in keys end in a slash",
			"write " + quote(strings.ReplaceAll(s, `\`, "/"))
	case strings.HasPrefix(s, r.Bucket+"/"):
		return quote(s) + " begins with the bucket's name, as keys seldom do",
			"write " + quote(s[len(r.Bucket)+1:])
	}
	if problem, hint = rawDoubt(s, checkPrefix); problem != "" {
		problem = quote(s) + " " + problem
	}
	return problem, hint
}

func oneSlash(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// takenDoubt says which domains lose the keys of r: the rule that would have them
// without r has targets there, and r has none.
func (t *Table) takenDoubt(r *Rule) (problem, hint string) {
	b := t.buckets[r.Bucket]
	own, ok := slices.BinarySearchFunc(b, r.Prefix, func(e entry, prefix string) int {
		return strings.Compare(e.prefix, prefix)
	})
	if !ok || b[own].parent < 0 {
		return "", ""
	}
	shorter := &t.Rules[b[b[own].parent].rule]
	if odd, _ := shorter.prefixDoubt(); odd != "" {
		return "", ""
	}
	both := func(rest string) bool {
		return t.shows(r, r.Prefix+rest) && shorter.admits(r.Prefix+rest)
	}
	var lost []string
	for _, s := range shorter.Targets {
		kept := slices.ContainsFunc(r.Targets, func(own Spec) bool {
			return own.Domain == s.Domain && own.Product == s.Product
		})
		if !kept && !slices.Contains(lost, s.Domain) {
			lost = append(lost, s.Domain)
		}
	}
	if lost == nil || !slices.ContainsFunc(r.examples(nil), both) {
		return "", ""
	}
	hint = "add a target for it, if it shows them"
	if len(lost) > 1 {
		hint = "add targets for those that show them"
	}
	folder := r.Prefix[len(shorter.Prefix):]
	if strings.HasSuffix(folder, "/") && !strings.ContainsAny(folder, `*?[]{}\`) {
		hint += fmt.Sprintf("; if not, write exclude: %s in the rule on line %d",
			listOf([]string{folder + "**"}), shorter.Line)
	}
	const most = 3
	at := strings.Join(lost[:min(len(lost), most)], ", ")
	if n := len(lost) - most; n > 0 {
		at += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("keys that begin with %s are no longer refreshed at %s, "+
		"which the rule on line %d has",
		quote(r.Prefix), at, shorter.Line), hint
}

// rawDoubt says what is doubtful about a part of a key or of a path, which the
// table has raw. It says nothing where check refuses what would be right.
func rawDoubt(s string, check func(string) (problem, hint string)) (problem, hint string) {
	valid := func(s string) bool {
		problem, _ := check(s)
		return problem == ""
	}
	if raw := Decode(s); raw != s && utf8.ValidString(raw) && valid(raw) {
		return "is percent-encoded, and the table has keys and paths raw", "write " + quote(raw)
	}
	edges := unquoted(s)
	if edges != s && edges != "" && valid(edges) {
		r, _ := utf8.DecodeRuneInString(strings.Trim(s, edges))
		for _, c := range s {
			if dropUnseen(c) < 0 || foreignBlank(c) {
				r = c
			}
		}
		return "has " + named(r) + " before, behind or in it", "write " + quote(edges)
	}
	return "", ""
}

// stripDoubt says what is doubtful about a strip_prefix beside the rule's prefix.
func stripDoubt(strip, prefix string) (problem, hint string) {
	rest := prefix[len(strip):]
	switch {
	case strip == "" || !alphanumeric.all(strings.ToLower(last(strip))):
		return "", ""
	case rest == "":
		key := quote(strip + "/index.html")
		return fmt.Sprintf(`%s is not a whole folder: %s gives a URL with "//"`, quote(strip), key),
			"write prefix: " + quote(strip+"/") + " and strip_prefix: " + quote(strip+"/")
	case alphanumeric.all(strings.ToLower(rest[:1])):
		folder, _ := cutName(strip)
		return quote(strip) + " cuts a name of the prefix " + quote(prefix) + " in two",
			"write " + quote(folder)
	}
	return "", ""
}

func indexDoubt(s string) (problem, hint string) {
	name, isGlob := strings.CutPrefix(s, "*")
	if isGlob && strings.HasPrefix(name, ".") && !strings.Contains(name, "*") {
		return "is a glob, and index has exact names", "write " + quote("index"+name)
	}
	return rawDoubt(s, checkIndex)
}

// suffixDoubt says what is doubtful about an image style with its delimiter.
func suffixDoubt(s string) (problem, hint string) {
	if !alphanumeric.all(strings.ToLower(s[:1])) {
		return "", ""
	}
	return "has no delimiter: photo.jpg would become photo.jpg" + s, "write " + quote("!"+s)
}

// globDoubt says what is doubtful about a glob of r.
func (r *Rule) globDoubt(glob string, excludes bool) (problem, hint string) {
	write := func(meant string) string {
		if strings.Trim(meant, "*/") == "" {
			if excludes {
				return "leave it out: a rule that excludes every key is for none"
			}
			meant = "**"
		}
		if problem, _ := checkGlob(meant); problem != "" {
			return "accepted: a glob over the key after the prefix"
		}
		return "write " + quote(meant)
	}
	whole := r.Prefix == "" || strings.HasSuffix(r.Prefix, "/")
	_, path, isURL := strings.Cut(glob, "://")
	switch {
	case isURL:
		_, path, _ = strings.Cut(path, "/")
		return "is a URL, and globs are of keys", write(strings.TrimPrefix(path, r.Prefix))
	case strings.HasPrefix(glob, "/") && whole:
		return "begins with a slash, as keys do not",
			write(strings.TrimPrefix(strings.TrimLeft(glob, "/"), r.Prefix))
	case strings.HasPrefix(glob, "./"):
		return `begins with "./", as keys do not`, write(strings.TrimPrefix(glob, "./"))
	case r.Prefix != "" && whole && strings.HasPrefix(glob, r.Prefix):
		return "repeats the rule's prefix, and globs are of the key after it",
			write(strings.TrimPrefix(glob, r.Prefix))
	case strings.HasSuffix(glob, "/"):
		return "ends in a slash, and so matches no file", write(glob + "**")
	case strings.Contains(glob, "//"):
		return `has "//", as keys seldom have`, write(oneSlash(glob))
	case hasBackslash(glob):
		return `has a backslash, which only makes the character after it stand for itself`,
			write(strings.ReplaceAll(glob, `\`, "/"))
	case onlyTop(glob) && !(excludes && strings.Trim(glob, "*") == ""):
		return "matches only directly below the prefix, not in folders", onlyTopHint(glob)
	}
	return rawDoubt(glob, checkGlob)
}

// hasBackslash reports whether a glob has a backslash before a letter or a digit,
// as paths of Windows have.
func hasBackslash(glob string) bool {
	for _, after := range strings.Split(glob, `\`)[1:] {
		if after != "" && alphanumeric.all(strings.ToLower(after[:1])) {
			return true
		}
	}
	return false
}

// onlyTop reports whether a glob stands for files by their kind, such as "*.map",
// but not in folders. "{*.map}" says that this is meant.
func onlyTop(glob string) bool {
	meant := strings.HasPrefix(glob, "{") && strings.HasSuffix(glob, "}") &&
		!strings.Contains(glob, ",")
	return hasStar(glob) && !strings.Contains(glob, "/") && glob != "**" && !meant
}

// hasStar reports whether a glob has a "*" that does not stand for itself.
func hasStar(glob string) bool {
	inClass := false
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '\\':
			i++
		case '[':
			inClass = true
		case ']':
			inClass = false
		case '*':
			if !inClass {
				return true
			}
		}
	}
	return false
}

func onlyTopHint(glob string) string {
	everywhere := "**/" + glob
	if strings.Trim(glob, "*") == "" {
		everywhere = "**"
	}
	hint := "write " + quote(everywhere)
	if ok := doublestar.ValidatePattern("{" + glob + "}"); ok && !strings.ContainsAny(glob, "{},") {
		hint += ", or " + quote("{"+glob+"}") + " if it is meant"
	}
	return hint
}

// dearest returns a name that has many spellings, and how many URLs of a small
// quota it costs: 100 directories a day, and as many URLs of IgnoreParams
// (RefreshDcdnObjectCaches, API reference). For files that is 0.
func (s *Spec) dearest() (name string, urls int) {
	name = "photos (1)@图"
	switch s.Type {
	case File:
		return "", 0
	case Directory:
		name += "/"
	case IgnoreParams:
		name += ".jpg"
	}
	return name, len(s.targets(nil, name, Created))
}

// forced says how much a forced refresh is of.
func (s *Spec) forced() string {
	if s.Type == Directory {
		return "everything below the object's directory"
	}
	return "every variant of the object that is asked for"
}
