package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"oss-cdn-refresh/mapping"
)

// A console is what a command reads and writes.
type console struct {
	in         io.Reader
	out, err   io.Writer
	getenv     func(string) string
	json       bool
	shown      bool // a document was
	bold, loud bool // out, err: on a terminal that may show colours

	width, errWidth int // of out's and err's terminal, in cells; 0 where there is none
}

func newConsole(in io.Reader, out, err io.Writer, getenv func(string) string) *console {
	plain := getenv("NO_COLOR") != "" || getenv("TERM") == "dumb"
	return &console{
		in: in, out: out, err: err, getenv: getenv,
		bold: !plain && terminal(out), loud: !plain && terminal(err),
		width: widthOf(out, getenv), errWidth: widthOf(err, getenv),
	}
}

// widthOf returns the width of a terminal in cells; 0 for what is not one.
func widthOf(w io.Writer, getenv func(string) string) int {
	file, ok := w.(*os.File)
	if !ok || !terminal(w) {
		return 0
	}
	if columns, err := strconv.Atoi(getenv("COLUMNS")); err == nil {
		return columns
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A document is what a command has found out. Its JSON has stable names.
type document interface {
	text(p *page) // for people
}

// show prints a document in the form that was asked for.
func (c *console) show(d document) error {
	c.shown = true
	if c.json {
		return c.encode(d)
	}
	p := &page{bold: c.bold, width: c.width}
	d.text(p)
	_, err := io.WriteString(c.out, p.String())
	return err
}

func (c *console) encode(v any) error {
	encoder := json.NewEncoder(c.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// A problem is an error, as JSON has it where there is no document.
type problem struct {
	Message string  `json:"message"`
	Hint    string  `json:"hint,omitempty"`
	Usage   bool    `json:"usage"`  // the command line is at fault
	Faults  []fault `json:"faults"` // of the table
}

func newProblem(err error) problem {
	p := problem{Message: err.Error(), Faults: []fault{}}
	var faults mapping.Faults
	if errors.As(err, &faults) {
		p.Message = "the mapping table has " + plural(len(faults), "fault")
		p.Faults = newFaults(faults)
	}
	var h *hinted
	if errors.As(err, &h) {
		p.Hint, p.Usage = h.hint, h.usage
	}
	return p
}

// report prints an error and returns the exit status. A table's faults stand
// one a line and without prefix, as editors read them.
func (c *console) report(err error) int {
	if err == nil {
		return 0
	}
	p := newProblem(err)
	if c.json && !c.shown {
		_ = c.encode(map[string]problem{"error": p}) // standard error has it too
	}
	if c.shown && !c.json {
		fmt.Fprintln(c.err)
	}
	for _, f := range p.Faults {
		fmt.Fprintln(c.err, wrap(oneLine(f.line), c.errWidth, 4))
	}
	for _, line := range lines(printable(p.Message)) {
		c.say("error", "31", line)
	}
	for _, line := range lines(p.Hint) {
		c.hint(line)
	}
	if p.Usage {
		return 2
	}
	return 1
}

// hint prints what to do about something.
func (c *console) hint(text string) {
	c.say("hint", "36", oneLine(text))
}

// say prints a line behind a label, wrapped below its beginning.
func (c *console) say(word, color, text string) {
	plain := "ossrefresh: " + word + ": "
	text = wrap(plain+text, c.errWidth, len(plain))
	fmt.Fprintln(c.err,
		c.label(word, color)+strings.TrimPrefix(text, strings.TrimSuffix(plain, " ")))
}

func (c *console) label(word, color string) string {
	if !c.loud {
		return "ossrefresh: " + word + ":"
	}
	return "ossrefresh: \x1b[" + color + "m" + word + ":\x1b[0m"
}

// read reads a file, or standard input for "-", unless ctx ends first. What
// says what the file is.
func (c *console) read(ctx context.Context, what, name string) ([]byte, error) {
	var data []byte
	done := make(chan error, 1)
	go func() {
		var err error
		if name == "-" {
			data, err = io.ReadAll(c.in)
		} else {
			data, err = os.ReadFile(name)
		}
		done <- err
	}()
	select {
	case <-ctx.Done():
		return nil, errors.New("nothing was done")
	case err := <-done:
		if err != nil {
			return nil, hint(fmt.Errorf("reading %s: %w", what, err),
				"give the name of a file, or - for standard input")
		}
		return plainText(data), nil
	}
}

// A tableFlag names the mapping table.
type tableFlag struct {
	Mapping string `placeholder:"FILE" help:"The mapping table. Default: mapping/mapping.yaml if there is one, else mapping.yaml."`
}

// file returns the table's file.
func (f tableFlag) file() string {
	name := "mapping/mapping.yaml"
	if _, err := os.Stat(name); err != nil {
		name = "mapping.yaml"
	}
	return cmp.Or(f.Mapping, name)
}

func (f tableFlag) load() (*mapping.Table, error) {
	table, err := mapping.Load(f.file())
	return table, f.explain(err)
}

// check reads the table and what is unlikely to be meant in it.
func (f tableFlag) check() (*mapping.Table, mapping.Faults, error) {
	table, warnings, err := mapping.Check(f.file())
	return table, warnings, f.explain(err)
}

// explain adds to the error of a table that cannot be read what to do about it.
func (f tableFlag) explain(err error) error {
	var faults mapping.Faults
	if err == nil || errors.As(err, &faults) {
		return err
	}
	return hint(err, "name the table with --mapping")
}

// plural counts things: "1 URL", "2 URLs".
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// orDash fills an empty cell.
func orDash(s string) string { return cmp.Or(s, "-") }

// lines splits text into its lines that are not blank.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}

// showProgress shows on a terminal how far a command is, in one line that the next
// one replaces; an empty one ends it.
func (c *console) showProgress(format string, args ...any) {
	if terminal(c.err) {
		fmt.Fprintf(c.err, "\r\x1b[K%s", oneLine(fmt.Sprintf(format, args...)))
	}
}
