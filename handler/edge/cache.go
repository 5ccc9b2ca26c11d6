package edge

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Cache is what a node tells of its copy. Each field is zero where it does
// not tell.
type Cache struct {
	Known     bool      // the answer has a header of a CDN node
	Result    string    // "HIT", "MISS"; of ESA also "BYPASS", "EXPIRED", "DYNAMIC"
	Detail    string    // "TCP_MEM_HIT", "TCP_REFRESH_HIT": expired, and the origin said 304
	Missed    bool      // the node had no copy to serve
	Origin    bool      // no node on the way had one
	Node      string    // the node nearest to the client: "kunlun15.cn3157"
	Now       time.Time // by the node's clock
	Stored    time.Time // when the CDN first stored these bytes
	Validated time.Time // when the origin's side last answered, or said that nothing has changed
	Expires   time.Time // when the node asks again by itself
}

// ReadCache reads what a node of DCDN, CDN or ESA tells of its copy.
//
//   - X-Cache (ESA: X-Site-Cache-Status) begins with HIT or MISS.
//   - Via has a node a comma, that of the origin's side first, and ends each with
//     the status and H or M.
//   - EagleId has 8 hexadecimal digits and then the node's clock in milliseconds.
//   - Age counts from the last answer or 304 of the origin's side.
//   - Ali-Swift-Global-Savetime is when these bytes were first stored, in seconds.
//   - X-Swift-CacheTime counts, in seconds, from X-Swift-SaveTime.
func ReadCache(a Answer) Cache {
	h := a.Header
	words := strings.Fields(h.Get("X-Cache"))
	if site := h.Get("X-Site-Cache-Status"); site != "" {
		words = strings.Fields(site)
	}
	c := Cache{Now: eagle(h.Get("EagleId"))}
	c.Known = len(words) > 0 || h.Get("Via") != "" || h.Get("EagleId") != "" || denial(a) != ""
	if len(words) > 0 {
		c.Result = strings.ToUpper(words[0])
		c.Missed = c.Result == "MISS" || c.Result == "DYNAMIC" || c.Result == "BYPASS"
	}
	if len(words) > 1 {
		c.Detail = words[1]
	}
	if c.Now.IsZero() {
		c.Now = a.At
	}
	c.via(strings.Join(h.Values("Via"), ","))
	c.Stored = unix(h.Get("Ali-Swift-Global-Savetime"))
	if age, ok := seconds(h.Get("Age")); ok && !c.Now.IsZero() {
		c.Validated = c.Now.Add(-age).UTC().Truncate(time.Second)
	}
	if saved := date(a, "X-Swift-SaveTime"); !saved.IsZero() {
		if ttl, ok := seconds(h.Get("X-Swift-CacheTime")); ok && ttl > 0 {
			c.Expires = saved.Add(ttl)
		}
	}
	return c
}

var (
	viaNode = regexp.MustCompile(`([^\s,\[\]]+)\[([^\]]*)\]`) // cache45.l2cn1832[38,304-0,M]
	eagleID = regexp.MustCompile(`^[0-9a-fA-F]{8}([0-9]{13})`)
)

func (c *Cache) via(text string) {
	nodes := viaNode.FindAllStringSubmatch(text, -1)
	hits, misses := 0, 0
	for _, n := range nodes {
		c.Node = n[1]
		switch {
		case strings.HasSuffix(n[2], ",H"):
			hits++
		case strings.HasSuffix(n[2], ",M"):
			misses++
		}
	}
	c.Origin = misses > 0 && hits == 0
}

func eagle(id string) time.Time {
	found := eagleID.FindStringSubmatch(id)
	if found == nil {
		return time.Time{}
	}
	ms, _ := strconv.ParseInt(found[1], 10, 64)
	return time.UnixMilli(ms).UTC()
}

func unix(text string) time.Time {
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || at <= 0 {
		return time.Time{}
	}
	return time.Unix(at, 0).UTC()
}

func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseInt(text, 10, 32)
	return time.Duration(n) * time.Second, err == nil && n >= 0
}

// evidence shows the node's own word, which speaks for nothing by itself: a HIT
// may be of what OSS holds or of what it held.
func (c Cache) evidence() Evidence {
	says := "from the node's cache"
	switch {
	case c.Detail == "TCP_REFRESH_HIT":
		says = "from the node's cache: it had expired, and nothing had changed"
	case c.Detail == "TCP_REFRESH_MISS" || c.Result == "EXPIRED":
		says = "the copy had expired and was fetched again"
	case c.Missed:
		says = "not from the node's cache"
	}
	return Evidence{Name: "X-Cache", Node: strings.TrimSpace(c.Result + " " + c.Detail), Says: says}
}
