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
	group{Code: forged, Error: forged, URLs: []string{forged}}.text(p)
	if n := strings.Count(p.String(), "\n"); n != 6 {
		t.Errorf("the page has %d lines, want 6:\n%s", n, p)
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
