package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// A page is text for people. Nothing on it can steer a terminal, or stand on
// another line than its own.
type page struct {
	strings.Builder
	bold  bool
	width int // of the terminal in cells; 0 where lines are not wrapped
}

// title begins a section.
func (p *page) title(format string, args ...any) {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	text := wrap(oneLine(fmt.Sprintf(format, args...)), p.width, 4)
	if p.bold {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	p.WriteString(text + "\n")
}

// line prints a line. Where it is wrapped, the next lines are indented further.
func (p *page) line(format string, args ...any) {
	text := oneLine(fmt.Sprintf(format, args...))
	p.WriteString(wrap(text, p.width, len(text)-len(strings.TrimLeft(text, " "))+2) + "\n")
}

// rows prints aligned columns. The last one is wrapped below its beginning.
func (p *page) rows(rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], cells(oneLine(cell)))
		}
	}
	for _, row := range rows {
		text, column := " ", 1
		for i, cell := range row {
			cell = oneLine(cell)
			text += " " + cell
			if column++; i < len(row)-1 {
				text += strings.Repeat(" ", widths[i]-cells(cell)+1)
				column += widths[i] + 1
			}
		}
		p.WriteString(wrap(strings.TrimRight(text, " "), p.width, column) + "\n")
	}
}

// list prints URLs below a row, one a line, each with the name in it. What stands
// behind two blanks is a remark on the URL.
func (p *page) list(urls []string) {
	for _, url := range urls {
		url, remark, found := strings.Cut(url, "  ")
		text := "       " + withName(url)
		if found {
			text += "  " + remark
		}
		p.line("%s", text)
	}
}

// withName is a URL as a page shows it, with the name in it where its encoding hides
// that.
func withName(url string) string {
	if name := nameIn(url); name != "" {
		return shown(url) + "  (" + shown(name) + ")"
	}
	return shown(url)
}

// cells is how many cells of a terminal a text takes: two for a Chinese character.
func cells(text string) int { return uniseg.StringWidth(text) }

// wrap breaks a line at blanks where it is wider than the terminal, so that words and
// URLs stay whole, and so does a command line of this tool, which people copy. The lines after the first begin with as many blanks as indent, or
// with a few where that would leave them too narrow.
func wrap(line string, width, indent int) string {
	const narrowest = 20
	if width < narrowest || cells(line) <= width {
		return line
	}
	if width-indent < narrowest {
		indent = 4
	}
	var b strings.Builder
	column, empty := 0, true
	for rest := line; rest != ""; {
		word := strings.TrimLeft(rest, " ")
		blanks := len(rest) - len(word)
		if !strings.HasPrefix(word, "ossrefresh ") {
			word, _, _ = strings.Cut(word, " ")
		}
		rest = rest[blanks+len(word):]
		if !empty && column+blanks+cells(word) > width {
			b.WriteString("\n")
			blanks, column = indent, 0
		}
		b.WriteString(strings.Repeat(" ", blanks) + word)
		column += blanks + cells(word)
		empty = false
	}
	return b.String()
}

// shown returns a key, a name or a URL as a terminal may have it: in quotes
// where something in it would not print, or would not be seen.
func shown(s string) string {
	if s == "" || s != strings.TrimSpace(s) || s != printable(s) || strings.Contains(s, "\n") {
		return strconv.Quote(s)
	}
	return s
}

// oneLine is printable for text that must not begin another line, as foreign
// text could with a row of its own making.
func oneLine(text string) string { return strings.ReplaceAll(printable(text), "\n", `\n`) }

// printable returns text without what steers a terminal. Line ends stay.
func printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, unprintable) {
		return text
	}
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(escape(line))
	}
	return b.String()
}

// escape spells what does not print as Go does, and leaves quotes and
// backslashes alone.
func escape(line string) string {
	var b strings.Builder
	for len(line) > 0 {
		r, size := utf8.DecodeRuneInString(line)
		if piece := line[:size]; r == utf8.RuneError && size == 1 || unprintable(r) {
			b.WriteString(strings.Trim(strconv.Quote(piece), `"`))
		} else {
			b.WriteString(piece)
		}
		line = line[size:]
	}
	return b.String()
}

func unprintable(r rune) bool { return r != '\n' && !strconv.IsPrint(r) }
