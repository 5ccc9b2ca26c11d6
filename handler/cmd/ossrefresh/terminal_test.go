package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"
)

// A theme is the colours of a picture. They are those of the forecast's page.
type theme struct{ name, card, rule, ink, soft string }

var themes = []theme{
	{"light", "#fff", "#dfe2e8", "#1d2129", "#646b78"},
	{"dark", "#1c2027", "#323945", "#e6e9ef", "#9aa3b2"},
}

// The measures of a terminal's picture. A font need not fit into the cells: the
// picture says how wide each text is.
const (
	fontSize   = 13
	cellWidth  = 0.6 * fontSize // as most fonts have it
	lineHeight = 19
	margin     = 16
)

// drawTerminal draws as an SVG a terminal with a command and what it printed.
func drawTerminal(command, printed string, th theme) string {
	var text strings.Builder
	columns := 0
	screen := lay("\x1b[2m$\x1b[0m " + command + "\n" + printed)
	for i, line := range screen {
		for _, p := range line {
			fmt.Fprintf(&text, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n",
				margin+float64(p.column)*cellWidth, margin+i*lineHeight+14, float64(p.cells)*cellWidth,
				map[string]string{bold: ` font-weight="bold"`, faint: ` fill="` + th.soft + `"`}[p.style],
				escapeXML(p.text))
			columns = max(columns, p.column+p.cells)
		}
	}
	width := 2*margin + int(math.Ceil(float64(columns)*cellWidth))
	height := 2*margin + len(screen)*lineHeight
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-labelledby="title desc">
<title id="title">%[3]s</title>
<desc id="desc">A terminal with this command and, below it, what it prints.</desc>
<rect x="0.5" y="0.5" width="%[4]d" height="%[5]d" rx="6" fill="%[6]s" stroke="%[7]s"/>
<g fill="%[8]s" font-size="%[9]d" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace">
%[10]s</g>
</svg>
`, width, height, escapeXML(command), width-1, height-1, th.card, th.rule, th.ink, fontSize, &text)
}

func escapeXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// A piece is text that stands somewhere on a line. All its characters are one cell
// wide or all are two: how wide a font makes the ones beside the others differs.
type piece struct {
	text          string
	column, cells int
	wide          bool
	style         string
}

// Styles, as terminals number them.
const (
	bold  = "1"
	faint = "2"
)

var styled = regexp.MustCompile(`\x1b\[(\d*)m|[^\x1b]+`)

// lay returns the pieces of each line of what is written to a terminal.
func lay(text string) (screen [][]piece) {
	style := ""
	for line := range strings.Lines(text) {
		var pieces []piece
		column := 0
		for _, part := range styled.FindAllStringSubmatch(strings.TrimSuffix(line, "\n"), -1) {
			if part[0][0] == '\x1b' {
				style = part[1]
				continue
			}
			for _, p := range split(part[0]) {
				p.column, p.style = p.column+column, style
				pieces = append(pieces, p)
			}
			column += cells(part[0])
		}
		screen = append(screen, pieces)
	}
	return screen
}

// split cuts a text where the width of its characters changes, and at two blanks or
// more, which an SVG would show as one.
func split(text string) (pieces []piece) {
	column := 0
	for cs := uniseg.NewGraphemes(text); cs.Next(); column += cs.Width() {
		if cs.Str() == " " {
			continue
		}
		next := piece{text: cs.Str(), column: column, cells: cs.Width(), wide: cs.Width() > 1}
		if last := len(pieces) - 1; last >= 0 && pieces[last].takes(next) {
			pieces[last] = pieces[last].with(next)
			continue
		}
		pieces = append(pieces, next)
	}
	return pieces
}

func (p piece) takes(next piece) bool {
	gap := next.column - p.column - p.cells
	return next.wide == p.wide && (gap == 0 || gap == 1 && !p.wide)
}

func (p piece) with(next piece) piece {
	gap := next.column - p.column - p.cells
	p.text += strings.Repeat(" ", gap) + next.text
	p.cells += gap + next.cells
	return p
}

// A terminal's picture is XML, with every text where a terminal has it.
func TestDrawTerminal(t *testing.T) {
	picture := drawTerminal("a <b>", "\x1b[1mT & T\x1b[0m\n\n  x y   图片 1.png\n", themes[1])
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, picture)
		}
	}
	got := regexp.MustCompile(`<text.*`).FindAllString(picture, -1)
	want := []string{
		`<text x="16.0" y="30" textLength="7.8" fill="#9aa3b2">$</text>`,
		`<text x="31.6" y="30" textLength="39.0">a &lt;b&gt;</text>`,
		`<text x="16.0" y="49" textLength="39.0" font-weight="bold">T &amp; T</text>`,
		`<text x="31.6" y="87" textLength="23.4">x y</text>`,
		`<text x="78.4" y="87" textLength="31.2">图片</text>`,
		`<text x="117.4" y="87" textLength="39.0">1.png</text>`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
