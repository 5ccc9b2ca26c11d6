package refresh

import "testing"

// A URL and all the spellings in which a list of tasks may have it are the same.
func TestPlain(t *testing.T) {
	const url = "https://www.example.com/%E5%9B%BE%20(1).png?a=b%26c"
	for _, listed := range []string{
		url, "www.example.com/%E5%9B%BE%20(1).png?a=b%26c", "https://www.example.com/图 (1).png?a=b&c",
		"www.example.com/图 (1).png?a=b&c", "HTTP://WWW.Example.com/%E5%9B%BE%20(1).png?a=b%26c",
	} {
		if Plain(listed) != Plain(url) {
			t.Errorf("%q is %q, want %q", listed, Plain(listed), Plain(url))
		}
	}
	for _, other := range []string{
		"https://www.example.com/%E5%9B%BE%20(1).PNG?a=b%26c", "https://img.example.com/%E5%9B%BE%20(1).png?a=b%26c",
		"https://www.example.com/%E5%9B%BE+(1).png?a=b%26c", "https://www.example.com/100%",
	} {
		if Plain(other) == Plain(url) {
			t.Errorf("%q is %q too", other, Plain(other))
		}
	}
}
