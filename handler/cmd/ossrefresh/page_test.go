package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShown(t *testing.T) {
	tests := map[string]string{
		"www/图 1.png": "www/图 1.png",
		`a"b\c`:       `a"b\c`,
		"":            `""`,
		" a":          `" a"`,
		"a\nb":        `"a\nb"`,
		"\x1b[2J":     `"\x1b[2J"`,
		"\u202egpj":   `"\u202egpj"`,
		"a\xffb":      `"a\xffb"`,
	}
	for key, want := range tests {
		if got := shown(key); got != want {
			t.Errorf("shown(%q) is %s, want %s", key, got, want)
		}
	}
}

// Nothing steers the terminal, and what prints is left alone.
func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"a b\n图", "\x1b[31m", "\u009b2J\r", "\xff\xfe", "\u202e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := printable(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unprintable) {
			t.Errorf("%q is shown as %q", text, got)
		}
		if strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Errorf("%q is shown as %q, with other lines", text, got)
		}
		if again := printable(got); again != got {
			t.Errorf("%q is shown as %q, and that as %q", text, got, again)
		}
	})
}

// Foreign text does not make rows, nor lines of a group.
func TestForged(t *testing.T) {
	forged := "x\n  done  a.png"
	p := &page{}
	p.title("%s", forged)
	p.line("%s", forged)
	p.rows([][]string{{forged, forged}})
	p.list([]string{forged})
	failureView{Code: forged, Error: forged, URLs: []string{forged}}.text(p)
	if n := strings.Count(p.String(), "\n"); n != 6 {
		t.Errorf("the page has %d lines, want 6:\n%s", n, p)
	}
}

// Columns stand below each other in cells of a terminal, whatever is in them.
func TestRowsByCells(t *testing.T) {
	p := &page{}
	p.rows([][]string{{"ab", "x"}, {"图片", "y"}, {"é\u0301", "z"}, {"👍🏽", "w"}})
	const want = "  ab    x\n  图片  y\n  é\u0301     z\n  👍🏽    w\n"
	if p.String() != want {
		t.Errorf("got\n%swant\n%s", p, want)
	}
}

// Long lines are wrapped at blanks, below where their text begins, and a URL is
// never broken.
func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		line          string
		width, indent int
		want          string
	}{
		{"one two three four five", 0, 2, "one two three four five"},
		{"one two three four five", 23, 2, "one two three four five"},
		{"one two three four five", 22, 2, "one two three four\n  five"},
		{"  aa  bb cc dd ee ff gg hh", 20, 6, "  aa  bb cc dd ee ff\n    gg hh"},
		{"  aa  bb cc dd ee ff gg hh ii jj kk", 26, 6, "  aa  bb cc dd ee ff gg hh\n      ii jj kk"},
		{"see https://www.example.com/a/very/long/url now", 20, 2, "see\n    https://www.example.com/a/very/long/url\n    now"},
		{"did you mean: ossrefresh refresh --live https://www.example.com/", 20, 2, "did you mean:\n    ossrefresh refresh --live https://www.example.com/"},
		{"图图图图图 图图图图图 图图", 22, 0, "图图图图图 图图图图图\n图图"},
		{"https://www.example.com/long/enough/to/pass", 20, 0, "https://www.example.com/long/enough/to/pass"},
	} {
		if got := wrap(tt.line, tt.width, tt.indent); got != tt.want {
			t.Errorf("wrap(%q, %d, %d)\n got %q\nwant %q", tt.line, tt.width, tt.indent, got, tt.want)
		}
	}
}

// Nothing is lost by wrapping, and no line is too wide that has more than one word.
func FuzzWrap(f *testing.F) {
	f.Add("  one two  图片 https://www.example.com/a three", 30, 5)
	f.Add("a b c d e f g h i j k l m n o p q r s t u v w x y z", 20, 40)
	f.Fuzz(func(t *testing.T, line string, width, indent int) {
		line, width, indent = oneLine(line), width%200, max(indent%100, -indent%100)
		got := wrap(line, width, indent)
		if a, b := strings.Fields(got), strings.Fields(line); strings.Join(a, " ") != strings.Join(b, " ") {
			t.Fatalf("%q becomes %q", line, got)
		}
		for _, l := range strings.Split(got, "\n") {
			if width >= 20 && cells(l) > width && !strings.Contains(l, "ossrefresh ") && strings.Contains(strings.Trim(l, " "), " ") {
				t.Errorf("%q has the line %q, wider than %d", line, l, width)
			}
		}
	})
}

// An error on a terminal is wrapped below its text.
func TestErrorsAreWrapped(t *testing.T) {
	var out bytes.Buffer
	c := &console{err: &out, errWidth: 50}
	c.report(hint(errors.New("one two three four five six seven eight nine ten"), "look at https://www.example.com/some/long/path"))
	want := "ossrefresh: error: one two three four five six\n                   seven eight nine ten\n" +
		"ossrefresh: hint: look at\n                  https://www.example.com/some/long/path\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// Colours are for terminals whose user wants them. The null device is a
// character device, as terminals are.
func TestColors(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	tests := []struct {
		variable string
		want     bool
	}{{"", true}, {"NO_COLOR=1", false}, {"TERM=dumb", false}}
	for _, tt := range tests {
		name, value, _ := strings.Cut(tt.variable, "=")
		c := newConsole(nil, device, new(bytes.Buffer), func(n string) string {
			return map[string]string{name: value}[n]
		})
		if c.bold != tt.want || c.loud {
			t.Errorf("%q: bold %t, loud %t; want %t and false", tt.variable, c.bold, c.loud, tt.want)
		}
	}
	var out bytes.Buffer
	c := &console{err: &out, loud: true}
	c.report(errors.New("gone"))
	if want := "ossrefresh: \x1b[31merror:\x1b[0m gone\n"; out.String() != want {
		t.Errorf("an error shows as %q, want %q", out.String(), want)
	}
}
