// Package edge tells from the headers of a CDN node's answer, and from those of
// OSS for the object behind the URL, whether the node serves what OSS holds:
//
//	j := edge.Judge(node, object, false)
//	// j.State: stale, j.Because: "CRC64 differs"
//
// [Judge] is pure. [Client] asks a node. Neither knows the mapping table, nor
// OSS: which object a URL shows, and what OSS says of it, is for the caller to
// find out.
//
// The vendor documents few of these headers. What they mean was read from
// answers that people have published; where that is all there is, a judgement
// is not Certain.
package edge

import (
	"cmp"
	"net/http"
	"strings"
	"time"
)

// An Answer is what a node, or OSS, answers to a HEAD request.
type Answer struct {
	Status int // of HTTP
	Header http.Header
	At     time.Time // when it came, by the clock of this machine
	Peer   string    // the address that answered; "" where that is not known
}

// A State is what a URL is in, on the node that answered.
type State string

// The states.
const (
	Fresh   State = "fresh"   // the node serves the object that OSS holds
	Stale   State = "stale"   // the node serves something else, or an object that OSS no longer holds
	Missing State = "missing" // the node says that there is nothing, and OSS holds the object
	Gone    State = "gone"    // neither the node nor OSS has the object
	Unknown State = "unknown" // the answers do not tell
)

// A Judgement is what two answers come to.
type Judgement struct {
	State    State
	Because  string     // a short sentence: "CRC64 differs"
	Certain  bool       // false: it follows from times, or from weaker evidence
	Again    bool       // Unknown only: another answer may tell, as after a 503
	Evidence []Evidence // all of it, the best first; the first with a State decided
	Notes    []string   // what else the answer tells, in short sentences
}

// Evidence is one thing that was compared.
type Evidence struct {
	Name  string `json:"name"`            // "CRC64"
	Node  string `json:"node"`            // "" where the node does not say
	OSS   string `json:"oss,omitempty"`   // "" where OSS does not say
	State State  `json:"state,omitempty"` // what it speaks for; "" where it does not tell
	Says  string `json:"says"`            // "CRC64 differs"

	certain bool
}

// Judge compares what a node answers with what OSS answers for the object that
// the URL shows: 200, or 404 where the bucket does not hold it. Processed says
// that the URL asks for something that is made of the object, such as a smaller
// image: OSS has nothing to compare it with but times.
func Judge(node, object Answer, processed bool) Judgement {
	held, removed := object.Status == http.StatusOK, absent(object.Status)
	if !held && !removed {
		because := "OSS does not tell: it answers " + status(object.Status)
		return Judgement{State: Unknown, Because: because}
	}
	cache := ReadCache(node)
	j := judge(node, object, cache, processed)
	if cache.Result != "" {
		j.Evidence = append(j.Evidence, cache.evidence())
	}
	if !cache.Known {
		j.Notes = append(j.Notes, "the answer has no header of a CDN node: "+
			"does the domain's DNS lead to the CDN?")
	}
	if cache.Missed && (j.State == Stale || j.State == Missing) {
		j.Notes = append(j.Notes, "the node had no copy and asked further: "+
			"a layer above it is stale, "+
			"or the domain shows another object than the table says")
	}
	return j
}

func judge(node, object Answer, cache Cache, processed bool) Judgement {
	held := !absent(object.Status)
	served := node.Status == http.StatusOK || node.Status == http.StatusPartialContent
	switch {
	case served && held:
		return compare(node, object, cache, processed)
	case served:
		return Judgement{State: Stale, Because: "OSS no longer holds the object", Certain: true}
	case absent(node.Status) && held:
		because := "the node answers " + status(node.Status)
		return Judgement{State: Missing, Because: because, Certain: true}
	case absent(node.Status):
		return Judgement{State: Gone, Because: "neither has the object", Certain: true}
	}
	return undecided(node)
}

// absent reports whether a status says that there is nothing.
func absent(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }

// compare weighs two answers that both have the object.
func compare(node, object Answer, cache Cache, processed bool) Judgement {
	j := Judgement{State: Unknown, Because: "the answers have nothing to compare"}
	looks := []func(node, object Answer, cache Cache) Evidence{
		crc64, etag, lastModified, length, times, missed,
	}
	if processed {
		looks = looks[4:]
		j.Because = "nothing in OSS is like a processed image"
		j.Notes = append(j.Notes, "a processed image is compared by times only")
	}
	for _, look := range looks {
		e := look(node, object, cache)
		if e.Name == "" {
			continue
		}
		j.Evidence = append(j.Evidence, e)
		if e.State != "" && j.State == Unknown {
			j.State, j.Because, j.Certain = e.State, e.Says, e.certain
		}
	}
	encoding := node.Header.Get("Content-Encoding")
	if encoding != "" && object.Header.Get("Content-Encoding") == "" {
		j.Notes = append(j.Notes, "the node compresses it ("+encoding+"): "+
			"length and ETag may differ from those of OSS")
	}
	if j.State == Fresh && !processed && older(node, object) {
		j.Notes = append(j.Notes, "the bytes are the same, of an earlier put: "+
			"its Content-Type and other metadata may be old")
	}
	return j
}

func older(node, object Answer) bool {
	a, b := date(node, "Last-Modified"), date(object, "Last-Modified")
	return !a.IsZero() && a.Before(b)
}

// denial is why a node refuses a request by itself. The texts are those of
// "authentication exception returns a 403 error" (help 100581).
func denial(node Answer) string {
	return cmp.Or(node.Header.Get("X-Tengine-Error"), node.Header.Get("X-Tengine-Bf-Error"))
}

// undecided words an answer that tells nothing of the object.
func undecided(node Answer) Judgement {
	h, denied, j := node.Header, denial(node), Judgement{State: Unknown}
	switch {
	case node.Status >= 300 && node.Status < 400:
		j.Because = "the node redirects to " + h.Get("Location") + ": ask for that"
	case node.Status >= 500 || node.Status == http.StatusTooManyRequests:
		j.Again = true
		j.Because = "the node answers " + status(node.Status)
		if text := h.Get("X-Swift-Error"); text != "" {
			j.Because += ": " + text
		}
	case strings.HasPrefix(denied, "denied by req auth"):
		j.Because = "the domain asks for signed URLs: " + denied
	case denied != "":
		j.Because = "the domain refuses the request: " + denied
	case h.Get("x-oss-request-id") != "" && forbidden(node.Status):
		j.Because = "OSS refuses the CDN: a private bucket, without the CDN's right to read it"
	case forbidden(node.Status):
		j.Because = "the domain refuses the request (" + status(node.Status) + "): " +
			"a signed URL, a referer or an address may be asked for"
	default:
		j.Because = "the node answers " + status(node.Status)
	}
	return j
}

func forbidden(status int) bool {
	return status == http.StatusForbidden || status == http.StatusUnauthorized
}
