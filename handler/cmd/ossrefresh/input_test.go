package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// inUTF16 writes a text as Windows does, or with the bytes of each unit swapped.
func inUTF16(text string, swapped bool) []byte {
	var data []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		low, high := byte(unit), byte(unit>>8)
		if swapped {
			low, high = high, low
		}
		data = append(data, low, high)
	}
	return data
}

func TestPlainText(t *testing.T) {
	const text = "https://www.example.com/a 图😀.html\n"
	for name, data := range map[string][]byte{
		"plain":                 []byte(text),
		"marked":                []byte("\ufeff" + text),
		"UTF-16, marked":        inUTF16("\ufeff"+text, false),
		"UTF-16 BE, marked":     inUTF16("\ufeff"+text, true),
		"UTF-16 without a mark": inUTF16(text, false),
		"UTF-16 BE without one": inUTF16(text, true),
	} {
		if got := string(plainText(data)); got != text {
			t.Errorf("%s: got %q, want %q", name, got, text)
		}
	}
	for _, data := range []string{"", "a", "\xff\x00", "a\x00b", "\x00\x00\x00\x00"} {
		if got := string(plainText([]byte(data))); got != data {
			t.Errorf("%q becomes %q", data, got)
		}
	}
}

func TestListedURLs(t *testing.T) {
	const a, b = "https://www.example.com/a", "https://www.example.com/b"
	for text, want := range map[string][]string{
		a + "\n" + b + "\n":                   {a, b},
		a + "\r\n\r\n" + b:                    {a, b},
		a + "\r" + b:                          {a, b},
		"# all pages\n" + a + "\n#" + b:       {a},
		a + " # the start\n" + b + "\t#x":     {a, b},
		a + "#top":                            {a + "#top"},
		a + "," + b:                           {a, b},
		a + ", " + b + ",":                    {a, b},
		a + "，" + b:                           {a, b},
		a + ";" + b:                           {a, b},
		a + "、" + b + "、":                     {a, b},
		a + " " + b:                           {a, b},
		"www.example.com/a,www.example.com/b": {"www.example.com/a", "www.example.com/b"},
		"www.example.com/a,b.png":             {"www.example.com/a,b.png"},
		a + "?x=1," + b:                       {a + "?x=1", b},
		a + "?u=1,www.example.com/b":          {a + "?u=1,www.example.com/b"},
		a + "?u=1,https://b.example.com/":     {a + "?u=1,https://b.example.com/"},
		a + "?x-oss-process=image/resize,w_4": {a + "?x-oss-process=image/resize,w_4"},
		a + " b.html":                         {a + " b.html"},
		`["` + a + `", "` + b + `"]`:          {a, b},
		"[\n  \"" + a + "\"\n]":               {a},
		`"` + a + "\",\n\"" + b + `"`:         {a, b},
		"<" + a + ">\n'" + b + "'":            {a, b},
		"- " + a + "\n- " + b:                 {a, b},
		"\u200b" + a + "\u00a0\n\u3000" + b:   {a, b},
		"“" + a + "”\n":                       {a},
		" \n#\n":                              nil,
	} {
		got, passedOver := listedURLs(text)
		if !slices.Equal(got, want) || passedOver > 0 {
			t.Errorf("%q\n got %q and %d lines with more, want %q", text, got, passedOver, want)
		}
	}
}

// A tab ends a URL. What follows it counts only if it is surely a URL.
func TestListedColumns(t *testing.T) {
	const a, b = "https://www.example.com/a.html", "https://www.example.com/b.html"
	for text, want := range map[string]struct {
		urls       []string
		passedOver int
	}{
		a + "\tdone by Li\n" + b + "\t\t2026/11/25\t1.5 MB": {[]string{a, b}, 2},
		a + "\t" + b:                                     {[]string{a, b}, 0},
		a + "\t\t" + b + "\tdone\n":                      {[]string{a, b}, 1},
		a + "\t\u200b\t\"\"":                             {[]string{a}, 1},
		a + "\tb.html\t":                                 {[]string{a}, 1},
		a + "\twww.example.com":                          {[]string{a, "www.example.com"}, 0},
		"www.example.com/a b\timg.example.com/c":         {[]string{"www.example.com/a b", "img.example.com/c"}, 0},
		"- " + a + "\t\n\t" + b + "\t# \"done\"":         {[]string{a, b}, 0},
		"\"" + a + "\"\t\"" + b + "\"\r\n" + a + "\tx/y": {[]string{a, b, a}, 1},
	} {
		urls, passedOver := listedURLs(text)
		if !slices.Equal(urls, want.urls) || passedOver != want.passedOver {
			t.Errorf("%q\n got %q and %d lines with more, want %+v", text, urls, passedOver, want)
		}
	}
}

// A list in GBK, as a Chinese Excel saves it, is refused.
func TestListIsUTF8(t *testing.T) {
	const list = "https://www.example.com/a\nhttps://www.example.com/\xd6\xd0\xce\xc4.html\n"
	var stdout, stderr strings.Builder
	none := func(string) string { return "" }
	status := run([]string{"refresh", "-"}, strings.NewReader(list), &stdout, &stderr, none)
	const want = "ossrefresh: error: line 2 of the URLs is not UTF-8\n" +
		"ossrefresh: hint: save the file as plain text in UTF-8\n"
	if status != 2 || stdout.String() != "" || stderr.String() != want {
		t.Errorf("got status %d, %q and %q, want 2, nothing and %q", status, &stdout, &stderr, want)
	}
}

