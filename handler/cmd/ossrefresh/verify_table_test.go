package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"testing"

	"oss-cdn-refresh/mapping"
)

// A processed image has nothing in OSS that is like it.
func TestProcessed(t *testing.T) {
	tests := []struct {
		url, key string
		want     bool
	}{
		{"https://a.example.com/a.jpg", "a.jpg", false},
		{"https://a.example.com/a.jpg?v=2", "a.jpg", false},
		{"https://a.example.com/a.jpg?x-oss-process=style/small", "a.jpg", true},
		{"https://a.example.com/a.jpg?v=2&x-oss-process=style/small", "a.jpg", true},
		{"https://a.example.com/a.jpg?image_process=resize,w_4", "a.jpg", true},
		{"https://a.example.com/a.jpg?not-x-oss-process=1", "a.jpg", false},
		{"https://a.example.com/a.jpg!small", "img/a.jpg", true},
		{"https://a.example.com/%E5%9B%BE%20(1).jpg", "图 (1).jpg", false},
		{"https://a.example.com/a+b.jpg", "a b.jpg", false},
		{"https://a.example.com/docs/", "docs/index.html", false},
		{"https://a.example.com/docs", "docs/index.html", false},
		{"https://a.example.com/about", "about.html", false},
	}
	for _, tt := range tests {
		if got := processed(tt.url, object{"b", tt.key}); got != tt.want {
			t.Errorf("processed(%q, %q) = %v", tt.url, tt.key, got)
		}
	}
}

// Keys are looked up whatever their rule refreshes, and how; a refresh of one of
// its URLs is of that file, at the product of its domain.
func TestVerifyTable(t *testing.T) {
	table, err := mapping.Parse("mapping.yaml", []byte(`rules:
  - {bucket: b, events: [removed], skip_new: true, targets: [
      {domain: d.example.com, product: cdn, type: directory},
      {domain: i.example.com, type: ignore_params, queries: ['v=2']}]}
  - {bucket: s, targets: [{domain: s.example.com, index: [index.html], spellings: canonical}]}`))
	if err != nil {
		t.Fatal(err)
	}
	v, err := newVerifyTable(table, false)
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]mapping.Product{}
	for _, o := range []object{{"b", "a/b.txt"}, {"s", "docs/index.html"}} {
		for _, q := range v.ofObject(o) {
			target := v.target(q)
			if q.unasked != "" || target.URL != q.url || target.Type != mapping.File {
				t.Errorf("%+v: %+v", q, target)
			}
			urls[q.url] = target.Product
		}
	}
	want := map[string]mapping.Product{
		"https://d.example.com/a/b.txt":         mapping.CDN,
		"https://i.example.com/a/b.txt":         mapping.DCDN,
		"https://i.example.com/a/b.txt?v=2":     mapping.DCDN,
		"https://s.example.com/docs/index.html": mapping.DCDN,
		"https://s.example.com/docs/":           mapping.DCDN,
	}
	for url, product := range want {
		if urls[url] != product {
			t.Errorf("%s: %q, want %q", url, urls[url], product)
		}
	}
	for url, unasked := range map[string]string{
		"https://d.example.com/a/":    noIndex,
		"https://none.example.com/":   "no object of the table is shown there",
		"https://s.example.com/x.txt": "",
	} {
		if q, err := v.ofURL(url); err != nil || q.unasked != unasked {
			t.Errorf("%s: %q, %v; want %q", url, q.unasked, err, unasked)
		}
	}
}

// Another try is for what may pass by itself.
func TestTemporary(t *testing.T) {
	tests := []struct {
		err  error
		want bool
	}{
		{errors.New("connection refused"), true},
		{fmt.Errorf("asking: %w", &net.DNSError{IsNotFound: true}), false},
		{&net.DNSError{IsTimeout: true}, true},
		{fmt.Errorf("asking: %w", &tls.CertificateVerificationError{}), false},
		{&refusedError{status: 403}, false},
		{&refusedError{status: 503}, true},
	}
	for _, tt := range tests {
		if got := temporary(tt.err); got != tt.want {
			t.Errorf("temporary(%v) = %v", tt.err, got)
		}
	}
}
