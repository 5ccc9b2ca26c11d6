package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf16"
)

// plainText returns a text in UTF-8 without a byte order mark. Editors and shells of
// Windows write UTF-16; without a mark it is known by the zeros in what is ASCII.
func plainText(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return fromUTF16(data[2:], binary.BigEndian)
	case len(data) < 4 || len(data)%2 != 0:
		return bytes.TrimPrefix(data, []byte("\ufeff"))
	}
	start := data[:min(len(data), 64)]
	zeros := [2]int{} // at even places, at odd ones
	for i, c := range start {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch enough := len(start) / 4; {
	case zeros[1] >= enough && zeros[0] < enough/2:
		return fromUTF16(data, binary.LittleEndian)
	case zeros[0] >= enough && zeros[1] < enough/2:
		return fromUTF16(data, binary.BigEndian)
	}
	return bytes.TrimPrefix(data, []byte("\ufeff"))
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// listedURLs returns the URLs of a list: one a line or several, or a JSON array. A
// line may be a comment, begin with "- " or have a comment behind the URL. A tab ends a
// URL, as in what a spreadsheet copies or saves; passedOver is the number of lines with
// columns that have no URL.
func listedURLs(text string) (urls []string, passedOver int) {
	if json.Unmarshal([]byte(text), &urls) == nil {
		return urls, 0
	}
	urls = nil
	for _, line := range lines(strings.ReplaceAll(text, "\r", "\n")) {
		line = strings.TrimPrefix(line, "- ")
		if at := strings.Index(" "+strings.ReplaceAll(line, "\t", " "), " #"); at >= 0 {
			line = line[:at]
		}
		first, others, _ := strings.Cut(strings.TrimLeftFunc(line, separates), "\t")
		if first = strings.TrimRightFunc(first, separates); first == "" {
			continue
		}
		found := splitURLs(first)
		lacking := false
		for _, cell := range strings.Split(others, "\t") {
			switch cell = strings.TrimFunc(cell, separates); {
			case cell == "":
			case surelyURL(cell, found[0]):
				found = append(found, splitURLs(cell)...)
			default:
				lacking = true
			}
		}
		urls = append(urls, found...)
		if lacking {
			passedOver++
		}
	}
	return urls, passedOver
}

// surelyURL reports whether a column behind a URL begins with another one: with a
// scheme, with the same domain, or with some other domain and a path.
func surelyURL(cell, first string) bool {
	cell = trimmed(cell)
	lower := strings.ToLower(cell)
	if strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://") {
		return true
	}
	if at := strings.IndexFunc(cell, separates); at >= 0 {
		cell = cell[:at]
	}
	_, domain, err := complete(cell)
	if err != nil {
		return false
	}
	_, known, _ := complete(first)
	return strings.Contains(cell, "/") || domain == known
}

// splitURLs takes URLs apart that blanks, commas or semicolons join. Each of these may
// also stand in a URL: it separates where a scheme follows, or the domain of the first
// URL once more; behind a query, only where both do.
func splitURLs(text string) []string {
	text = trimmed(text)
	first := withScheme(text)
	_, rest, _ := strings.Cut(first, "://")
	domain := strings.ToLower(rest[:hostEnd(rest)])
	if at := strings.IndexFunc(domain, separates); at >= 0 {
		domain = domain[:at]
	}
	for i, r := range text {
		if !separates(r) {
			continue
		}
		next := strings.TrimLeftFunc(text[i:],
			func(r rune) bool { return separates(r) || strings.ContainsRune(`"'<>`, r) })
		bare := strings.ToLower(next)
		_, host, hasScheme := strings.Cut(bare, "://")
		hasScheme = hasScheme &&
			(strings.HasPrefix(bare, "http://") || strings.HasPrefix(bare, "https://"))
		if !hasScheme {
			host = bare
		}
		same := domain != "" && strings.HasPrefix(host+"/", domain+"/")
		inQuery := strings.Contains(text[:i], "?") // where a URL may be a value
		if hasScheme && same || (hasScheme || same) && !inQuery {
			return append([]string{trimmed(text[:i])}, splitURLs(next)...)
		}
	}
	return []string{text}
}

// separates reports whether people put r between URLs.
func separates(r rune) bool {
	return unicode.IsSpace(r) || strings.ContainsRune(",;，；、", r)
}

// trimmed cuts what is copied along with a URL: blanks, quotes, brackets and
// characters that show nothing.
func trimmed(text string) string {
	unseen := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	for {
		was := text
		text = strings.TrimFunc(text, unseen)
		for _, marks := range []string{`""`, "''", "<>", "“”", "‘’", "「」", "``"} {
			pair := []rune(marks)
			inner, opened := strings.CutPrefix(text, string(pair[0]))
			inner, closed := strings.CutSuffix(inner, string(pair[1]))
			if opened && closed {
				text = inner
			}
		}
		if text == was {
			return text
		}
	}
}
