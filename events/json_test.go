package events

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestUnquote(t *testing.T) {
	for literal, want := range map[string]string{
		`""`:                       "",
		`"\"\\\/\b\f\n\r\t\u0041"`: "\"\\/\b\f\n\r\tA",
		`"\ud83d\ude00"`:           "😀",
		`"\uD83D\uDE00x"`:          "😀x",
		`"\ufffd"`:                 "\ufffd",
		`"\ud83d"`:                 "\xed\xa0\xbd",
		`"\ud83dx\ude00"`:          "\xed\xa0\xbdx\xed\xb8\x80",
		`"\ud83d\u0041"`:           "\xed\xa0\xbdA",
		`"\udfff"`:                 "\xed\xbf\xbf",
		"\"\xff\"":                 "\xff",
	} {
		if got := value(literal).unquote(); got != want {
			t.Errorf("%s is %q, want %q", literal, got, want)
		}
	}
}

func TestOpenBase64(t *testing.T) {
	const text = `{"events":["???>>>~~~"]}` // has both + and / in Base64
	standard := base64.StdEncoding.EncodeToString([]byte(text))
	web := base64.URLEncoding.EncodeToString([]byte(text))
	if !strings.ContainsAny(standard, "+/") || !strings.ContainsAny(web, "-_") {
		t.Fatalf("%s and %s do not tell the alphabets apart", standard, web)
	}
	for _, encoded := range []string{
		standard, web, strings.TrimRight(standard, "="), strings.TrimRight(web, "="),
		" \t" + standard + " \r\n", "\t" + web + "\t ",
		standard[:20] + "\r\n" + standard[20:], standard + "\n",
	} {
		if v, err := open([]byte(encoded)); err != nil || string(v) != text {
			t.Errorf("open(%q) = %q, %v; want %q", encoded, v, err, text)
		}
	}
	for _, mixed := range []string{
		"+_" + standard, standard[:8] + " " + standard[8:], standard + "=x", standard + "~",
	} {
		if v, err := open([]byte(mixed)); err == nil {
			t.Errorf("open(%q) = %q, want an error", mixed, v)
		}
	}
}

// FuzzUnquote: where encoding/json does not mend a string, both read the same.
func FuzzUnquote(f *testing.F) {
	f.Add(`a\n\u00e9\ud83d\ude00`)
	f.Add(`\ud83d`)
	f.Fuzz(func(t *testing.T, inside string) {
		var want string
		if err := json.Unmarshal([]byte(`"`+inside+`"`), &want); err != nil {
			t.Skip("not a string")
		}
		got := value(`"` + inside + `"`).unquote()
		if utf8.ValidString(got) && got != want {
			t.Errorf("%q is %q, want %q", inside, got, want)
		}
		if !utf8.ValidString(got) && !strings.Contains(want, "\ufffd") {
			t.Errorf("%q is %q, not UTF-8, want %q", inside, got, want)
		}
	})
}

// FuzzWalk: members and elements are those that encoding/json finds.
func FuzzWalk(f *testing.F) {
	f.Add(`{"a":[1,"]",{"b":"}"}],"\u0063" : "\\\"" ,"d":-1.5e3}`)
	f.Add(`[ "\\" , [[]] , {} , null , true ]`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parse([]byte(text))
		if err != nil {
			t.Skip("not JSON")
		}
		var list []json.RawMessage
		if v.isArray() && json.Unmarshal([]byte(v), &list) == nil {
			array, elements := v.split()
			if len(elements) != len(list) || array != v {
				t.Fatalf("%d elements in %q, want %d", len(elements), array, len(list))
			}
			for i, element := range elements {
				if string(element) != string(list[i]) {
					t.Errorf("element %d is %q, want %q", i, element, list[i])
				}
			}
		}
		var object map[string]json.RawMessage
		if v.isObject() && json.Unmarshal([]byte(v), &object) == nil {
			last := map[string]value{}
			for name, member := range v.members {
				last[strings.ToValidUTF8(name, "\ufffd")] = member
			}
			for name, want := range object {
				if got, ok := last[name]; ok && string(got) != string(want) {
					t.Errorf("member %q is %q, want %q", name, got, want)
				}
			}
		}
	})
}

// TestLinear decodes payloads that would be slow if any part of them were read
// once for each other part.
func TestLinear(t *testing.T) {
	const n = 1 << 18
	for name, payload := range map[string]string{
		"backslashes":     `{"events":[` + put(`"`+strings.Repeat(`\\`, n)+`"`) + `]}`,
		"quotes":          `{"events":[` + put(`"`+strings.Repeat(`\"`, n)+`"`) + `]}`,
		"surrogates":      `{"events":[` + put(`"`+strings.Repeat(`\ud83d`, n)+`"`) + `]}`,
		"nothings":        `{"events":[` + strings.Repeat("0,", n) + `0]}`,
		"members":         `{"events":[{` + strings.Repeat(`"":0,`, n) + `"a":0}]}`,
		"deep members":    `{"events":[` + strings.Repeat(`{"oss":`, 9000) + `0` + strings.Repeat(`}`, 9000) + `]}`,
		"nested strings":  `{"Message":` + quote(`{"Message":`+quote(`{"Message":`+quote(`{"Message":`+quote(strings.Repeat(`"`, n/16))+`}`)+`}`)+`}`) + `}`,
		"long Base64":     `{"Message":"` + strings.Repeat("QUJD", n) + `"}`,
		"unknown strings": `[` + strings.Repeat(`"x",`, n/4) + `"x"]`,
	} {
		start := time.Now()
		batch, err := Decode([]byte(payload))
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: %d bytes took %v: %d records, error %v",
				name, len(payload), took, batch.Records(), err)
		}
	}
}
