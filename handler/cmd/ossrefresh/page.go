package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A page is text for people. Nothing on it can steer a terminal, or stand on
// another line than its own.
type page struct {
	strings.Builder
	bold bool
}

// title begins a section.
func (p *page) title(format string, args ...any) {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	text := oneLine(fmt.Sprintf(format, args...))
	if p.bold {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	p.WriteString(text + "\n")
}

func (p *page) line(format string, args ...any) {
	p.WriteString(oneLine(fmt.Sprintf(format, args...)) + "\n")
}

// rows prints aligned columns. Names and URLs belong into the last one, which
// is not padded: Chinese characters are two columns wide.
func (p *page) rows(rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		text := " "
		for i, cell := range row {
			text += " " + cell
			if i < len(row)-1 {
				text += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+1)
			}
		}
		p.line("%s", strings.TrimRight(text, " "))
	}
}

// list prints things below a row, one a line.
func (p *page) list(things []string) {
	for _, thing := range things {
		p.line("       %s", shown(thing))
	}
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
