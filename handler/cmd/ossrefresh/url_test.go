package main

import (
	"errors"
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
		"https://www.example.com:443/":           "https://www.example.com/",
		"http://www.example.com:80/a":            "https://www.example.com/a",
		"https://www.example.com./":              "https://www.example.com/",
		"//www.example.com/a":                    "https://www.example.com/a",
		" <https://www.example.com/a>\u200b":     "https://www.example.com/a",
		"https://ｗｗｗ。example．com/a":              "https://www.example.com/a",
		"www.example.com/a,b/\xff\xe4":           "https://www.example.com/a,b/%FF%E4",
	}
	for text, want := range tests {
		got, domain, err := complete(text)
		if err != nil || got != want || domain != "www.example.com" {
			t.Errorf("complete(%q) = %q, %q, %v; want %q", text, got, domain, err, want)
		}
	}
}

// Of each text that is not a URL to refresh: what is said, and what was meant.
func TestCompleteRefuses(t *testing.T) {
	tests := map[string][2]string{
		"ftp://www.example.com/a":              {"begins with", "https://www.example.com/a"},
		"https://*.example.com/":               {"wildcard", ""},
		"https://www.example.com:8080/a?b":     {"port", "https://www.example.com/a?b"},
		"http://www.example.com:443/":          {"port", "https://www.example.com/"},
		"https://“www.example.com”/a":          {"has “ (U+201C)", "https://www.example.com/a"},
		"https://www.exam\u200bple.com/":       {"has U+200B", "https://www.example.com/"},
		"https://☕.example.com/":               {"has ☕ (U+2615)", ""},
		"https://192.0.2.1/a":                  {"IP address", ""},
		"192.0.2.1:8080":                       {"IP address", ""},
		"http://[2001:db8::1]/":                {"IP address", ""},
		"10.0.0.1":                             {"IP address", ""},
		"a_b.example.com":                      {"has an underscore", ""},
		"_dnsauth.example.com":                 {"has an underscore", ""},
		"my_site.oss-cn-hangzhou.aliyuncs.com": {"has an underscore", ""},
		"https:///a":                           {"has no domain", ""},
		"a b":                                  {"has no domain", ""},
		"localhost":                            {"has no domain", ""},
		"user@www.example.com":                 {"user information", "https://www.example.com/"},
		"":                                     {"has no domain", ""},
	}
	for text, want := range tests {
		got, _, err := complete(text)
		var e *urlError
		if !errors.As(err, &e) || !strings.Contains(e.problem, want[0]) || e.instead != want[1] {
			t.Errorf("complete(%q) = %q, %+v; want an error with %q and %q", text, got, e, want[0], want[1])
		}
	}
}

func TestChineseDomains(t *testing.T) {
	for text, want := range map[string]string{
		"https://例子.测试/a":        "xn--fsqu00a.xn--0zwm56d",
		"例子。测试":                  "xn--fsqu00a.xn--0zwm56d",
		"www.例子.com":             "www.xn--fsqu00a.com",
		"https://Bücher.example": "xn--bcher-kva.example",
		"３年b組.example":           "xn--3b-w52dz04i.example",
	} {
		if _, domain, err := complete(text); err != nil || domain != want {
			t.Errorf("complete(%q) has the domain %s, %v; want %s", text, domain, err, want)
		}
	}
}

func TestNameIn(t *testing.T) {
	for url, want := range map[string]string{
		"https://www.example.com/a.png":                  "",
		"https://www.example.com/%E5%9B%BE.png":          "图.png",
		"https://www.example.com/a/%E5%9B%BE/1%20.png?b": "图/1 .png",
		"https://www.example.com/a?b=%20":                "",
		"https://www.example.com/photo%20%281%29+.jpg":   "photo (1)+.jpg",
		"https://www.example.com/100%.txt":               "",
		"https://www.example.com/%FF":                    "\xff",
	} {
		if got := nameIn(url); got != want {
			t.Errorf("nameIn(%s) = %q, want %q", url, got, want)
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
	for _, text := range []string{"www.example.com/a b?图#x", "“a.b”/../c?d", "ftp://例子。测试:8080/", "http://a.b/%zz%41", "a.b/[%]", "a.b/\x00\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, domain, err := complete(text)
		var e *urlError
		if errors.As(err, &e) && e.instead != "" {
			if full, _, err := complete(e.instead); err != nil || full != e.instead {
				t.Fatalf("%q is refused for %q, which becomes %q, %v", text, e.instead, full, err)
			}
		}
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
