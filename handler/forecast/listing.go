package forecast

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Snapshot is what a bucket held at one time.
type Snapshot struct {
	Time    time.Time // of the newest object
	Objects map[string]Object
}

// An Object is one of a bucket, as listings describe it.
type Object struct {
	Content  Content
	Modified time.Time
}

// ReadListing reads an inventory of OSS (bucket inventory: CSV without a header) or
// what "ossutil ls" prints, gzip too. The error says which line is wrong.
func ReadListing(r io.Reader) (Snapshot, error) {
	text, err := unzipped(r)
	if err != nil {
		return Snapshot{}, err
	}
	start, _ := text.Peek(2048)
	objects, err := readInventory, error(nil)
	if bytes.Contains(start, []byte("oss://")) || bytes.Contains(start, []byte("LastModifiedTime")) {
		objects = readLs
	}
	s := Snapshot{Objects: map[string]Object{}}
	err = objects(text, func(key string, o Object) {
		s.Objects[key] = o
		if o.Modified.After(s.Time) {
			s.Time = o.Modified
		}
	})
	if err == nil && len(s.Objects) == 0 {
		err = errors.New("it lists no object")
	}
	return s, err
}

// lsRow is "2020-03-04 16:41:11 +0800 CST  356320  Standard  9596D0…  oss://b/key".
var lsRow = regexp.MustCompile(
	`^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}) \S+ +\d+ +\S+ +(\S+) +oss://[^/]+/(.*)$`)

func readLs(text *bufio.Reader, add func(string, Object)) error {
	for n := 1; ; n++ {
		line, err := text.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if row := lsRow.FindStringSubmatch(strings.TrimRight(line, "\r\n")); row != nil {
			modified, bad := time.Parse("2006-01-02 15:04:05 -0700", row[1])
			if bad != nil {
				return fmt.Errorf("line %d: %w", n, bad)
			}
			add(row[3], Object{etag(row[2]), modified.UTC()})
		} else if strings.Contains(line, "oss://") {
			return fmt.Errorf("line %d: %.80q is not a row of ossutil ls with time, size, ETag and name",
				n, line)
		}
		if err != nil {
			return nil
		}
	}
}

// etag is the content that an ETag stands for, however it is written.
func etag(text string) Content { return contentOf(strings.ToUpper(strings.Trim(text, `"`))) }

// An inventory's first two fields are bucket and key. Where it has all versions, the
// next three are the version, whether it is the latest, and whether it is a delete
// marker. The order of the rest is that of the inventory's own configuration, so
// fields are known by what they hold.
var (
	etagField = regexp.MustCompile(`^"?[0-9A-Fa-f]{32}(-[0-9]+)?"?$`)
	layouts   = []string{
		time.RFC3339Nano, "2006-01-02T15-04-05Z", "2006-01-02 15:04:05", "2006-01-02T15:04:05",
	}
)

func readInventory(text *bufio.Reader, add func(string, Object)) error {
	rows := csv.NewReader(text)
	rows.FieldsPerRecord, rows.ReuseRecord, rows.LazyQuotes = -1, true, true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := rows.FieldPos(0)
		key, o, listed, err := inventoryRow(row)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		if listed {
			add(key, o)
		}
	}
}

// inventoryRow reads a row; listed is false for a version that is not the latest,
// and for a delete marker.
func inventoryRow(row []string) (key string, o Object, listed bool, err error) {
	if len(row) < 4 {
		return "", o, false, errors.New("it is neither a row of an inventory nor one of ossutil ls")
	}
	if key, err = url.QueryUnescape(row[1]); err != nil {
		return "", o, false, fmt.Errorf("reading the key: %w", err)
	}
	rest := row[2:]
	if len(row) > 5 && isFlag(row[3]) && isFlag(row[4]) {
		if row[3] != "true" || row[4] == "true" {
			return key, o, false, nil
		}
		rest = row[5:]
	}
	for _, field := range rest {
		if etagField.MatchString(field) && o.Content == Gone {
			o.Content = etag(field)
		}
		if o.Modified.IsZero() {
			o.Modified = timeOf(field)
		}
	}
	switch {
	case o.Content == Gone:
		err = errors.New("there is no ETag: let the inventory have ETag and LastModifiedDate")
	case o.Modified.IsZero():
		err = errors.New("there is no time: let the inventory have ETag and LastModifiedDate")
	}
	return key, o, true, err
}

func isFlag(field string) bool { return field == "true" || field == "false" }

func timeOf(field string) time.Time {
	for _, layout := range layouts {
		if at, err := time.Parse(layout, field); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}

// Publishes tells how a bucket came from one snapshot to the next: a publish for
// each day of UTC on which an object was written, and one at the end with what was
// removed. The first publish is what the first snapshot held. An object that was
// written with the content that it had is in it too. What came and went between two
// snapshots is not known.
func Publishes(snapshots []Snapshot) []Publish {
	var all []Publish
	before := Snapshot{Objects: map[string]Object{}}
	for n, s := range snapshots {
		days := map[string]*Publish{}
		add := func(at time.Time, c Change) {
			day := at.Format(time.DateOnly)
			if n == 0 {
				day = "" // the first fill
			}
			p := days[day]
			if p == nil {
				p = &Publish{}
				days[day] = p
			}
			if at.After(p.Time) {
				p.Time = at
			}
			p.Changes = append(p.Changes, c)
		}
		for key, o := range s.Objects {
			if o != before.Objects[key] {
				add(o.Modified, Change{key, o.Content})
			}
		}
		for key := range before.Objects {
			if _, is := s.Objects[key]; !is {
				add(s.Time, Change{key, Gone})
			}
		}
		for _, day := range slices.Sorted(maps.Keys(days)) {
			all = append(all, *days[day])
		}
		before = s
	}
	return all
}
