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

// value is one well-formed JSON value as it was sent, without white space
// around it; "" where a member is not there.
//
// encoding/json checks the syntax, but does not fill structs: of two members of
// one name it keeps the last, it mends what is not UTF-8 to U+FFFD, which makes
// it another key, and one odd type can cost a whole batch. Walking text that is
// known to be well-formed takes little code, and half the time.
type value string

// open returns the JSON value that text holds, as it is or in Base64.
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

// unwrap returns the value that v holds if v is a string, and else v.
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

// field is a member that is wanted, and where to put its value.
type field struct {
	name string
	to   *value
}

// fields finds the wanted members of an object; what is no object has none. A
// wanted member that is given twice is an error: one of the two would be lost.
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

// members ranges over the members of an object.
func (v value) members(yield func(string, value) bool) {
	if !v.isObject() {
		return
	}
	for rest := v.next(1); rest[0] != '}'; {
		name := rest.first()
		rest = rest.next(len(name))
		member := rest.first()
		if !yield(name.unquote(), member) {
			return
		}
		rest = rest.next(len(member))
	}
}

// elements ranges over the elements of an array and their places.
func (v value) elements(yield func(int, value) bool) {
	rest := v.next(1)
	for i := 0; rest[0] != ']'; i++ {
		element := rest.first()
		if !yield(i, element) {
			return
		}
		rest = rest.next(len(element))
	}
}

// next drops n bytes of v and the separators after them. White space, comma and
// colon all separate: which may stand where, parse has checked.
func (v value) next(n int) value {
	for v[n] <= ' ' || v[n] == ',' || v[n] == ':' {
		n++
	}
	return v[n:]
}

// first returns the value at the front of v, which something follows.
func (v value) first() value {
	switch v[0] {
	case '"':
		return v[:v.stringEnd()]
	case '{', '[':
		return v[:v.nestEnd()]
	}
	return v[:strings.IndexAny(string(v), " \t\r\n,]}")]
}

// stringEnd returns the length of the string at the front of v, which ends at the
// first quote that an even number of backslashes stand before.
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
// instead of calling itself: depth costs no stack.
func (v value) nestEnd() int {
	depth := 0
	for i := 0; ; i++ {
		switch v[i] {
		case '"':
			i += v[i:].stringEnd() - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// text returns the string v stands for, or "" if that is no text.
func (v value) text() string {
	if !v.isString() {
		return ""
	}
	if s := v.unquote(); utf8.ValidString(s) {
		return s
	}
	return ""
}

// required returns the text of v, which is the member called name of the value at
// the path in.
func (v value) required(in, name string) (string, error) {
	if s := v.text(); s != "" {
		return s, nil
	}
	return "", v.noText(in, name)
}

// noText says why v, which is the member called name of the value at the path in,
// holds no text.
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

// notObject says why v, which is the member called name of the value at the path
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

// noMember says that the value at the path in has no member called name. The empty
// path is the record itself.
func noMember(in, name string) error {
	if in == "" {
		in = "the record"
	}
	return fmt.Errorf("%s has no member %s", in, name)
}

// join returns the path of the member called name of the value at the path in.
func join(in, name string) string {
	if in == "" {
		return name
	}
	return in + "." + name
}

// titled returns how v begins after its name, or "no" and the name.
func (v value) titled(name string) string {
	if v.missing() {
		return "no " + name
	}
	return name + " " + v.excerpt()
}

// memberNames lists the first members of an object, quoted.
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

// excerpt returns how v begins, quoted.
func (v value) excerpt() string {
	if v.isString() {
		return fmt.Sprintf("%.80q", v.unquote())
	}
	return fmt.Sprintf("%.80q", string(v))
}

// integer returns the number v stands for, and whether it is an integer.
func (v value) integer() (int64, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// unquote returns the bytes a string stands for. Half a surrogate pair becomes
// bytes that are not UTF-8, for required to refuse, and not U+FFFD: the string
// may hold JSON of which it spoils one record only.
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

// unescape writes what the escape at the front of s, less its backslash, stands
// for, and returns what follows it.
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
	n, _ := strconv.ParseUint(s[:4], 16, 32) // parse has seen four hexadecimal digits
	return rune(n)
}
