package aliyun

import "strings"

// A mask hides secrets in foreign text: the API repeats the signed request in
// some of its messages, and a gateway may repeat the URL.
type mask []string

// minSecret is the length in bytes from which on text is masked: real secrets
// have 30 and more, and masking a letter would make text unreadable.
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
			text = hideOne(text, secret)
		}
	}
	return text
}

func hideOne(text, secret string) string {
	var b strings.Builder
	kept := 0
	for i := 0; i < len(text); {
		n := spelled(text[i:], secret)
		if n == 0 {
			i++
			continue
		}
		b.WriteString(text[kept:i])
		b.WriteString("***")
		i += n
		kept = i
	}
	if kept == 0 {
		return text
	}
	return b.String() + text[kept:]
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
