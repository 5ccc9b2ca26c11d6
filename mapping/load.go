package mapping

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxBytes bounds the memory that a table can cost: the YAML library makes up
// to a hundred bytes of each byte it reads. 10,000 rules take about 0.9 MB.
const maxBytes = 1 << 20

// The values of Spec.Spellings and Refresh.OnQuotaExceeded.
const (
	spellCanonical = "canonical"
	spellAll       = "all"

	quotaFail      = "fail"
	quotaDirectory = "directory"
)

// Load reads the table in a file. The error is Faults if the file is not a
// table, and otherwise says why it cannot be read.
func Load(file string) (*Table, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the mapping table: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the mapping table: %w", err)
	}
	return Parse(file, data)
}

// Parse reads a table from YAML. The error, if any, is Faults: everything that
// is wrong, under the given file name. Only the YAML parser stops at its first
// fault.
func Parse(name string, data []byte) (*Table, error) {
	root, fault := document(data)
	if fault != nil {
		fault.File = name
		return nil, Faults{*fault}
	}
	d := &decoder{file: name}
	t := &Table{name: name, Refresh: defaultRefresh(), buckets: map[string]*bucket{}}
	object(d, root, tableFields, t)
	d.index(t, root)
	if len(d.faults) > 0 {
		slices.SortStableFunc(d.faults, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, d.faults
	}
	return t, nil
}

func defaultRefresh() Refresh {
	def := func(name string) int { return bounds[name].def }
	return Refresh{
		OnQuotaExceeded: quotaFail,
		Limits: Limits{
			URLsPerRequest:        def("urls_per_request"),
			URLsPerDomain:         def("urls_per_domain"),
			DomainsPerRequest:     def("domains_per_request"),
			DirectoriesPerRequest: def("directories_per_request"),
			RequestBytes:          def("request_bytes"),
		},
		CallsPerSecond: CallsPerSecond{DCDN: def("dcdn"), CDN: def("cdn")},
	}
}

// document returns the root of the only YAML document in data.
func document(data []byte) (*yaml.Node, *Fault) {
	if len(data) > maxBytes {
		return nil, &Fault{Message: "the file is larger than 1 MiB", Hint: "10,000 rules fit in 1 MiB"}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, &Fault{Message: "the file is empty", Hint: `write at least one rule under "rules:"`}
	case err != nil:
		return nil, syntaxFault(err)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, &Fault{Line: second.Line, Column: second.Column, Message: "a second YAML document begins here", Hint: "a table is one document: join the two"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxFault(err)
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &Fault{Line: root.Line, Column: root.Column, Message: "the table is " + shown(root), Hint: `accepted: a mapping with the key "rules"`}
	}
	return root, nil
}

// syntaxFault takes the line out of the YAML parser's own message, which is
// "yaml: line 3: did not find expected key", or has no line on line 1.
func syntaxFault(err error) *Fault {
	f := &Fault{Message: strings.TrimPrefix(err.Error(), "yaml: "), Hint: "this is not YAML"}
	if at, rest, ok := strings.Cut(strings.TrimPrefix(f.Message, "line "), ": "); ok {
		if line, err := strconv.Atoi(at); err == nil {
			f.Line, f.Message = line, rest
		}
	}
	return f
}

// index enters the rules for look-up and faults those that repeat one.
func (d *decoder) index(t *Table, root *yaml.Node) {
	for i := range t.Rules {
		r := &t.Rules[i]
		first := t.add(r)
		if first == nil || r.Bucket == "" {
			continue
		}
		d.path = []step{{key: "rules"}, {index: i}}
		d.fault(child(root, "rules").Content[i], "join the two",
			"bucket %s and prefix %s are those of the rule on line %d", quote(r.Bucket), quote(r.Prefix), first.Line)
	}
}
