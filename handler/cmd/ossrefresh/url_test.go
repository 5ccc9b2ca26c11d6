package main

import (
	"net/url"
	"strings"
	"testing"
)

func TestComplete(t *testing.T) {
	tests := map[string]string{
		"www.example.com":                        "https://www.example.com/",
		"HTTP://WWW.Example.com/A":               "https://www.example.com/A",
		"https://www.example.com/a b/图.png":      "https://www.example.com/a%20b/%E5%9B%BE.png",
		"https://www.example.com/a%20b?x=图#frag": "https://www.example.com/a%20b?x=%E5%9B%BE",
		"https://www.example.com/a+b":            "https://www.example.com/a+b",
		"https://www.example.com/100%/100%2":     "https://www.example.com/100%25/100%252",
		"https://www.example.com/[1]|^\"<>\\":    "https://www.example.com/[1]|^%22%3C%3E%5C",
		"https://www.example.com/%e5%9b%BE%28":   "https://www.example.com/%e5%9b%BE%28",
		"www.example.com?v=2":                    "https://www.example.com/?v=2",
		"https://www.example.com//a/":            "https://www.example.com//a/",
		"www.example.com/x?u=http://b.example/":  "https://www.example.com/x?u=http://b.example/",
		"www.example.com#http://b.example/":      "https://www.example.com/",
		"www.example.com/a,b/\xff\xe4":           "https://www.example.com/a,b/%FF%E4",
	}
	for text, want := range tests {
		got, domain, err := complete(text)
		if err != nil || got != want || domain != "www.example.com" {
			t.Errorf("complete(%q) = %q, %q, %v; want %q", text, got, domain, err, want)
		}
	}
}

func TestCompleteRefuses(t *testing.T) {
	tests := map[string]string{
		"ftp://www.example.com/":       "begins with",
		"https://*.example.com/":       "wildcard",
		"https://www.example.com:443/": "port",
		"https://例子.测试/":               "Punycode",
		"https:///a":                   "no domain",
		"a b":                          "no domain",
		"user@www.example.com":         "no domain",
		"":                             "no domain",
	}
	for text, want := range tests {
		if got, _, err := complete(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("complete(%q) = %q, %v; want an error with %q", text, got, err, want)
		}
	}
}

// What is asked for in place of a URL with dot segments is what new URL(…).href
// is in a browser.
func TestCompleteRefusesDots(t *testing.T) {
	tests := map[string]string{
		"/..":            "/",
		"/a/.":           "/a/",
		"/a/b/..":        "/a/",
		"/../../a":       "/a",
		"/a//../b":       "/a/b",
		"/a/%2e%2E/b":    "/b",
		"/a/.%2e/b?c/..": "/b?c/..",
		"/%2E/图/./":      "/%E5%9B%BE/",
	}
	for path, want := range tests {
		want = `ask for "https://www.example.com` + want + `"`
		if got, _, err := complete("www.example.com" + path); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("complete(%q) = %q, %v; want an error with %s", path, got, err, want)
		}
	}
	for _, path := range []string{"/.a/..b/.../c.", "/a?b/../c", "/%252e%252e/", "//"} {
		if _, _, err := complete("www.example.com" + path); err != nil {
			t.Errorf("complete(%q): %v", path, err)
		}
	}
}

// What is complete stays as it is, and every URL parser reads it alike.
func FuzzComplete(f *testing.F) {
	for _, text := range []string{"www.example.com/a b?图#x", "http://a.b/%zz%41", "a.b/[%]", "a.b/\x00\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, domain, err := complete(text)
		if err != nil {
			return
		}
		again, _, err := complete(first)
		if err != nil || again != first {
			t.Fatalf("%q becomes %q and then %q, %v", text, first, again, err)
		}
		parsed, err := url.Parse(first)
		if err != nil || parsed.Host != domain || parsed.Fragment != "" {
			t.Fatalf("%q becomes %q, which parses as %+v, %v", text, first, parsed, err)
		}
	})
}
