package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxBytes bounds the memory that a table can cost: the YAML library makes up
// to a hundred bytes of each byte it reads. 10,000 rules take about 0.9 MB.
const maxBytes = 1 << 20

// maxFaults bounds the memory that faults can cost: 1 MiB holds up to 500,000.
const maxFaults = 1000

// The values of Refresh.Unmatched.
const (
	UnmatchedWarn = "warn"
	UnmatchedFail = "fail"
)

// The values of Refresh.OnQuotaExceeded.
const (
	QuotaFail      = "fail"
	QuotaDirectory = "directory"
)

// Load reads the table in a file. The error is Faults if the file is not a
// table, and otherwise says why it cannot be read.
func Load(file string) (*Table, error) {
	data, err := read(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data)
}

// read reads the file of a table, or as much of it as shows that it is too large.
func read(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("reading the mapping table: %w", err)
	}
	if !info.Mode().IsRegular() { // what is not may never end
		return nil, fmt.Errorf("reading the mapping table: %s is not a regular file", file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the mapping table: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the mapping table: %w", err)
	}
	return data, nil
}

// Parse reads a table from YAML. The error, if any, is Faults: everything that
// is wrong, under the given file name. Only the YAML parser stops at its first
// fault.
func Parse(name string, data []byte) (*Table, error) {
	root, fault := document(data)
	if fault != nil {
		if faults := mistypedLines(name, data); faults != nil {
			return nil, faults
		}
		fault.File = name
		return nil, Faults{*fault}
	}
	d := &decoder{file: name}
	t := &Table{Refresh: defaultRefresh(), buckets: map[string]bucket{}}
	object(d, root, tableFields, t)
	d.index(t, root)
	d.compareSites(t, root)
	if len(d.faults) == 0 {
		return t, nil
	}
	if faults := mistypedLines(name, data); faults != nil {
		return nil, faults
	}
	d.faults.sort()
	if len(d.faults) == maxFaults {
		d.faults[maxFaults-1] = Fault{
			File: name, Message: "there are more faults", Hint: "mend these first",
		}
	}
	return nil, d.faults
}

func defaultRefresh() Refresh {
	def := func(name string) int { return bounds[name].def }
	return Refresh{
		Fold:            def("fold"),
		OnQuotaExceeded: QuotaFail,
		Unmatched:       UnmatchedWarn,
		Limits: Limits{
			URLsPerRequest:        def("urls_per_request"),
			URLsPerDomain:         def("urls_per_domain"),
			DomainsPerRequest:     def("domains_per_request"),
			DirectoriesPerRequest: def("directories_per_request"),
			RequestBytes:          def("request_bytes"),
			ESA: ESALimits{
				URLsPerRequest:         def("esa.urls_per_request"),
				DomainsPerRequest:      def("esa.domains_per_request"),
				DirectoriesPerRequest:  def("esa.directories_per_request"),
				IgnoreParamsPerRequest: def("esa.ignore_params_per_request"),
				RequestBytes:           def("esa.request_bytes"),
			},
		},
		CallsPerSecond: CallsPerSecond{DCDN: def("dcdn"), CDN: def("cdn"), ESA: def("esa")},
	}
}

// document returns the root of the only YAML document in data.
func document(data []byte) (*yaml.Node, *Fault) {
	if len(data) > maxBytes {
		return nil, &Fault{Message: "the file is larger than 1 MiB", Hint: "10,000 rules fit in 1 MiB"}
	}
	docs, err := documents(data)
	switch {
	case err != nil:
		return nil, syntaxFault(data, err)
	case len(docs) == 0:
		return nil, &Fault{Message: "the file is empty", Hint: `write at least one rule under "rules:"`}
	case len(docs) > 1:
		return nil, &Fault{
			Line: docs[1].Line, Column: docs[1].Column,
			Message: "a second YAML document begins here", Hint: "a table is one document: join the two",
		}
	}
	root := docs[0].Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, &Fault{
			Line: root.Line, Column: root.Column,
			Message: "the table is " + shown(root), Hint: `accepted: a mapping with the key "rules"`,
		}
	}
	return root, nil
}

// documents returns the YAML documents in data, two at most.
func documents(data []byte) ([]yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var docs []yaml.Node
	for len(docs) < 2 {
		var doc yaml.Node
		switch err := dec.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return docs, nil
		case err != nil:
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// index enters the rules for look-up and faults those that repeat one.
func (d *decoder) index(t *Table, root *yaml.Node) {
	for i, r := range t.Rules {
		if r.Bucket != "" {
			t.buckets[r.Bucket] = append(t.buckets[r.Bucket], entry{prefix: r.Prefix, rule: i})
		}
	}
	repeats := map[int]int{} // of a rule: the one before
	for _, b := range t.buckets {
		b.link()
		for i := range b[1:] {
			if b[i].prefix == b[i+1].prefix {
				repeats[b[i+1].rule] = b[i].rule
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(repeats)) {
		r := t.Rules[i]
		rules := child(root, "rules").Content
		at, first := rules[i], rules[repeats[i]]
		if d.isFaulty(child(at, "bucket")) || d.isFaulty(child(at, "prefix")) ||
			d.isFaulty(child(first, "bucket")) || d.isFaulty(child(first, "prefix")) {
			continue // what was meant may differ
		}
		d.path = []step{{key: "rules"}, {index: i}}
		d.fault(at, "join the two", "bucket %s and prefix %s are those of the rule on line %d",
			quote(r.Bucket), quote(r.Prefix), t.Rules[repeats[i]].Line)
	}
}

// compareSites faults a domain that is given two sites: a record belongs to one.
func (d *decoder) compareSites(t *Table, root *yaml.Node) {
	first := map[string]Spec{}
	for i, r := range t.Rules {
		for j, s := range r.Targets {
			before, known := first[s.Domain]
			switch {
			case s.Site == 0 || s.Domain == "":
			case !known:
				first[s.Domain] = s
			case s.Site != before.Site:
				target := child(child(root, "rules").Content[i], "targets").Content[j]
				d.path = []step{{key: "rules"}, {index: i}, {key: "targets"}, {index: j}, {key: "site"}}
				d.fault(child(target, "site"), "a domain belongs to one site",
					"%d is not the site of %s on line %d, which is %d", s.Site, quote(s.Domain), before.Line, before.Site)
			}
		}
	}
}
