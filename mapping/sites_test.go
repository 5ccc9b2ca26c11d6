package mapping

import "testing"

// A domain belongs to one site of ESA. Beside it, another product may have it too.
func TestFaultOfTwoSites(t *testing.T) {
	_, err := Parse("t", []byte(`rules:
  - bucket: one
    targets:
      - {domain: example.com, product: esa, site: 7}
      - {domain: example.com, product: cdn}
      - {domain: www.example.com, product: esa, site: 8}
  - bucket: two
    targets:
      - {domain: example.com, product: esa, site: 7}
      - {domain: example.com, product: esa, site: 8}
`))
	const want = `t:10:51: rules[1].targets[1].site: 8 is not the site of "example.com" on line 4, which is 7; ` +
		`a domain belongs to one site`
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}