// A comma at the end of a URL that is given by itself is one of its name.
func TestSplitKeepsCommas(t *testing.T) {
	for _, url := range []string{"https://www.example.com/a,", "www.example.com/a;", "www.example.com/,a,,b"} {
		if got := splitURLs(url); !slices.Equal(got, []string{url}) {
			t.Errorf("%q becomes %q", url, got)
		}
	}
}

// What is split is there, whole and in order, and what is complete is not split.
func FuzzSplitURLs(f *testing.F) {
	f.Add("https://a.b/c,https://a.b/d")
	f.Add("a.b/c，a.b/d; e")
	f.Add("\"a.b\" 'c'")
	f.Fuzz(func(t *testing.T, text string) {
		at := 0
		for _, url := range splitURLs(text) {
			i := strings.Index(text[at:], url)
			if i < 0 {
				t.Fatalf("%q has %q, which is not in it", text, url)
			}
			at += i + len(url)
		}
	})
}

// Each envelope around letters, and several of them around each other.
func TestOpenedLetters(t *testing.T) {
	one, two := `{"requestPayload":"{\"events\":[]}","n":1}`, `{"requestPayload":{"events":[]},"n":2}`
	str := func(text string) string { s, _ := json.Marshal(text); return string(s) }
	base64Of := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, text := range map[string]string{
		"strings":                  str(one) + "\n" + str(two),
		"a string of both":         str(one + "\n" + two),
		"a string of a string":     str(str(one)) + str(str(two)),
		"an array of strings":      "[" + str(one) + "," + str(two) + "]",
		"MessageBody":              `{"MessageId":"1","MessageBody":` + str(one) + `}` + `{"MessageBody":` + str(two) + `}`,
		"MessageBody in Base64":    `{"MessageBody":` + str(base64Of(one)) + `}{"MessageBody":` + str(base64Of(two)) + `}`,
		"messageBody as an object": `{"messageBody":` + one + `}{"messageBody":` + two + `}`,
		"Messages, Body":           `{"Messages":[{"MessageId":"1","Body":` + str(one) + `},{"Body":` + str(two) + `}]}`,
		"Messages, Message":        `{"Messages":{"Message":[{"MessageBody":` + str(one) + `},{"MessageBody":` + str(two) + `}]}}`,
		"Message":                  `{"Message":{"MessageBody":` + str(one) + `}}{"Message":` + str(two) + `}`,
		"an event of EventBridge":  `{"specversion":"1.0","data":{"messageBody":` + str(one) + `}}{"specversion":"1.0","data":{"body":` + two + `}}`,
		"a batch of EventBridge":   `[{"data":{"body":` + str(one) + `}},{"data":{"body":` + str(two) + `}}]`,
		"Base64 of a string":       base64Of(str(one)) + "\n" + base64Of(str(two)),
		"Base64 of Messages":       base64Of(`{"Messages":[{"Body":` + str(one) + `},{"Body":` + str(two) + `}]}`),
	} {
		var got []string
		for _, l := range splitLetters("f", []byte(text)) {
			got = append(got, fmt.Sprint(l.name, " ", string(l.raw), " ", l.err))
		}
		if want := []string{"f#1 " + one + " <nil>", "f#2 " + two + " <nil>"}; !slices.Equal(got, want) {
			t.Errorf("%s\n got %q\nwant %q", name, got, want)
		}
	}
	event := `{"events":[{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","oss":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`
	for _, text := range []string{event, str(event), `{"MessageBody":` + str(event) + `}`, `{"Messages":[{"Body":` + str(event) + `}]}`} {
		if all := splitLetters("f", []byte(text)); len(all) != 1 || all[0].err != errEvent {
			t.Errorf("%s: %+v, want %v", text, all, errEvent)
		}
	}
}

// Each shape of a file leads to the events in it.
func TestEventOf(t *testing.T) {
	one := `{"events":[{"eventName":"ObjectCreated:PutObject","eventSource":"acs:oss","oss":{"bucket":{"name":"b"},"object":{"key":"1"}}}]}`
	two := strings.Replace(one, `"1"`, `"2"`, 1)
	str := func(text string) string { s, _ := json.Marshal(text); return string(s) }
	for _, tt := range []struct {
		text, want string
		n          int
	}{
		{one, one, 1},
		{"\n" + one + "\n", "\n" + one + "\n", 1},
		{`{"MessageBody":` + str(one) + `}`, one, 1},
		{`{"Messages":[{"Body":` + str(one) + `}]}`, one, 1},
		{one + "\n" + two, "[" + one + "," + two + "]", 2},
		{one + two, "[" + one + "," + two + "]", 2},
		{`{"MessageBody":` + str(one) + "}\n" + `{"MessageBody":` + str(two) + `}`, "[" + one + "," + two + "]", 2},
		{`{"Messages":[{"Body":` + str(one) + `},{"Body":` + str(two) + `}]}`, "[" + one + "," + two + "]", 2},
		{"[" + one + "," + two + "]", "[" + one + "," + two + "]", 1},
		{"{", "{", 1},
		{`{"specversion":"1.0","data":{"bucket":{}}}`, `{"specversion":"1.0","data":{"bucket":{}}}`, 1},
		{`{"a":1}{"b":2}`, `{"a":1}{"b":2}`, 1},
		{one + `{"b":2}`, "[" + one + `,{"b":2}]`, 2},
		{"", "", 1},
	} {
		got, n := eventOf([]byte(tt.text))
		if string(got) != tt.want || n != tt.n {
			t.Errorf("%s\n got %s, %d\nwant %s, %d", tt.text, got, n, tt.want, tt.n)
		}
	}
}
