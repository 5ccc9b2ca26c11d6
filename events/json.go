package events

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value is the text of one well-formed JSON value, without the white space around
// it. It is "" for a member that an object does not have.
//
// encoding/json checks the syntax, but does not decode. Of two members with the same
// name it keeps only the last. It replaces bytes that are not UTF-8 by U+FFFD, which
// makes a different key. And one field of an unexpected type fails the whole batch.
// Walking text that is known to be well-formed takes little code and half the time.
type value string

// open returns the JSON value in text, which may be in Base64.
func open(text []byte) (value, error) {
	v, err := parse(text)
	if err == nil {
		return v, nil
	}
	alphabet := base64.RawStdEncoding
	if bytes.ContainsAny(text, "-_") {
		alphabet = base64.RawURLEncoding
	}
	raw, notBase64 := alphabet.AppendDecode(nil, bytes.TrimRight(bytes.TrimSpace(text), "=\r\n"))
	if notBase64 != nil {
		return "", err
	}
	if v, inside := parse(raw); inside == nil {
		return v, nil
	}
	return "", err
}

// parse checks the syntax of text, which may begin with a byte order mark.
func parse(text []byte) (value, error) {
	const space = " \t\r\n"
	body := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\ufeff")), space)
	if json.Valid(body) {
		return value(bytes.TrimRight(body, space)), nil
	}
	err := json.Unmarshal(body, new(json.RawMessage))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		skipped := int64(len(text) - len(body))
		return "", fmt.Errorf("%w at byte %d", err, skipped+syntax.Offset)
	}
	return "", err
}

// unwrap returns the JSON value in the string v. If v is not a string, it returns v.
func (v value) unwrap() (value, error) {
	if v.isString() {
		return open([]byte(v.unquote()))
	}
	return v, nil
}

func (v value) missing() bool  { return v == "" || v == "null" }
func (v value) isString() bool { return v != "" && v[0] == '"' }
func (v value) isObject() bool { return v != "" && v[0] == '{' }
func (v value) isArray() bool  { return v != "" && v[0] == '[' }

// field names a wanted member and says where to store its value.
type field struct {
	name string
	to   *value
}

// fields stores the wanted members of an object. A value that is not an object has
// none. A wanted member that is given twice is an error, since one would be lost.
func (v value) fields(wanted ...field) error {
	for name, member := range v.members {
		for _, w := range wanted {
			if name != w.name {
				continue
			}
			if *w.to != "" {
				return twice(name)
			}
			*w.to = member
		}
	}
	return nil
}

func twice(name string) error { return fmt.Errorf("member %q is given twice", name) }

// members ranges over the members of an object. A value that is not an object has
// none.
func (v value) members(yield func(string, value) bool) {
	if !v.isObject() {
		return
	}
	for rest := v.next(1); rest[0] != '}'; {
		var name string
		name, rest = rest.cutName()
		member := rest.first()
		if !yield(name, member) {
			return
		}
		rest = rest.next(len(member))
	}
}

// cutName returns the name of the member at the front of v, and the text from its value
// on.
func (v value) cutName() (name string, rest value) {
	quoted := v.first()
	return quoted.unquote(), v.next(len(quoted))
}

// split returns the value at the front of v and, if it is an array, its elements.
func (v value) split() (first value, elements []value) {
	if !v.isArray() {
		return v.first(), nil
	}
	rest := v.next(1)
	for rest[0] != ']' {
		element := rest.first()
		elements = append(elements, element)
		rest = rest.next(len(element))
	}
	return v[:len(v)-len(rest)+1], elements
}

// next drops n bytes of v and the separators after them: white space, commas and
// colons. They are where they belong, because parse has checked the syntax.
func (v value) next(n int) value {
	for v[n] <= ' ' || v[n] == ',' || v[n] == ':' {
		n++
	}
	return v[n:]
}

// first returns the value at the front of v. There is more text behind it.
func (v value) first() value {
	switch v[0] {
	case '"':
		return v[:v.stringEnd()]
	case '{', '[':
		return v[:v.nestEnd()]
	}
	return v[:strings.IndexAny(string(v), " \t\r\n,]}")]
}

// stringEnd returns the length of the string at the front of v. It ends at the first
// quotation mark that follows an even number of backslashes.
func (v value) stringEnd() int {
	for end := 1; ; end++ {
		end += strings.IndexByte(string(v[end:]), '"')
		slash := end
		for v[slash-1] == '\\' {
			slash--
		}
		if (end-slash)%2 == 0 {
			return end + 1
		}
	}
}

