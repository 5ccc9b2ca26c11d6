package mapping

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite schema.json")

func TestSchemaIsCurrent(t *testing.T) {
	want, err := json.MarshalIndent(schema(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("schema.json is not what the Go types say: run go generate ./mapping")
	}
}

// The schema accepts what Parse accepts, and refuses what is marked so.
func TestSchemaAgrees(t *testing.T) {
	resolved, err := schema(t).Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text []byte) error {
		var table any
		if err := yaml.Unmarshal(text, &table); err != nil {
			return nil // no fault of the schema's: editors see it all the same
		}
		return resolved.Validate(table)
	}
	shipped, err := os.ReadFile("mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	accepted := []string{
		string(shipped), oneRule("", "type: directory, path: /a/b/"), oneRule("", "type: ignore_params, queries: [v]"),
		strings.Replace(oneRule("", ""), "my-site", "b", 1), strings.Replace(oneRule("", ""), "my-site", strings.Repeat("b", 63), 1),
		oneRule("", "path: /.a/..b/.../c./, index: [.i, ..i, ..., i.], queries: ['%2F=a%20b', 'a?b', '/']"),
		oneRule("", "suffixes: ['!s', '@!s', /s, /.a/..b/.../, '-%2F%2e', /a.], index: [i], index_without_slash: true, clean_urls: true"),
		oneRule("", "type: directory, force: true, spellings: all"), oneRule("", "type: ignore_params, force: false, suffixes: [-s], spellings: canonical"),
		oneRule("", "product: esa, site: 1234567890123456, type: ignore_params"),
		oneRule("", "index_without_slash: false, queries: ["+numbered(32)+"]"),
		strings.Replace(oneRule("", ""), "example.com", strings.Repeat("a", 63)+".0x1.1a.0xg", 1),
	}
	for _, text := range accepted {
		parse(t, text)
		if err := validate([]byte(text)); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", text, err)
		}
	}
	for _, tt := range faultCases {
		if err := validate([]byte(faultyTable(tt.rule, tt.target))); (err != nil) != tt.inSchema {
			t.Errorf("%s%s: the schema says %v, want it to refuse: %t", tt.rule, tt.target, err, tt.inSchema)
		}
	}
}

// The keys that the decoder reads are those of the Go types, in their order.
func TestFieldsAgree(t *testing.T) {
	for typ, got := range map[reflect.Type][]string{
		reflect.TypeFor[Table]():          names(tableFields),
		reflect.TypeFor[Rule]():           names(ruleFields),
		reflect.TypeFor[Spec]():           names(specFields),
		reflect.TypeFor[Refresh]():        names(refreshFields),
		reflect.TypeFor[Limits]():         names(limitFields),
		reflect.TypeFor[ESALimits]():      names(esaLimitFields),
		reflect.TypeFor[CallsPerSecond](): names(callFields),
	} {
		var want []string
		for f := range fieldsOf(typ) {
			want = append(want, f)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: the decoder reads %q, the type has %q", typ, got, want)
		}
	}
}

// fieldsOf yields the key and the Go name of each field of a struct that the
// table has.
func fieldsOf(t reflect.Type) func(yield func(key, field string) bool) {
	return func(yield func(key, field string) bool) {
		for i := range t.NumField() {
			key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if key != "" && key != "-" && !yield(key, t.Field(i).Name) {
				return
			}
		}
	}
}

// schema makes the JSON Schema of a table from the Go types, their comments,
// and the values and bounds that the decoder checks.
func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.For[Table](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Event]():   enum(events),
		reflect.TypeFor[Product](): enum(products),
		reflect.TypeFor[Type]():    enum(types),
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Domain-mapping table: which CDN URLs show the objects of a bucket"
	describe(s, reflect.TypeFor[Table](), comments(t))
	refine(s)
	return s
}

func enum[T ~string](words []word[T]) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, w := range words {
		s.Enum = append(s.Enum, w.name)
	}
	return s
}

// comments returns the comment of each field in mapping.go, by "Type.Field".
func comments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "mapping.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			for _, f := range s.Fields.List {
				all[spec.Name.Name+"."+f.Names[0].Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
			}
		}
		return false
	})
	return all
}

