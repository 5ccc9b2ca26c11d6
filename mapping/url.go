package mapping

import "strings"

// plain has the bytes that stand for themselves in a canonical URL. All of
// them are outside the path percent-encode set (URL Standard, section 1.3), so
// that a browser leaves the URL as it is. "+" is not one of them: OSS reads it
// as a space.
var plain = bytesOf("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~!$&'()*,;=:@/")

// join appends the raw path to a URL that ends in "/", percent-encoding it.
func join(root, path string) string {
	size := len(root) + len(path)
	for i := range len(path) {
		if !plain[path[i]] {
			size += len("%00") - 1
		}
	}
	if size == len(root)+len(path) {
		return root + path
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(size)
	b.WriteString(root)
	for i := range len(path) {
		c := path[i]
		if plain[c] {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// respellings make of a canonical URL the other ones that clients send:
// browsers leave "[", "]" and "|" bare, and form encoders write "+" for a space.
// Every "%" of the URL begins a triplet, so that replacing text is safe.
var respellings = []*strings.Replacer{
	strings.NewReplacer("%5B", "[", "%5D", "]", "%7C", "|"),
	strings.NewReplacer("%20", "+"),
}

// hasDotSegment reports whether a browser would resolve a part of the path
// away. In a key, "%2e" is no dot: its "%" is encoded.
func hasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
