package forecast

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	zero  = "0000000000000000000000000000000000000000"
	one   = "1111111111111111111111111111111111111111"
	two   = "2222222222222222222222222222222222222222"
	small = "abc 1700000000\x00\n:000000 100644 " + zero + " " + one + " A\x00a b.html\x00:000000 160000 " + zero + " " + two + " A\x00module\x00" +
		"def 1700000060\x00\n:100644 100755 " + one + " " + one + " M\x00a b.html\x00:100644 100644 " + one + " " + two + " M\x00\n:odd\x00" +
		"012 1700000120\x00345 1700000180\x00\n:100644 000000 " + two + " " + zero + " D\x00a b.html\x00"
)

// shown is a publish in a line.
func shown(p Publish) string {
	text := p.Time.Format(time.DateTime)
	for _, c := range p.Changes {
		text += fmt.Sprintf(" %q", c.Path)
		if c.Content == Gone {
			text += " gone"
		}
	}
	return text
}

func readAll(t *testing.T, text string) ([]string, error) {
	t.Helper()
	var all []string
	for p, err := range ReadGitLog(strings.NewReader(text)) {
		if err != nil {
			return all, err
		}
		all = append(all, shown(p))
	}
	return all, nil
}

func TestReadGitLog(t *testing.T) {
	want := []string{
		`2023-11-14 22:13:20 "a b.html"`,
		`2023-11-14 22:14:20 "\n:odd"`,
		`2023-11-14 22:15:20`,
		`2023-11-14 22:16:20 "a b.html" gone`,
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(small))
	z.Close()
	for name, text := range map[string]string{"plain": small, "gzip": zipped.String()} {
		got, err := readAll(t, text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

func TestReadGitLogFaults(t *testing.T) {
	for text, want := range map[string]string{
		"commit abc\nAuthor: x\n":                    `entry 1: "commit abc\nAuthor: x\n" is not a commit and its time`,
		"abc 17\x00\n:000000 100644 0 1\x00a\x00":    `entry 3: ":000000 100644 0 1" is not a change as --raw prints it`,
		"abc 17\x00\n:000000 100644 0 1 A\x00":       `entry 3: the log ends before its path`,
		"abc 17\x00:000000 100644 0 1 A\x00a\x00x y": `entry 4: "x y" is not a commit and its time`,
		"\x1f\x8bnot gzip":                           `unzipping: gzip: invalid header`,
	} {
		if _, err := readAll(t, text); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
	}
}

// What git really prints, merges too, is what the files of each commit say.
func TestReadGitLogOfARepository(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=n", "-c", "user.email=n@example.com"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_COMMITTER_DATE=1700000000 +0800", "GIT_AUTHOR_DATE=1700000000 +0800")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q", "-b", "site")
	write("index.html", "1")
	write("docs/图.html", "1")
	git("add", "-A")
	git("commit", "-qm", "1")
	git("checkout", "-qb", "other")
	write("other.html", "1")
	git("add", "-A")
	git("commit", "-qm", "2")
	git("checkout", "-q", "site")
	git("mv", "index.html", "moved.html")
	git("commit", "-qm", "3")
	git("merge", "-q", "--no-edit", "other")

	args := strings.Fields(strings.ReplaceAll(GitLog, "'", ""))
	args = slices.Concat(args[1:len(args)-2], []string{"--format=%H %ct", "site"})
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(t, string(out))
	want := []string{
		`2023-11-14 22:13:20 "docs/图.html" "index.html"`,
		`2023-11-14 22:13:20 "index.html" gone "moved.html"`,
		`2023-11-14 22:13:20 "other.html"`,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

const (
	hashA = "9596D012A30438A0073A2A0B38F5D578"
	hashB = "63175E7180D110BA9D3BAB34F4313C59"
)

func TestReadListing(t *testing.T) {
	type object struct {
		Same     bool // its content is that of hashA
		Modified string
	}
	tests := map[string]struct {
		text string
		want map[string]object
	}{
		"ossutil ls": {
			"LastModifiedTime                   Size(B)  StorageClass   ETAG                                  ObjectName\n" +
				"2020-03-04 16:41:11 +0800 CST       356320      Standard   " + hashA + "      oss://b/www/a b.html\n" +
				"2020-03-04 00:41:11 +0800 CST         2889            IA   " + hashB + "-3    oss://b/www/\r\n" +
				"Object Number is: 2\n\n0.011877(s) elapsed\n",
			map[string]object{"www/a b.html": {true, "2020-03-04 08:41:11"}, "www/": {false, "2020-03-03 16:41:11"}},
		},
		"an inventory": {
			`"b","a%20b%2B.html","356320","Standard","2020-03-04T08:41:11.000Z","` + strings.ToLower(hashA) + `","false"` + "\n" +
				`b,"%E5%9B%BE.png",7,` + hashB + `,2020-03-04T09-00-00Z` + "\n",
			map[string]object{"a b+.html": {true, "2020-03-04 08:41:11"}, "图.png": {false, "2020-03-04 09:00:00"}},
		},
		"an inventory with all versions": {
			"b,a,v2,true,false,1,2020-03-04T08:41:11Z," + hashA + "\nb,a,v1,false,false,1,2020-03-03T08:41:11Z," + hashB + "\n" +
				"b,c,v2,true,true,0,2020-03-04T08:41:11Z,\n",
			map[string]object{"a": {true, "2020-03-04 08:41:11"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := ReadListing(strings.NewReader(test.text))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]object{}
			for key, o := range s.Objects {
				got[key] = object{o.Content == contentOf(hashA), o.Modified.Format(time.DateTime)}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReadListingFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                             `it lists no object`,
		"{}\n":                         `line 1: it is neither a row of an inventory nor one of ossutil ls`,
		"b,a%zz,1,2\n":                 `line 1: reading the key: invalid URL escape "%zz"`,
		"b,a,1,2020-03-04T08:41:11Z\n": `line 1: there is no ETag: let the inventory have ETag and LastModifiedDate`,
		"b,a,1," + hashA + "\n":        `line 1: there is no time: let the inventory have ETag and LastModifiedDate`,
		"oss://b/a\n":                  `line 1: "oss://b/a\n" is not a row of ossutil ls with time, size, ETag and name`,
	} {
		if _, err := ReadListing(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
	}
}

// Between two listings: what was written, on its day, with other content or the
// same; and what was removed.
func TestPublishes(t *testing.T) {
	day := func(d int) time.Time { return start.AddDate(0, 0, d) }
	first := Snapshot{Time: day(1), Objects: map[string]Object{"a": {1, day(0)}, "b": {1, day(1)}, "c": {1, day(1)}}}
	second := Snapshot{Time: day(4), Objects: map[string]Object{"a": {3, day(3)}, "b": {1, day(4)}, "d": {1, day(3)}}}
	var got []string
	for _, p := range Publishes([]Snapshot{first, second}) {
		slices.SortFunc(p.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
		got = append(got, shown(p))
	}
	want := []string{
		`2026-03-02 00:00:00 "a" "b" "c"`,
		`2026-03-04 00:00:00 "a" "d"`,
		`2026-03-05 00:00:00 "b" "c" gone`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadLog(t *testing.T) {
	log := `{"time":"2026-03-01T23:59:59+00:00","msg":"refreshed","product":"dcdn","type":"File","urls":["a","b"],"part":1,"n":2}
{"time":"2026-03-02T07:59:59+08:00","msg":"refreshed","product":"dcdn","type":"Directory","urls":["d"]}
not the function's
{"message":"{\"time\":\"2026-03-02T00:00:00Z\",\"msg\":\"refreshed\",\"product\":\"cdn\",\"type\":\"File\",\"urls\":[\"a\"]}"}
{"time":"2026-03-02T00:00:00Z","msg":"refreshed","product":"dcdn","type":"File","urls":["again"],"recalled":true}
{"time":"2026-03-02T00:00:00Z","msg":"refreshed","product":"dcdn","type":"File","urls":["dry"],"dry_run":true}
{"time":"2026-03-02T00:00:00Z","msg":"failed","product":"dcdn","type":"File","urls":["failed"]}
{"time":"2026-03-02T00:00:00Z","msg":"report","refreshed":3}`
	days, err := ReadLog(strings.NewReader(log), Quota{URLs: 1, Directories: 1})
	var got []string
	for _, d := range days {
		got = append(got, fmt.Sprintf("%s %d %d %t", d.Day, d.URLs, d.Directories, d.Over))
	}
	if diff := cmp.Diff([]string{"2026-03-01 2 1 true", "2026-03-02 1 0 false"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// The log says the site; lines of before do not.
func TestReadLogOfSites(t *testing.T) {
	log := `{"time":"2026-03-01T01:00:00Z","msg":"refreshed","product":"esa","site":7,"type":"File","urls":["a"]}
{"time":"2026-03-01T01:00:00Z","msg":"refreshed","product":"esa","site":8,"type":"File","urls":["b"]}
{"time":"2026-03-02T01:00:00Z","msg":"refreshed","product":"esa","type":"File","urls":["a"]}
{"time":"2026-03-02T01:00:00Z","msg":"refreshed","product":"esa","type":"File","urls":["b"]}`
	days, err := ReadLog(strings.NewReader(log), Quota{URLs: 1, Directories: 1})
	if err != nil || len(days) != 2 || days[0].Over || !days[1].Over {
		t.Errorf("%+v, %v; want the second day over", days, err)
	}
}
