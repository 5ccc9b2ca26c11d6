package handler_test

import (
	"bytes"
	"fmt"
	"html"
	htmltemplate "html/template"
	"net/url"
	"strconv"
	"strings"
)

const site = "https://www.example.com"

// An origin is a bucket that shows its objects as OSS does: keys are raw, a path
// is percent-decoded, its bare "+" is a space, and "docs/index.html" is shown at
// "/docs/", where "/docs" leads (PutBucketWebsite with SupportSubDir, OSS
// documentation).
type origin map[string]string // key: content

// key is what a request asks for. OSS answers 400 where a path does not decode.
func (origin) key(target string) (key string, ok bool) {
	path, _, _ := strings.Cut(target, "?")
	key, err := url.PathUnescape(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "+", "%20"))
	return key, err == nil
}

func (o origin) answer(target string) string {
	key, ok := o.key(target)
	if !ok {
		return "400"
	}
	if content, ok := o[key]; ok {
		return "200 " + content
	}
	if content, ok := o[key+"index.html"]; ok && strings.HasSuffix("/"+key, "/") {
		return "200 " + content
	}
	if _, ok := o[key+"/index.html"]; ok {
		return "302 /" + key + "/"
	}
	return "404"
}

// A cache keys the request as it was sent, and keeps every answer.
type cache struct {
	origin origin
	kept   map[string]string // request target: answer
}

func (c *cache) answer(target string) string {
	if _, ok := c.kept[target]; !ok {
		c.kept[target] = c.origin.answer(target)
	}
	return c.kept[target]
}

// purge takes out what the refresh API has accepted.
func (c *cache) purge(kind, rawURL string) {
	purged := strings.TrimPrefix(rawURL, site)
	for target := range c.kept {
		path, _, _ := strings.Cut(target, "?")
		switch {
		case target == purged:
		case kind == "IgnoreParams" && path == purged:
		case kind == "Directory" && strings.HasPrefix(path, purged):
		default:
			continue
		}
		delete(c.kept, target)
	}
}

// An encoder is software that makes the link to an object.
type encoder struct {
	name    string
	setting string // the least that promises that none of its links stays stale
	link    func(key string) string
	browser browser
}

var encoders = []encoder{
	{"encodeURI", "canonical", percent(";/?:@&=+$,-_.!~*'()#", ""), chromium}, // ECMA-262, section 19.2.6.3
	{"Markdown", "canonical", markdown, chromium},
	{"encodeURIComponent", "common", percent("-_.!~*'()/", ""), chromium}, // ECMA-262, section 19.2.6.4, of each segment
	{"RFC 3986, strict", "common", percent("-._~/", ""), chromium},        // section 2.3: only what is unreserved is bare
	{"Python quote", "common", percent("_.-~/", ""), chromium},            // urllib.parse.quote, safe="/"
	{"PHP rawurlencode", "common", percent("-_.~/", ""), chromium},        // of each segment
	{"Go url.URL", "common", goURL, chromium},
	{"raw, Chromium", "common", raw, chromium},
	{"raw, URL Standard", "common", raw, standard}, // Firefox
	{"Go html/template", "all", template, chromium},
	{"Java URLEncoder", "all", form, chromium},
	{"lower-case hex", "all", percent("-_.!~*'()/", "lower"), chromium}, // encodeURIComponent's
	{"lower-case strict", "all", percent("-._~/", "lower"), chromium},
}

func raw(key string) string { return site + "/" + key }

func goURL(key string) string {
	u := url.URL{Scheme: "https", Host: "www.example.com", Path: "/" + key}
	return u.String()
}

// form encodes each segment as application/x-www-form-urlencoded (URL Standard,
// section 5.2).
func form(key string) string {
	return strings.ReplaceAll(percent(".-*_/ ", "")(key), " ", "+")
}

// percent encodes what is neither a letter, nor a digit, nor bare.
func percent(bare, hex string) func(key string) string {
	format := "%%%02X"
	if hex == "lower" {
		format = "%%%02x"
	}
	return func(key string) string {
		var b strings.Builder
		for _, c := range []byte(key) {
			switch {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
				b.WriteByte(c)
			case strings.IndexByte(bare, c) >= 0:
				b.WriteByte(c)
			default:
				fmt.Fprintf(&b, format, c)
			}
		}
		return raw(b.String())
	}
}

// markdown encodes a link's destination as markdown-it and others do: as
// encodeURI, but what is a triplet already stays.
func markdown(key string) string {
	var b strings.Builder
	for i := range len(key) {
		bare := ";/?:@&=+$,-_.!~*'()#"
		if i+2 < len(key) {
			if _, err := strconv.ParseUint(key[i+1:i+3], 16, 8); err == nil {
				bare += "%"
			}
		}
		b.WriteString(strings.TrimPrefix(percent(bare, "")(key[i:i+1]), raw("")))
	}
	return raw(b.String())
}

var page = htmltemplate.Must(htmltemplate.New("").Parse(`<a href="` + site + `/{{.}}">`))

// template makes the link by the real package.
func template(key string) string {
	var b bytes.Buffer
	if err := page.Execute(&b, key); err != nil {
		return ""
	}
	link := strings.TrimPrefix(b.String(), `<a href="`)
	return html.UnescapeString(strings.TrimSuffix(link, `">`))
}

// A browser has what it leaves bare beside the URL Standard's.
type browser int

const (
	standard browser = iota
	chromium         // encodes "|"
)

// request returns the request target of a link to the site, as the basic URL
// parser makes it (URL Standard, section 4.4); "" if the link leaves the site.
func (b browser) request(link string) string {
	link = strings.TrimFunc(link, func(r rune) bool { return r <= ' ' })
	link = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(link)
	rest, ok := strings.CutPrefix(link, site)
	if !ok {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "#")
	path, query, hasQuery := strings.Cut(rest, "?")
	encode := "\"<>^`{}"
	if b == chromium {
		encode += "|"
	}
	target := "/" + strings.Join(resolve(escape(path, encode)), "/")
	if hasQuery {
		target += "?" + escape(query, "\"<>'")
	}
	return target
}

// escape encodes what a browser does not leave bare.
func escape(s, set string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte(set, c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// resolve returns the segments of a path (path state).
func resolve(path string) (kept []string) {
	segments := strings.Split(strings.ReplaceAll(path, `\`, "/"), "/")[1:]
	for i, segment := range segments {
		dots := strings.ReplaceAll(strings.ToLower(segment), "%2e", ".")
		if dots == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if dots != "." && dots != ".." {
			kept = append(kept, segment)
		} else if i == len(segments)-1 {
			kept = append(kept, "")
		}
	}
	return kept
}
