package mapping

import "testing"

// A name in which the rows differ has a spelling of each: those that the table
// refreshes, and in the same order.
func TestSpell(t *testing.T) {
	const url = "https://www.example.com/photo%20(1),%20%5Bfinal%5D%7C%E5%9B%BE@2x.txt?v=2"
	got := Spell(url)
	if len(got) != len(rows) || len(rowNames) != len(rows) {
		t.Fatalf("%d spellings and %d names of %d rows", len(got), len(rowNames), len(rows))
	}
	for i, refreshed := range Respell(url, SpellAll) {
		if got[i+1].URL != refreshed {
			t.Errorf("row %d: %s, but the table refreshes %s", i+1, got[i+1].URL, refreshed)
		}
	}
	for i, want := range map[int]Spelling{
		0:  {"canonical", SpellCanonical, url},
		1:  {"RFC 3986 (Python and PHP)", SpellCommon, "https://www.example.com/photo%20%281%29%2C%20%5Bfinal%5D%7C%E5%9B%BE%402x.txt?v=2"},
		5:  {"a bare link in Firefox", SpellCommon, "https://www.example.com/photo%20(1),%20[final]|%E5%9B%BE@2x.txt?v=2"},
		12: {"Go html/template (Hugo)", SpellAll, "https://www.example.com/photo%20%281%29,%20[final]%7c%e5%9b%be@2x.txt?v=2"},
		13: {"Java URLEncoder", SpellAll, "https://www.example.com/photo+%281%29%2C+%5Bfinal%5D%7C%E5%9B%BE%402x.txt?v=2"},
	} {
		if got[i] != want {
			t.Errorf("row %d: %+v, want %+v", i, got[i], want)
		}
	}
	if one := Spell("https://www.example.com/plain.txt"); len(one) != 1 || one[0].Row != "canonical" {
		t.Errorf("a plain name has %+v", one)
	}
	if none := Spell("www.example.com/a"); none != nil {
		t.Errorf("what is not a URL has %+v", none)
	}
}
