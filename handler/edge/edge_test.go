package edge

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answer makes one of lines such as "Age: 12".
func answer(status int, text string) Answer {
	a := Answer{Status: status, Header: http.Header{}}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			a.Header.Add(name, value)
		}
	}
	return a
}

// The headers of real answers, as people have published them.
const (
	// A package, revalidated by the layer above: the bytes were stored ten days
	// before, and the origin's side was asked 45,730 s before.
	revalidated = `
		Content-Length: 107351816
		Date: Sun, 02 Jun 2019 18:17:29 GMT
		ETag: "C2C39D1770E60A4E56A9842CB5C19AD8"
		Last-Modified: Fri, 24 May 2019 09:37:59 GMT
		x-oss-object-type: Normal
		x-oss-hash-crc64ecma: 14276676215780026793
		Via: cache5.l2eu6-1[0,304-0,H], cache5.l2eu6-1[0,0], cache15.cn593[0,200-0,H], cache5.cn593[0,0]
		Ali-Swift-Global-Savetime: 1558721723
		Age: 45730
		X-Cache: HIT TCP_MEM_HIT dirn:12:57850580
		X-Swift-SaveTime: Sun, 02 Jun 2019 18:20:41 GMT
		X-Swift-CacheTime: 86208
		EagleId: 7cefea1915595451792183785e`
	// A multipart object of a private bucket, from disk.
	multipart = `
		Content-Length: 1450918362
		Date: Mon, 23 May 2022 04:17:51 GMT
		x-oss-cdn-auth: success
		ETag: "E27C7DC9AFA8BD0B219561E4C373306A-1384"
		Last-Modified: Fri, 15 Apr 2022 03:14:21 GMT
		x-oss-object-type: Multipart
		x-oss-hash-crc64ecma: 9259759875652541608
		Ali-Swift-Global-Savetime: 1653279471
		Via: cache6.l2nu20-3[0,0,200-0,H], cache42.l2nu20-3[2,0], cache7.cn1247[0,1,200-0,H], cache14.cn1247[12,0]
		Age: 115031
		X-Cache: HIT TCP_HIT dirn:12:811068157
		X-Swift-SaveTime: Tue, 24 May 2022 06:16:10 GMT
		X-Swift-CacheTime: 165701
		EagleId: 276076a216533945029501634e`
	// Not of OSS: no CRC.
	plainFile = `
		Date: Fri, 24 Jan 2020 11:08:37 GMT
		Last-Modified: Fri, 20 Dec 2019 07:21:23 GMT
		ETag: "b-59a1d866da82f"
		Ali-Swift-Global-Savetime: 1579864117
		Via: cache31.l2hk71[594,200-0,M], cache11.l2hk71[595,0], cache8.jp2[0,200-0,H], cache9.jp2[1,0]
		Age: 2164
		X-Cache: HIT TCP_MEM_HIT dirn:1:343747674
		X-Swift-SaveTime: Fri, 24 Jan 2020 11:08:37 GMT
		X-Swift-CacheTime: 3600
		EagleId: 2f59420915798662819114706e`
	// The node missed, and a layer above it had a copy.
	missedBelow = `
		x-oss-hash-crc64ecma: 17923091968925461273
		Ali-Swift-Global-Savetime: 1565400413
		Via: cache13.l2cn1793[0,206-0,H], cache25.l2cn1793[0,0], cache2.cn1295[32,206-0,M], cache20.cn1295[34,0]
		Age: 1034
		X-Cache: MISS TCP_MISS dirn:-2:-2 mlen:1255194
		X-Swift-SaveTime: Sat, 10 Aug 2019 01:27:26 GMT
		X-Swift-CacheTime: 2591967
		EagleId: 701919a815654014466084649e`
	// The origin failed.
	failed = `
		ali-swift-global-savetime: 1768334997
		via: ens-cache17.l2de4[121,121,500-1281,M], ens-cache17.l2de4[122,0], ens-cache21.gb9[141,140,500-1281,M], ens-cache11.gb9[172,141,0]
		x-cache: MISS TCP_MISS dirn:-2:-2
		x-swift-cachetime: 0
		x-swift-error: orig response 5xx error
		x-swift-savetime: Tue, 13 Jan 2026 20:09:57 GMT
		eagleid: a3b5f39f17683349974638410e`
	// Compressed at the node.
	compressed = `
		Content-Encoding: gzip
		Content-Length: 34827
		Date: Sat, 09 Mar 2019 14:22:56 GMT
		Last-Modified: Thu, 06 Apr 2017 16:14:50 GMT
		Ali-Swift-Global-Savetime: 1551560462
		Via: cache12.l2et15[12,304-0,H], cache11.l2et15[13,0], kunlun4.cn1259[0,200-0,H], kunlun1.cn1259[2,0]
		X-Cache: HIT TCP_HIT dirn:0:270223571
		Age: 297
		EagleId: da5ed29515521416737682619e`
)

