package main

import (
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"oss-cdn-refresh/mapping"
)

const projectRoot = "../../.."

// readmes are the project's, without what follows in the names of each and its Chinese
// twin: .md, .zh-CN.md.
var readmes = []string{
	"README", "mapping/README", "handler/README", "handler/cmd/lambda/README",
}

func readmeText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(projectRoot, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A shellLine is a command of a README.
type shellLine struct {
	text   string // without its comment
	inText bool   // in a sentence, not in a block
	shows  bool   // its output follows
}

var (
	fence     = regexp.MustCompile("^ *```(\\w*)$")
	inText    = regexp.MustCompile("`((?:ossrefresh|scripts/\\w+|go test|go env|npm|s) [^`]+|scripts/\\w+)`")
	trailing  = regexp.MustCompile(`\s+#.*`)
	shellMark = "$ "
)

// commandsOf returns the commands of a README: those of its sh and console blocks, and
// then those in its sentences.
func commandsOf(text string) (all []shellLine) {
	block, prose := "", ""
	for line := range strings.Lines(text) {
		if at := fence.FindStringSubmatch(strings.TrimRight(line, "\n")); at != nil {
			if block != "" {
				at[1] = ""
			}
			block = at[1]
			continue
		}
		trimmed := strings.TrimSpace(line)
		last := len(all) - 1
		switch {
		case block == "":
			prose += line
		case block != "sh" && block != "console":
		case last >= 0 && strings.HasSuffix(all[last].text, `\`):
			all[last].text = strings.TrimSuffix(all[last].text, `\`) + trimmed
		case block == "sh" || strings.HasPrefix(trimmed, shellMark):
			trimmed = strings.TrimPrefix(trimmed, shellMark)
			all = append(all, shellLine{text: trailing.ReplaceAllString(trimmed, "")})
		default:
			all[last].shows = true
		}
	}
	for _, at := range inText.FindAllStringSubmatch(prose, -1) {
		all = append(all, shellLine{text: strings.Join(strings.Fields(at[1]), " "), inText: true})
	}
	return all
}

// elsewhere are commands that no script runs, and why.
var elsewhere = map[string]string{
	"export ":              "the scripts have an environment of their own",
	"go build ":            "scripts/readme runs it",
	"go test":              "the tests do not start themselves",
	"sed ":                 "scripts/readme runs it",
	"scripts/invoke dist/": "scripts/readme runs it",
	"go env ":              "it changes the machine",
	"npm ":                 "it changes the machine",
	"s deploy":             "scripts/deploy does it in its own way",
	"aws ":                 "the tool and the service are Amazon's",
	"(cd dist/":            "it packs for Amazon's",
	"scripts/check":        "it runs these tests",
	"scripts/bench":        "it takes two minutes",
	"scripts/build":        "scripts/check runs it",
	"ossrefresh probe --domain www.example.com --bucket my-site --live": "probe_test.go runs it: it needs an edge",
}

// stand-ins for what the reader is to fill in.
var standIns = strings.NewReplacer(
	"URL…", "https://www.example.com/a.png",
	"dingtalk:URL", "dingtalk:https://oapi.dingtalk.com/robot/send?access_token=1",
	"access_token=…", "access_token=1",
	"explain BUCKET KEY", "explain my-site www/docs/index.html",
	"explain URL", "explain https://www.example.com/docs/",
	"--live FILE", "--live event.json",
	"ARN", "acs:ram::1234567890123456:role/r",
)

// scriptOf returns a line of a script that does what a command says; empty: it is done
// elsewhere.
func scriptOf(t *testing.T, c shellLine) string {
	t.Helper()
	for prefix := range elsewhere {
		if strings.HasPrefix(c.text, prefix) {
			return ""
		}
	}
	words := strings.Fields(standIns.Replace(c.text))
	switch {
	case words[0] == "scripts/deploy":
		return "cd tree\nran bash scripts/deploy --dry-run " + strings.Join(words[1:], " ") + "\ncd $WORK/clone\n"
	case words[0] == "scripts/invoke" && len(words) == 2:
		return "ran ossrefresh invoke --function $WORK/fc $EVENTS/" + path.Base(words[1]) + "\n"
	case words[0] != "ossrefresh":
		t.Errorf("nothing runs %q", c.text)
		return ""
	case c.inText && len(words) == 2: // the command's name, not a use of it
		return "ran ossrefresh " + words[1] + " --help\n"
	}
	before := ""
	if last := words[len(words)-1]; strings.HasPrefix(last, "<") {
		before = "stdin " + last[1:] + "\n"
		words = words[:len(words)-1]
	}
	switch words[1] {
	case "verify":
		words = append(words, "--edge", "$EDGE")
	case "invoke":
		words = append(words, "--function", "$WORK/fc")
	}
	return before + "ran " + strings.Join(words, " ") + "\n"
}

// startReadme is what a README's reader has: an account, a domain of it that shows
// objects of a bucket, and a repository of what was published.
const startReadme = `[!exec:bash] skip 'the scripts need bash'
[!exec:git] skip 'the forecast needs git'
web
api account=account.json site=7:fast.example.com
cloud
holds oss-cdn-refresh-dead-letters letter.json
env GIT_CONFIG_GLOBAL=none GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=n@example.com GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=n@example.com
exec git init -q -b gh-pages my-site
cp account.json my-site/index.html
exec git -C my-site add -A
exec git -C my-site commit -qm 1
cp letter.json my-site/index.html
exec git -C my-site commit -qam 2
mkdir clone/tree/scripts clone/tree/dist/local
cp $EVENTS/../scripts/deploy clone/tree/scripts/deploy
cp $EVENTS/../s.yaml clone/tree/s.yaml
mkdir clone/tree/mapping
cp clone/mapping/mapping.yaml clone/tree/mapping/mapping.yaml
mv tree/scripts/build clone/tree/scripts/build
cp bin/ossrefresh clone/tree/dist/local/ossrefresh
chmod 755 bin/s
chmod 755 bin/go
chmod 755 bin/ossrefresh
chmod 755 clone/tree/scripts/build
chmod 755 clone/tree/dist/local/ossrefresh
env PATH=$WORK/bin${:}$PATH
cp $EVENTS/dead-letter.json clone/letters.jsonl
cp $EVENTS/oss-put-object.json clone/event.json
cd clone

-- account.json --
[
  {"product": "dcdn", "name": "www.example.com",
   "sources": [{"type": "oss", "content": "my-site.oss-cn-hangzhou.aliyuncs.com"}]},
  {"product": "esa", "site": 7, "name": "fast.example.com",
   "sources": [{"type": "oss", "content": "my-site.oss-cn-hangzhou.aliyuncs.com"}]}
]
-- letter.json --
{"requestPayload": {"events": []}}
-- clone/urls.txt --
www.example.com/图.png
-- clone/mapping/mapping.yaml --
rules:
  - bucket: my-site
    prefix: www/
    targets:
      - {domain: www.example.com, strip_prefix: www/, index: [index.html]}
      - {domain: fast.example.com, product: esa, site: 7, strip_prefix: www/}
`

// Every command of the READMEs runs, against APIs on this machine. What it needs and a
// README cannot give, such as the address of a node, is added.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range readmes {
		ran := map[string]bool{} // the twin has most of them too
		for _, file := range []string{name + ".md", name + ".zh-CN.md"} {
			var lines string
			for _, c := range commandsOf(readmeText(t, file)) {
				isCompared := c.text == "scripts/invoke events/oss-put-object.json" || c.text == "ossrefresh setup"
				if c.shows && !isCompared {
					t.Errorf("%s: nothing compares what %q prints", file, c.text)
				}
				if !ran[c.text] {
					lines += scriptOf(t, c)
				}
				ran[c.text] = true
			}
			if lines == "" {
				continue
			}
			archive := txtar.Parse([]byte(startReadme))
			archive.Comment = append(slices.Clip(archive.Comment), lines...)
			for _, of := range []string{"deploy", "verify"} {
				other, err := txtar.ParseFile("testdata/" + of + ".txtar")
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range other.Files {
					if f.Name != "mapping.yaml" {
						archive.Files = append(archive.Files, f)
					}
				}
			}
			script := filepath.Join(dir, strings.ReplaceAll(file, "/", "-")+".txtar")
			if err := os.WriteFile(script, txtar.Format(archive), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	params := scripts(t)
	params.Dir, params.UpdateScripts = dir, false
	testscript.Run(t, params)
}

// ran is the script command "ran COMMAND…": it fails where the command is wrongly used,
// and where it ends with a failure and has nothing to show.
func ran(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.ExitCode() == 1 && strings.TrimSpace(ts.ReadFile("stdout")) != "" {
		return
	}
	ts.Fatalf("%s: %v", strings.Join(args, " "), err)
}

// A README and its twin have the same commands.
func TestReadmeTwins(t *testing.T) {
	for _, name := range readmes {
		var commands [2][]string
		for i, end := range []string{".md", ".zh-CN.md"} {
			for _, c := range commandsOf(readmeText(t, name+end)) {
				if !c.inText {
					commands[i] = append(commands[i], c.text)
				}
			}
		}
		if diff := cmp.Diff(commands[0], commands[1]); diff != "" {
			t.Errorf("%s (-English +Chinese)\n%s", name, diff)
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noID    = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// What the READMEs link to in the project is there, headings included.
func TestReadmeLinks(t *testing.T) {
	for _, name := range readmes {
		for _, end := range []string{".md", ".zh-CN.md"} {
			for _, at := range link.FindAllStringSubmatch(readmeText(t, name+end), -1) {
				target, id, _ := strings.Cut(at[1]+at[2], "#")
				if strings.HasPrefix(target, "https://") {
					continue
				}
				file := path.Join(path.Dir(name), target)
				if target == "" {
					file = name + end
				}
				if _, err := os.Stat(filepath.Join(projectRoot, file)); err != nil {
					t.Errorf("%s%s: %v", name, end, err)
				}
				if id != "" && !slices.Contains(headingsOf(readmeText(t, file)), id) {
					t.Errorf("%s%s: %s has no heading %q", name, end, file, id)
				}
			}
		}
	}
}

// headingsOf returns the ids that the headings of a text have on GitHub.
func headingsOf(text string) (all []string) {
	for _, at := range heading.FindAllStringSubmatch(text, -1) {
		id := noID.ReplaceAllString(strings.ToLower(at[1]), "")
		all = append(all, strings.ReplaceAll(id, " ", "-"))
	}
	return all
}

// A README that nobody reads to its end is of no use.
func TestReadmeIsShort(t *testing.T) {
	if n := len(strings.Fields(readmeText(t, "README.md"))); n > 2500 {
		t.Errorf("README.md has %d words", n)
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// The tables that the READMEs show have no fault.
func TestReadmeTables(t *testing.T) {
	n := 0
	for _, name := range readmes {
		for _, end := range []string{".md", ".zh-CN.md"} {
			for _, at := range yamlBlock.FindAllStringSubmatch(readmeText(t, name+end), -1) {
				if _, err := mapping.Parse(name+end, []byte(at[1])); err != nil {
					t.Error(err)
				}
				n++
			}
		}
	}
	if n < 10 {
		t.Errorf("the READMEs show %d tables", n)
	}
}
