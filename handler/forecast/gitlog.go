package forecast

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// GitLog is the command whose output [ReadGitLog] reads, of the branch that holds
// the site's files.
const GitLog = "git log --reverse --first-parent -m --raw -z --no-renames --no-abbrev" +
	" --format='%H %ct'"

// ReadGitLog reads the output of [GitLog], gzip too. A commit is a publish. The
// error says which entry is wrong; it is the last that is yielded.
func ReadGitLog(r io.Reader) iter.Seq2[Publish, error] {
	return func(yield func(Publish, error) bool) {
		text, err := unzipped(r)
		if err != nil {
			yield(Publish{}, err)
			return
		}
		log := gitLog{text: text}
		for log.next() {
			if !yield(log.publish, nil) {
				return
			}
		}
		if log.err != nil {
			yield(Publish{}, log.err)
		}
	}
}

// unzipped returns what r holds, which may be gzip.
func unzipped(r io.Reader) (*bufio.Reader, error) {
	text := bufio.NewReaderSize(r, 1<<16)
	if start, _ := text.Peek(2); string(start) != "\x1f\x8b" {
		return text, nil
	}
	zipped, err := gzip.NewReader(text)
	if err != nil {
		return nil, fmt.Errorf("unzipping: %w", err)
	}
	return bufio.NewReaderSize(zipped, 1<<16), nil
}

// A gitLog is read entry by entry; each ends in a zero byte.
type gitLog struct {
	text    *bufio.Reader
	entries int
	header  string // of the next commit
	publish Publish
	err     error
}

// next reads the next commit.
func (g *gitLog) next() bool {
	for g.header == "" {
		entry, ok := g.entry()
		if !ok {
			return false
		}
		g.header = strings.TrimPrefix(entry, "\n")
	}
	if g.publish, g.err = commit(g.header); g.err != nil {
		g.err = fmt.Errorf("entry %d: %w", g.entries, g.err)
		return false
	}
	g.header = ""
	for {
		entry, ok := g.entry()
		entry = strings.TrimPrefix(entry, "\n")
		switch {
		case !ok:
			return g.err == nil
		case entry == "":
		case entry[0] != ':':
			g.header = entry
			return true
		default:
			path, ok := g.entry()
			if !ok {
				g.err = fmt.Errorf("entry %d: the log ends before its path", g.entries)
				return false
			}
			change, err := changeOf(entry)
			if err != nil {
				g.err = fmt.Errorf("entry %d: %w", g.entries, err)
				return false
			}
			if change != nil {
				change.Path = path
				g.publish.Changes = append(g.publish.Changes, *change)
			}
		}
	}
}

// entry reads up to the next zero byte.
func (g *gitLog) entry() (string, bool) {
	entry, err := g.text.ReadString(0)
	g.entries++
	if err != nil && !errors.Is(err, io.EOF) {
		g.err = fmt.Errorf("entry %d: %w", g.entries, err)
		return "", false
	}
	if err != nil && strings.TrimSpace(entry) == "" {
		return "", false
	}
	return strings.TrimSuffix(entry, "\x00"), true
}

// commit reads "HASH SECONDS".
func commit(header string) (Publish, error) {
	_, at, found := strings.Cut(strings.TrimSpace(header), " ")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if !found || err != nil {
		return Publish{}, fmt.Errorf("%.80q is not a commit and its time", header)
	}
	return Publish{Time: time.Unix(seconds, 0).UTC()}, nil
}

// changeOf reads ":100644 100644 BLOB BLOB M". It returns nil for what is not a
// change of a file's content: another mode, or a submodule.
func changeOf(entry string) (*Change, error) {
	f := strings.Fields(strings.TrimPrefix(entry, ":"))
	if len(f) != 5 {
		return nil, fmt.Errorf("%.80q is not a change as --raw prints it", entry)
	}
	was, is := isFile(f[0]), isFile(f[1])
	before, after := f[2], f[3]
	switch {
	case is && !(was && before == after):
		return &Change{Content: contentOf(after)}, nil
	case was && !is:
		return &Change{Content: Gone}, nil
	}
	return nil, nil
}

// isFile reports whether a mode is that of a file or a link: not of a submodule,
// and not of nothing.
func isFile(mode string) bool { return mode != "160000" && mode != "000000" }