// Age counts from Date, by the clock in EagleId; the fields of the others are
// recomputed too.
func TestReadCache(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := http.ParseTime(text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, tt := range []struct {
		name, text string
		ttl        time.Duration // X-Swift-CacheTime is what is left of it at X-Swift-SaveTime
	}{
		{"revalidated", revalidated, 24 * time.Hour},
		{"multipart", multipart, 72 * time.Hour},
		{"plain file", plainFile, time.Hour},
	} {
		name, a := tt.name, answer(200, tt.text)
		c := ReadCache(a)
		if ttl := c.Expires.Sub(c.Validated); ttl != tt.ttl {
			t.Errorf("%s: kept for %v, want %v", name, ttl, tt.ttl)
		}
		if !c.Validated.Equal(at(a.Header.Get("Date"))) {
			t.Errorf("%s: validated %v, want Date, %s", name, c.Validated, a.Header.Get("Date"))
		}
		if c.Stored.After(c.Validated) || c.Now.Before(c.Validated) {
			t.Errorf("%s: %+v", name, c)
		}
	}
	tests := []struct{ text, node, result, detail string }{
		{revalidated, "cache5.cn593", "HIT", "TCP_MEM_HIT"},
		{multipart, "cache14.cn1247", "HIT", "TCP_HIT"},
		{missedBelow, "cache20.cn1295", "MISS", "TCP_MISS"},
		{failed, "ens-cache11.gb9", "MISS", "TCP_MISS"},
		{"Via: cache45.l2cn1832[38,304-0,M], kunlun15.cn3157[55,55,200-0,H]\nX-Cache: HIT TCP_REFRESH_HIT dirn:11:745548673 mlen:0", "kunlun15.cn3157", "HIT", "TCP_REFRESH_HIT"},
		{"X-Site-Cache-Status: DYNAMIC\nVia: ens-cache8.l2de4[0,0,200-0,H]", "ens-cache8.l2de4", "DYNAMIC", ""},
		{"X-Cache: ", "", "", ""},
	}
	for _, tt := range tests {
		if c := ReadCache(answer(200, tt.text)); c.Node != tt.node || c.Result != tt.result || c.Detail != tt.detail {
			t.Errorf("%s: node %q, %q %q; want %q, %q %q", tt.text, c.Node, c.Result, c.Detail, tt.node, tt.result, tt.detail)
		}
	}
	if c := ReadCache(answer(200, missedBelow)); !c.Missed || c.Origin {
		t.Errorf("a layer above had a copy: missed %v, from the origin %v", c.Missed, c.Origin)
	}
	if c := ReadCache(answer(200, failed)); !c.Missed || !c.Origin || !c.Expires.IsZero() {
		t.Errorf("no node had a copy, and none is kept: %+v", c)
	}
	if c := ReadCache(answer(200, "EagleId: b6f2592116651311359134856e")); !c.Now.Equal(time.UnixMilli(1665131135913)) {
		t.Errorf("the node's clock is %v", c.Now)
	}
	for _, junk := range []string{"Age: -1", "Age: x", "EagleId: zz", "Ali-Swift-Global-Savetime: soon", "X-Swift-SaveTime: 0\nX-Swift-CacheTime: 0", "Via: ]["} {
		if c := ReadCache(answer(200, junk)); !c.Stored.IsZero() || !c.Validated.IsZero() || !c.Expires.IsZero() || !c.Now.IsZero() {
			t.Errorf("%s: %+v", junk, c)
		}
	}
}

// What the node says of its own copy.
func TestCacheResults(t *testing.T) {
	tests := []struct {
		text   string
		missed bool
		says   string
	}{
		{"X-Cache: HIT TCP_MEM_HIT dirn:12:745548673", false, "from the node's cache"},
		{"X-Cache: HIT TCP_HIT dirn:12:811068157", false, "from the node's cache"},
		{"X-Cache: HIT TCP_IMS_HIT dirn:1:2", false, "from the node's cache"},
		{"X-Cache: MISS TCP_MISS dirn:-2:-2", true, "not from the node's cache"},
		{"X-Cache: MISS TCP_MISS dirn:-2:-2 mlen:0", true, "not from the node's cache"},
		{"X-Cache: HIT TCP_REFRESH_HIT dirn:11:745548673", false, "from the node's cache: it had expired, and nothing had changed"},
		{"X-Cache: MISS TCP_REFRESH_MISS dirn:11:745548673", true, "the copy had expired and was fetched again"},
		{"X-Site-Cache-Status: HIT", false, "from the node's cache"},
		{"X-Site-Cache-Status: MISS", true, "not from the node's cache"},
		{"X-Site-Cache-Status: BYPASS", true, "not from the node's cache"},
		{"X-Site-Cache-Status: DYNAMIC", true, "not from the node's cache"},
		{"X-Site-Cache-Status: EXPIRED", false, "the copy had expired and was fetched again"},
		{"X-Site-Cache-Status: HIT\nX-Cache: MISS TCP_MISS", false, "from the node's cache"},
	}
	for _, tt := range tests {
		c := ReadCache(answer(200, tt.text))
		if says := c.evidence().Says; c.Missed != tt.missed || says != tt.says || !c.Known {
			t.Errorf("%s: missed %v, %q; want %v, %q", tt.text, c.Missed, says, tt.missed, tt.says)
		}
	}
}

const (
	put  = "Last-Modified: Fri, 24 May 2019 09:37:59 GMT\n"
	same = put + "x-oss-hash-crc64ecma: 14276676215780026793\nETag: \"C2C39D1770E60A4E56A9842CB5C19AD8\"\nContent-Length: 107351816\n"
)

func TestJudge(t *testing.T) {
	tests := []struct {
		name      string
		node      Answer
		object    Answer
		processed bool
		want      State
		because   string
		certain   bool
		note      string
	}{
		// The answers of real nodes, against what OSS may say of the object.
		{name: "the same CRC64", node: answer(200, revalidated), object: answer(200, same), want: Fresh, because: "CRC64 is the same", certain: true},
		{name: "another CRC64", node: answer(200, revalidated), object: answer(200, put+"x-oss-hash-crc64ecma: 1"), want: Stale, because: "CRC64 differs", certain: true},
		{name: "a multipart object", node: answer(200, multipart), object: answer(200, "x-oss-hash-crc64ecma: 9259759875652541608"), want: Fresh, because: "CRC64 is the same", certain: true},
		{name: "the ETag of multipart", node: answer(200, multipart), object: answer(200, `ETag: "E27C7DC9AFA8BD0B219561E4C373306A-12"`), want: Stale, because: "ETag differs", certain: true},
		{name: "the same bytes of an earlier put", node: answer(200, revalidated), object: answer(200, "x-oss-hash-crc64ecma: 14276676215780026793\nLast-Modified: Sun, 02 Jun 2019 20:00:00 GMT"), want: Fresh, because: "CRC64 is the same", certain: true, note: "metadata may be old"},
		{name: "no CRC64, the same ETag", node: answer(200, plainFile), object: answer(200, `ETag: "b-59a1d866da82f"`), want: Fresh, because: "ETag is the same", certain: true},
		{name: "no CRC64, the same Last-Modified", node: answer(200, plainFile), object: answer(200, "Last-Modified: Fri, 20 Dec 2019 07:21:23 GMT"), want: Fresh, because: "Last-Modified is the same"},
		{name: "no CRC64, an older Last-Modified", node: answer(200, plainFile), object: answer(200, "Last-Modified: Fri, 20 Dec 2019 07:21:24 GMT"), want: Stale, because: "Last-Modified is older than that of OSS", certain: true},
		{name: "a restored version", node: answer(200, plainFile), object: answer(200, "Last-Modified: Fri, 13 Dec 2019 07:21:24 GMT"), want: Stale, because: "Last-Modified is of another version, later than that of OSS"},
		{name: "a layer above is stale", node: answer(206, missedBelow), object: answer(200, "x-oss-hash-crc64ecma: 1"), want: Stale, because: "CRC64 differs", certain: true, note: "a layer above it is stale"},
		{name: "compressed, the same Last-Modified", node: answer(200, compressed), object: answer(200, "Last-Modified: Thu, 06 Apr 2017 16:14:50 GMT\nContent-Length: 100000\nETag: \"A\""), want: Fresh, because: "Last-Modified is the same", note: "the node compresses it (gzip)"},
		{name: "the origin failed", node: answer(500, failed), object: answer(200, same), want: Unknown, because: "the node answers 500 Internal Server Error: orig response 5xx error"},

		// What the better evidence leaves open.
		{name: "a weak ETag is the same", node: answer(200, "ETag: W/\"a\"\nX-Cache: HIT TCP_HIT"), object: answer(200, `ETag: "A"`), want: Fresh, because: "ETag is the same"},
		{name: "a weak ETag differs", node: answer(200, "ETag: W/\"a\"\nX-Cache: HIT TCP_HIT"), object: answer(200, `ETag: "b"`), want: Unknown, because: "the answers have nothing to compare"},
		{name: "an ETag of gzip differs", node: answer(200, "ETag: \"a-gzip\"\nX-Cache: HIT TCP_HIT"), object: answer(200, `ETag: "b"`), want: Unknown, because: "the answers have nothing to compare"},
		{name: "another length", node: answer(200, "Content-Length: 10\nX-Cache: HIT TCP_HIT"), object: answer(200, "Content-Length: 11"), want: Stale, because: "Content-Length differs", certain: true},
		{name: "another length, compressed", node: answer(200, "Content-Length: 10\nContent-Encoding: br\nX-Cache: HIT TCP_HIT"), object: answer(200, "Content-Length: 11"), want: Unknown, because: "the answers have nothing to compare", note: "compresses it (br)"},
		{name: "the same length", node: answer(200, "Content-Length: 10\nX-Cache: HIT TCP_HIT"), object: answer(200, "Content-Length: 10"), want: Unknown, because: "the answers have nothing to compare"},
		{name: "stored after the put", node: answer(200, "Ali-Swift-Global-Savetime: 1558721723\nX-Cache: HIT TCP_HIT"), object: answer(200, put), want: Fresh, because: "the copy was validated after the object was put"},
		{name: "stored before the put", node: answer(200, "Ali-Swift-Global-Savetime: 1558000000\nX-Cache: HIT TCP_HIT"), object: answer(200, put), want: Unknown, because: "the answers have nothing to compare"},
		{name: "validated after the put", node: answer(200, "Age: 45730\nEagleId: 7cefea1915595451792183785e\nX-Cache: HIT TCP_HIT"), object: answer(200, put), want: Fresh, because: "the copy was validated after the object was put"},
		{name: "validated by 304 long after it was stored", node: answer(200, "Ali-Swift-Global-Savetime: 1545900000\nDate: Sat, 01 Jun 2019 00:00:00 GMT\nAge: 156569\nEagleId: 7cefea1915595035690000000e\nX-Cache: HIT TCP_HIT"), object: answer(200, put), want: Fresh, because: "the copy was validated after the object was put"},
		{name: "validated before the put", node: answer(200, "Age: 4573000\nEagleId: 7cefea1915595451792183785e\nX-Cache: HIT TCP_HIT"), object: answer(200, put), want: Stale, because: "the copy was last validated before the object was put"},
		{name: "validated as it was put", node: answer(200, "Age: 854900\nEagleId: 7cefea1915595451792183785e\nX-Cache: HIT TCP_HIT"), object: answer(200, "Last-Modified: Fri, 24 May 2019 09:31:19 GMT"), want: Unknown, because: "the answers have nothing to compare"},
		{name: "straight from the origin", node: answer(200, "Via: cache15.l2et2-1[255,200-0,M], kunlun7.cn125[309,200-0,M]\nX-Cache: MISS TCP_MISS dirn:-2:-2"), object: answer(200, ""), want: Fresh, because: "no node had a copy: the origin answered"},
		{name: "from a layer above", node: answer(200, "Via: cache15.l2et2-1[255,200-0,H], kunlun7.cn125[309,200-0,M]\nX-Cache: MISS TCP_MISS dirn:-2:-2"), object: answer(200, ""), want: Unknown, because: "the answers have nothing to compare"},

		// Processed images are compared by times only.
		{name: "a processed image", node: answer(200, revalidated), object: answer(200, put+"x-oss-hash-crc64ecma: 1\nETag: \"1\"\nContent-Length: 1"), processed: true, want: Fresh, because: "the copy was validated after the object was put", note: "by times only"},
		{name: "an old processed image", node: answer(200, revalidated), object: answer(200, "Last-Modified: Sun, 02 Jun 2019 20:00:00 GMT"), processed: true, want: Stale, because: "the copy was last validated before the object was put", note: "by times only"},
		{name: "a processed image without times", node: answer(200, "X-Cache: HIT TCP_HIT\nETag: \"2\""), object: answer(200, same), processed: true, want: Unknown, because: "nothing in OSS is like a processed image", note: "by times only"},

		// What is not there.
		{name: "a removed object", node: answer(200, revalidated), object: answer(404, ""), want: Stale, because: "OSS no longer holds the object", certain: true},
		{name: "a removed object, from the origin", node: answer(200, "X-Cache: MISS TCP_MISS"), object: answer(404, ""), want: Stale, because: "OSS no longer holds the object", certain: true, note: "another object than the table says"},
		{name: "a cached 404", node: answer(404, "X-Cache: HIT TCP_MEM_HIT dirn:2:1"), object: answer(200, same), want: Missing, because: "the node answers 404 Not Found", certain: true},
		{name: "a 404 of the origin", node: answer(404, "X-Cache: MISS TCP_MISS"), object: answer(200, same), want: Missing, because: "the node answers 404 Not Found", certain: true, note: "another object than the table says"},
		{name: "gone", node: answer(404, "X-Cache: MISS TCP_MISS"), object: answer(404, ""), want: Gone, because: "neither has the object", certain: true},
		{name: "410", node: answer(410, "X-Cache: HIT TCP_HIT"), object: answer(404, ""), want: Gone, because: "neither has the object", certain: true},

		// What is no question of staleness.
		{name: "a signed URL is asked for", node: answer(403, "X-Tengine-Error: denied by req auth: no url arg auth_key\nVia: vcache9.cn3425[,403003]"), object: answer(200, same), want: Unknown, because: "the domain asks for signed URLs: denied by req auth: no url arg auth_key"},
		{name: "a referer is asked for", node: answer(403, "X-Tengine-Error: denied by Referer ACL\nVia: vcache9.cn3425[,403003]"), object: answer(200, same), want: Unknown, because: "the domain refuses the request: denied by Referer ACL"},
		{name: "the domain is not at the CDN", node: answer(403, "X-Tengine-Bf-Error: non-existent domain"), object: answer(200, same), want: Unknown, because: "the domain refuses the request: non-existent domain"},
		{name: "a private bucket", node: answer(403, "x-oss-request-id: 5CF412B8\nX-Cache: MISS TCP_MISS"), object: answer(200, same), want: Unknown, because: "OSS refuses the CDN: a private bucket, without the CDN's right to read it"},
		{name: "403 and no more", node: answer(403, "X-Cache: MISS TCP_MISS"), object: answer(404, ""), want: Unknown, because: "the domain refuses the request (403 Forbidden): a signed URL, a referer or an address may be asked for"},
		{name: "a redirect", node: answer(301, "Location: https://www.example.com/a\nX-Cache: HIT TCP_HIT"), object: answer(404, ""), want: Unknown, because: "the node redirects to https://www.example.com/a: ask for that"},
		{name: "OSS refuses", node: answer(200, revalidated), object: answer(403, ""), want: Unknown, because: "OSS does not tell: it answers 403 Forbidden"},
		{name: "no node at all", node: answer(200, same), object: answer(200, same), want: Fresh, because: "CRC64 is the same", certain: true, note: "no header of a CDN node"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := Judge(tt.node, tt.object, tt.processed)
			if j.State != tt.want || j.Because != tt.because || j.Certain != tt.certain {
				t.Errorf("%s, %q, certain %v; want %s, %q, certain %v", j.State, j.Because, j.Certain, tt.want, tt.because, tt.certain)
			}
			if notes := strings.Join(j.Notes, "\n"); tt.note != "" && !strings.Contains(notes, tt.note) || tt.note == "" && notes != "" {
				t.Errorf("the notes are %q, want %q", notes, tt.note)
			}
			if again := tt.node.Status >= 500; j.Again != again {
				t.Errorf("again is %v", j.Again)
			}
		})
	}
}

// The evidence is in the order of its weight, and none is left out for having
// been outweighed.
func TestEvidence(t *testing.T) {
	j := Judge(answer(200, revalidated), answer(200, same), false)
	var got []string
	for _, e := range j.Evidence {
		got = append(got, e.Name)
	}
	if diff := cmp.Diff([]string{"CRC64", "ETag", "Last-Modified", "Content-Length", "Age", "X-Cache"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