// describe gives every property of s, the schema of a type, its comment.
func describe(s *jsonschema.Schema, t reflect.Type, comments map[string]string) {
	if t.Kind() == reflect.Slice {
		s.Types, s.Type = nil, "array" // not null
		s.MinItems = new(1)
		s, t = s.Items, t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for key, name := range fieldsOf(t) {
		field, _ := t.FieldByName(name)
		s.Properties[key].Description = comments[t.Name()+"."+name]
		describe(s.Properties[key], field.Type, comments)
	}
}

// refine adds the values, bounds and patterns that the types do not tell.
func refine(s *jsonschema.Schema) {
	rule := s.Properties["rules"].Items
	spec := rule.Properties["targets"].Items
	refresh := s.Properties["refresh"]
	limits := refresh.Properties["limits"]
	for _, of := range []struct {
		prefix  string // of the names of the bounds
		numbers *jsonschema.Schema
	}{{"", limits}, {"esa.", limits.Properties["esa"]}, {"", refresh.Properties["calls_per_second"]}} {
		for key, p := range of.numbers.Properties {
			if p.Type != "integer" {
				continue
			}
			b := bounds[of.prefix+key]
			p.Minimum, p.Maximum = new(float64(b.min)), new(float64(b.max))
			p.Default, _ = json.Marshal(b.def)
		}
	}
	fold := refresh.Properties["fold"]
	fold.Minimum, fold.Maximum = new(float64(bounds["fold"].min)), new(float64(bounds["fold"].max))
	fold.Default, _ = json.Marshal(bounds["fold"].def)
	spec.Properties["site"].Minimum = new(1.0)
	refresh.Properties["on_quota_exceeded"].Enum = enum(onQuota).Enum
	refresh.Properties["unmatched"].Enum = enum(onUnmatched).Enum
	spec.Properties["spellings"].Enum = enum(spellings).Enum
	for p, def := range map[*jsonschema.Schema]string{
		spec.Properties["product"]: "dcdn", spec.Properties["path"]: "/", spec.Properties["type"]: "file",
		spec.Properties["spellings"]: SpellCommon, refresh.Properties["on_quota_exceeded"]: QuotaFail,
		refresh.Properties["unmatched"]: UnmatchedWarn,
	} {
		p.Default, _ = json.Marshal(def)
	}
	for _, p := range []*jsonschema.Schema{
		rule.Properties["include"], rule.Properties["exclude"], rule.Properties["events"],
		spec.Properties["index"], spec.Properties["queries"], spec.Properties["suffixes"],
	} {
		p.UniqueItems = true
	}
	rule.Properties["bucket"].Pattern = `^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`
	for _, p := range []*jsonschema.Schema{rule.Properties["prefix"], spec.Properties["strip_prefix"]} {
		p.MaxLength = new(1023)
	}
	for _, key := range []string{"include", "exclude"} {
		rule.Properties[key].Items.MinLength = new(1)
	}
	const label = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
	spec.Properties["domain"].Pattern = `^` + label + `(\.` + label + `)+$`
	spec.Properties["domain"].Not = &jsonschema.Schema{Pattern: `\.([0-9]+|0x[0-9a-f]*)$`}
	spec.Properties["domain"].MaxLength = new(253)
	spec.Properties["path"].Pattern = `^/(([^/?#.]|\.[^/?#.]|\.\.[^/?#])[^/?#]*/)*$` // no segment is "", "." or ".."
	spec.Properties["index"].Items.Pattern = `^([^/.]|\.[^/.]|\.\.[^/])[^/]*$`
	const hex = `%[0-9A-Fa-f]{2}`
	spec.Properties["queries"].Items.Pattern = `^([!$&(-;=@-~]|` + hex + `)([!$&(-;=?-~]|` + hex + `)*$`
	// After a "/" no segment is "." or "..", however their dots are written.
	const byte, dot = `([!$&-*,0-9:;=@A-Z_a-z~-]|%([013-9A-Fa-f][0-9A-Fa-f]|2[0-9A-DFa-df]))`, `(\.|%2[Ee])`
	const rest = `(` + byte + `|` + dot + `)*`
	const segment = `(` + dot + `?` + dot + `?` + byte + rest + `|` + dot + dot + dot + rest + `)?`
	spec.Properties["suffixes"].Items.Pattern = `^` + rest + `(/` + segment + `)*$`
	spec.Properties["suffixes"].Items.MinLength = new(1)
	withIndex := &jsonschema.Schema{Required: []string{"index"}}
	spec.AllOf = []*jsonschema.Schema{
		forbid("directory", "index", "queries", "suffixes", "index_without_slash", "clean_urls"),
		forbid("ignore_params", "index", "index_without_slash", "clean_urls"),
		{
			If: &jsonschema.Schema{
				Required:   []string{"index_without_slash"},
				Properties: map[string]*jsonschema.Schema{"index_without_slash": {Enum: []any{true}}},
			},
			Then: withIndex,
		},
		{
			If: &jsonschema.Schema{
				Required:   []string{"product"},
				Properties: map[string]*jsonschema.Schema{"product": {Enum: []any{"esa"}}},
			},
			Then: &jsonschema.Schema{Required: []string{"site"}},
			Else: &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"site": {Not: &jsonschema.Schema{}}}},
		},
		{
			If: &jsonschema.Schema{Required: []string{"force"}},
			Then: &jsonschema.Schema{
				Required: []string{"type"},
				Not:      &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{"type": {Enum: []any{"file"}}}},
			},
		},
	}
}

// forbid refuses keys of a target beside a type.
func forbid(typ string, keys ...string) *jsonschema.Schema {
	s := &jsonschema.Schema{
		If: &jsonschema.Schema{
			Required:   []string{"type"},
			Properties: map[string]*jsonschema.Schema{"type": {Enum: []any{typ}}},
		},
		Then: &jsonschema.Schema{Properties: map[string]*jsonschema.Schema{}},
	}
	for _, key := range keys {
		s.Then.Properties[key] = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	}
	return s
}
