package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// crc64 compares the CRC-64 of ECMA-182 that OSS keeps of each object and that
// a node caches with it: it decides for certain, whatever the node has
// compressed.
func crc64(node, object Answer, _ Cache) Evidence {
	e := pair("CRC64", node, object, "x-oss-hash-crc64ecma")
	switch {
	case e.Node == "" || e.OSS == "":
		return Evidence{}
	case e.Node == e.OSS:
		return e.speak(Fresh, "CRC64 is the same", true)
	}
	return e.speak(Stale, "CRC64 differs", true)
}

// etag compares ETags. Compression at the node drops or weakens them: such a
// one speaks for the object where it is the same, and for nothing where it
// differs.
func etag(node, object Answer, _ Cache) Evidence {
	e := pair("ETag", node, object, "ETag")
	alike := node.Header.Get("Content-Encoding") == object.Header.Get("Content-Encoding")
	strong := alike && !weak(e.Node) && !weak(e.OSS)
	switch {
	case e.Node == "" || e.OSS == "":
		return Evidence{}
	case strings.EqualFold(opaque(e.Node), opaque(e.OSS)):
		return e.speak(Fresh, "ETag is the same", strong)
	case strong:
		return e.speak(Stale, "ETag differs", true)
	}
	return e.speak("", "the node has changed the ETag", false)
}

func weak(tag string) bool {
	return strings.HasPrefix(tag, "W/") || strings.HasSuffix(strings.TrimSuffix(tag, `"`), "-gzip")
}

// opaque is what an ETag has between its quotes.
func opaque(tag string) string {
	return strings.TrimSuffix(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`), "-gzip")
}

// lastModified compares to the second, the grain of the header. A time that is
// later than that of OSS is one of another version: an earlier one was restored.
func lastModified(node, object Answer, _ Cache) Evidence {
	e := pair("Last-Modified", node, object, "Last-Modified")
	there, here := date(node, "Last-Modified"), date(object, "Last-Modified")
	switch {
	case there.IsZero() || here.IsZero():
		return Evidence{}
	case there.Equal(here):
		return e.speak(Fresh, "Last-Modified is the same", false)
	case there.Before(here):
		return e.speak(Stale, "Last-Modified is older than that of OSS", true)
	}
	return e.speak(Stale, "Last-Modified is of another version, later than that of OSS", false)
}

// length tells where it differs and nothing is compressed.
func length(node, object Answer, _ Cache) Evidence {
	e := pair("Content-Length", node, object, "Content-Length")
	switch {
	case e.Node == "" || e.OSS == "" || node.Status != http.StatusOK:
		return Evidence{}
	case node.Header.Get("Content-Encoding") != "" || object.Header.Get("Content-Encoding") != "":
		return e.speak("", "one of the two is compressed", false)
	case e.Node == e.OSS:
		return e.speak("", "Content-Length is the same", false)
	}
	return e.speak(Stale, "Content-Length differs", true)
}

// clocks is how far two clocks may be apart, and two headers of whole seconds.
const clocks = 2 * time.Second

// times compares when the node's copy was stored or last validated with when
// the object was put. A validation is by Last-Modified, so that it finds what
// was put before it.
func times(_, object Answer, cache Cache) Evidence {
	put := date(object, "Last-Modified")
	if put.IsZero() || cache.Stored.IsZero() && cache.Validated.IsZero() {
		return Evidence{}
	}
	e := Evidence{Name: "Age", OSS: stamp(put), Node: stamp(cache.Validated)}
	if cache.Stored.After(cache.Validated) {
		e.Name, e.Node = "Ali-Swift-Global-Savetime", stamp(cache.Stored)
	}
	last := cache.Stored
	if cache.Validated.After(last) {
		last = cache.Validated
	}
	switch {
	case !last.Before(put.Add(clocks)):
		return e.speak(Fresh, "the copy was validated after the object was put", false)
	case cache.Validated.IsZero(): // it may have been validated since it was stored
		return e.speak("", "the copy was first stored before the object was put", false)
	case last.Before(put.Add(-clocks)):
		return e.speak(Stale, "the copy was last validated before the object was put", false)
	}
	return e.speak("", "the copy was validated as the object was put", false)
}

// missed speaks for an answer that comes straight from the origin: no node on
// the way had a copy.
func missed(_, _ Answer, cache Cache) Evidence {
	if !cache.Missed || !cache.Origin {
		return Evidence{}
	}
	e := Evidence{Name: "Via", Node: "M of every node"}
	return e.speak(Fresh, "no node had a copy: the origin answered", false)
}

func pair(name string, node, object Answer, header string) Evidence {
	return Evidence{Name: name, Node: node.Header.Get(header), OSS: object.Header.Get(header)}
}

func (e Evidence) speak(state State, says string, certain bool) Evidence {
	e.State, e.Says, e.certain = state, says, certain
	return e
}

// date reads a header that is a date; zero where there is none.
func date(a Answer, header string) time.Time {
	at, err := http.ParseTime(a.Header.Get(header))
	if err != nil {
		return time.Time{}
	}
	return at
}

func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// status is a status with its words: "404 Not Found".
func status(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}