// nestEnd returns the length of the object or array at the front of v. It counts
// brackets instead of recursing, so that deep nesting costs no stack. It calls stringEnd
// only where a backslash stands before a quotation mark, which makes it a third faster.
func (v value) nestEnd() int {
	depth := 0
	for i := 0; ; i++ {
		switch v[i] {
		case '"':
			start := i
			i += 1 + strings.IndexByte(string(v[i+1:]), '"')
			if v[i-1] == '\\' {
				i = start + v[start:].stringEnd() - 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// text returns the string that v stands for, or "" if v is not a string or is not
// valid UTF-8.
func (v value) text() string {
	if !v.isString() {
		return ""
	}
	if s := v.unquote(); utf8.ValidString(s) {
		return s
	}
	return ""
}

// required returns the text of v, which is the member called name of the object at
// the path in. It is an error if there is none.
func (v value) required(in, name string) (string, error) {
	if s := v.text(); s != "" {
		return s, nil
	}
	return "", v.noText(in, name)
}

// noText says why text is "" for v, which is the member called name of the object at
// the path in.
func (v value) noText(in, name string) error {
	at := join(in, name)
	switch {
	case v == "":
		return noMember(in, name)
	case v == "null":
		return fmt.Errorf("%s is null", at)
	case !v.isString():
		return fmt.Errorf("%s is not a string: %s", at, v.excerpt())
	case v == `""`:
		return fmt.Errorf("%s is empty", at)
	}
	return fmt.Errorf("%s is not UTF-8: %.1024q", at, v.unquote())
}

// notObject says why v, which is the member called name of the object at the path
// in, is not an object.
func (v value) notObject(in, name string) error {
	switch v {
	case "":
		return noMember(in, name)
	case "null":
		return fmt.Errorf("%s is null", join(in, name))
	}
	return fmt.Errorf("%s is not an object: %s", join(in, name), v.excerpt())
}

// noMember says that the object at the path in has no member called name. The empty
// path is the record itself.
func noMember(in, name string) error {
	if in == "" {
		in = "the record"
	}
	return fmt.Errorf("%s has no member %s", in, name)
}

// join returns the path of the member called name of the object at the path in.
func join(in, name string) string {
	if in == "" {
		return name
	}
	return in + "." + name
}

// labeled returns v with its name, such as `source "x"`, or "no source".
func (v value) labeled(name string) string {
	if v.missing() {
		return "no " + name
	}
	return name + " " + v.excerpt()
}

// describe says which members an object of no known shape has.
func (v value) describe() string {
	if names := v.memberNames(); names != "" {
		return "an object with the members " + names
	}
	return "an object without members"
}

// memberNames returns the quoted names of an object's first members.
func (v value) memberNames() string {
	const most = 8
	var names []string
	for name := range v.members {
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprintf("%.40q", name))
	}
	return strings.Join(names, ", ")
}

// excerpt returns the beginning of v, quoted.
func (v value) excerpt() string {
	if v.isString() {
		return fmt.Sprintf("%.80q", v.unquote())
	}
	return fmt.Sprintf("%.80q", string(v))
}

// integer returns the number that v stands for, and reports whether v is an integer.
func (v value) integer() (int64, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// unquote returns the bytes that the string v stands for. Half a surrogate pair
// becomes three bytes that are not valid UTF-8, and not U+FFFD: text and required
// then refuse the key that it is in, and only that one where v holds many records.
func (v value) unquote() string {
	s := string(v[1 : len(v)-1])
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b.WriteString(s[:i])
		s = unescape(&b, s[i+1:])
	}
	b.WriteString(s)
	return b.String()
}

// unescape writes what an escape stands for, and returns the text after it. s begins
// with the escape, without its backslash.
func unescape(b *strings.Builder, s string) string {
	if s[0] != 'u' {
		b.WriteByte(unescaped(s[0]))
		return s[1:]
	}
	r, rest := hex4(s[1:]), s[5:]
	if !utf16.IsSurrogate(r) {
		b.WriteRune(r)
		return rest
	}
	if strings.HasPrefix(rest, `\u`) {
		if pair := utf16.DecodeRune(r, hex4(rest[2:])); pair != utf8.RuneError {
			b.WriteRune(pair)
			return rest[6:]
		}
	}
	b.Write([]byte{0xE0 | byte(r>>12), 0x80 | byte(r>>6)&0x3F, 0x80 | byte(r)&0x3F})
	return rest
}

func unescaped(c byte) byte {
	if i := strings.IndexByte("bfnrt", c); i >= 0 {
		return "\b\f\n\r\t"[i]
	}
	return c
}

func hex4(s string) rune {
	n, _ := strconv.ParseUint(s[:4], 16, 32) // parse has checked that these are digits
	return rune(n)
}
