package aliyun

import "strings"

// A mask hides secrets in foreign text: the API repeats the signed request in
// some of its messages, and a gateway may repeat the URL. The secrets of this
// invocation are found wherever they stand, each byte plain or percent-encoded
// in its own way; those of others by the names before them.
type mask []string

// minSecret is the shortest secret that is masked, in bytes. Real ones have 30 and
// more; masking every occurrence of a letter would make text unreadable.
const minSecret = 4

func secretsOf(creds Credentials) mask {
	return mask{creds.AccessKeySecret, creds.SecurityToken}
}

// Hide replaces the secret and the token in foreign text by ***, however they
// are percent-encoded.
func (c Credentials) Hide(text string) string { return secretsOf(c).hide(text) }

// with returns the mask with one more secret.
func (m mask) with(secret string) mask { return append(m[:len(m):len(m)], secret) }

// hide replaces every secret by ***, whether plain or percent-encoded, however
// often: in a URL, in a string to sign, in a URL inside one.
func (m mask) hide(text string) string {
	for _, secret := range m {
		if len(secret) >= minSecret && len(text) >= len(secret) {
			text = replace(text, func(rest string) (kept, hidden int) {
				return 0, spelled(rest, secret)
			})
		}
	}
	return replace(replace(text, named), userInfo)
}

// replace puts *** in place of what find finds at the beginning of a rest of
// the text: after the first kept bytes, so many hidden ones; none if it finds
// nothing.
func replace(text string, find func(rest string) (kept, hidden int)) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); {
		kept, hidden := find(text[i:])
		if hidden == 0 {
			i++
			continue
		}
		b.WriteString(text[done : i+kept])
		b.WriteString("***")
		i += kept + hidden
		done = i
	}
	if done == 0 {
		return text
	}
	return b.String() + text[done:]
}

// secretNames are those of parameters, header fields and JSON members that hold
// secrets, in lower case, without the hyphens and underscores that may divide
// them.
var secretNames = [...]string{"signature", "securitytoken", "accesskeysecret"}

// named finds the value of a secret's name at the beginning of text, as in
// Signature=x, SecurityToken%3Dx, "AccessKeySecret": "x" or security-token: x.
func named(text string) (kept, hidden int) {
	for _, name := range secretNames {
		if n := nameLength(text, name); n > 0 {
			if kept = n + separatorLength(text[n:]); kept > n {
				return kept, valueLength(text[kept:])
			}
		}
	}
	return 0, 0
}

// userInfo finds what stands before the host of a URL, such as a proxy's
// password, at the beginning of text.
func userInfo(text string) (kept, hidden int) {
	rest, isURL := strings.CutPrefix(text, "://")
	if !isURL {
		return 0, 0
	}
	if end := strings.IndexAny(rest, "/?#\"'<> \t\r\n"); end >= 0 {
		rest = rest[:end]
	}
	return len("://"), max(0, strings.LastIndexByte(rest, '@'))
}

// nameLength returns the length of the name at the beginning of text, or 0.
func nameLength(text, name string) int {
	n := 0
	for i := range len(name) {
		for i > 0 && n < len(text) && (text[n] == '-' || text[n] == '_') {
			n++
		}
		if n == len(text) || text[n]|0x20 != name[i] {
			return 0
		}
		n++
	}
	return n
}

// separatorLength returns the length of what stands between a name and its
// value: an equals sign or a colon, plain or escaped, with quotes and blanks
// around it. It is 0 if there is neither sign.
func separatorLength(text string) int {
	n := len(text) - len(strings.TrimLeft(text, `"'\ `))
	sign := max(spelledByte(text[n:], '='), spelledByte(text[n:], ':'))
	if sign == 0 {
		return 0
	}
	n += sign
	return n + len(text[n:]) - len(strings.TrimLeft(text[n:], `"'\ `))
}

// valueLength returns the length of a value: up to a character that is in none,
// or an ampersand, plain or escaped.
func valueLength(text string) int {
	for i := range len(text) {
		if strings.IndexByte("\"'\\<>,; \t\r\n", text[i]) >= 0 || spelledByte(text[i:], '&') > 0 {
			return i
		}
	}
	return len(text)
}

// spelled returns the length of the secret at the beginning of text, or 0.
func spelled(text, secret string) int {
	n := 0
	for i := range len(secret) {
		length := spelledByte(text[n:], secret[i])
		if length == 0 {
			return 0
		}
		n += length
	}
	return n
}

// spelledByte returns the length of c at the beginning of text, as %2F, %252F
// and so on or as itself, or 0.
func spelledByte(text string, c byte) int {
	if rest, ok := strings.CutPrefix(text, "%"); ok {
		for strings.HasPrefix(rest, "25") {
			rest = rest[len("25"):]
		}
		if len(rest) >= 2 && strings.EqualFold(rest[:2], hexOf(c)) {
			return len(text) - len(rest) + 2
		}
	}
	if text != "" && (text[0] == c || c == ' ' && text[0] == '+') {
		return 1
	}
	return 0
}

func hexOf(c byte) string {
	const digits = "0123456789ABCDEF"
	return string([]byte{digits[c>>4], digits[c&15]})
}
