package deployment

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// maxText is how much of a field SQL sees, in bytes: the most there is. The
// default of 2,048 would cut the lines of large groups (Log Service: why are
// field values truncated when I query and analyze logs).
const maxText = 16384

// An Index says what of a log can be searched and queried (CreateIndex, Log
// Service API reference). Members that are not here are not ours to know.
type Index struct {
	Line    *IndexLine          `json:"line,omitempty"`
	Keys    map[string]IndexKey `json:"keys,omitempty"`
	MaxText int                 `json:"max_text_len,omitempty"`

	raw Answer // as it was read, with what is not ours to know
}

// An IndexLine is the full-text index.
type IndexLine struct {
	Token         []string `json:"token"`
	CaseSensitive bool     `json:"caseSensitive"`
	Chn           bool     `json:"chn"`
}

// An IndexKey is the index of a field.
type IndexKey struct {
	Type          string              `json:"type"` // text, long, double or json
	Token         []string            `json:"token,omitempty"`
	CaseSensitive bool                `json:"caseSensitive"`
	Chn           bool                `json:"chn"`
	DocValue      bool                `json:"doc_value"` // SQL may use it
	JSONKeys      map[string]IndexKey `json:"json_keys,omitempty"`
}

// tokens are what separates words. An underscore does not: task_failed is not
// failed.
var tokens = strings.Split(", '\";=()[]{}?@&<>/:\n\t\r", "")

// logIndex is for what the handler writes: lines of JSON in the field message.
func logIndex() Index {
	text := IndexKey{Type: "text", DocValue: true}
	return Index{
		Line: &IndexLine{Token: tokens},
		Keys: map[string]IndexKey{"message": {
			Type: "json", Token: tokens, DocValue: true,
			JSONKeys: map[string]IndexKey{"msg": text, "code": text},
		}},
		MaxText: maxText,
	}
}

// lacks lists what of the wanted index there is not. More than wanted is fine.
func (i Index) lacks(wanted Index) []string {
	var all []string
	if i.Line == nil {
		all = append(all, "no full-text index")
	}
	if i.MaxText < wanted.MaxText {
		all = append(all, "fields are cut for SQL")
	}
	key := i.Keys["message"]
	if key.Type != "json" || !key.DocValue {
		return append(all, "no field message of type json for SQL")
	}
	for name, want := range wanted.Keys["message"].JSONKeys {
		if have := key.JSONKeys[name]; have.Type != want.Type || !have.DocValue {
			all = append(all, "no message."+name)
		}
	}
	slices.Sort(all)
	return all
}

// with returns the index with what it lacks of the wanted one. All else stays:
// UpdateIndex replaces an index as a whole.
func (i Index) with(wanted Index) map[string]any {
	merged := map[string]any{}
	for name, value := range i.raw {
		merged[name] = value
	}
	for _, told := range []string{"lastModifyTime", "index_mode", "storage"} { // of the answer only
		delete(merged, told)
	}
	var keys map[string]any
	_ = json.Unmarshal(i.raw["keys"], &keys)
	if keys == nil {
		keys = map[string]any{}
	}
	message := wanted.Keys["message"]
	if have := i.Keys["message"]; have.Type == message.Type {
		message.JSONKeys = maps.Clone(message.JSONKeys)
		for name, key := range have.JSONKeys {
			if _, ours := message.JSONKeys[name]; !ours {
				message.JSONKeys[name] = key
			}
		}
	}
	keys["message"] = message
	merged["keys"] = keys
	if i.Line == nil {
		merged["line"] = wanted.Line
	}
	merged["max_text_len"] = max(i.MaxText, wanted.MaxText)
	return merged
}
