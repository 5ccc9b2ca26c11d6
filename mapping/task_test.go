package mapping

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTargetsOf(t *testing.T) {
	table, err := Parse("table", []byte(`
rules:
  - bucket: site
    prefix: www/
    exclude: ['**/*.map']
    targets:
      - {domain: www.example.com, strip_prefix: www/, index: [index.html], queries: ['v=2']}
      - {domain: img.example.com, product: cdn, type: ignore_params}
  - bucket: docs
    targets: [{domain: docs.example.com, path: /d/, type: directory, spellings: canonical}]
`))
	if err != nil {
		t.Fatal(err)
	}
	const www = "https://www.example.com"
	tests := map[string]struct {
		product Product
		typ     Type
		url     string
		want    []string
	}{
		"as sent":              {DCDN, File, www + "/a%20(1).png", []string{www + "/a%20(1).png"}},
		"another spelling":     {DCDN, File, www + "/a%20%281%29.png", []string{www + "/a%20%281%29.png"}},
		"without a scheme":     {DCDN, File, "www.example.com/a.png", []string{www + "/a.png"}},
		"upper case":           {DCDN, File, "HTTP://WWW.example.com/a.png", []string{www + "/a.png"}},
		"decoded":              {DCDN, File, "www.example.com/图 (1).png", []string{www + "/%E5%9B%BE%20(1).png", www + "/%E5%9B%BE%20%281%29.png"}},
		"decoded, a plus":      {DCDN, File, "www.example.com/a+b.png", []string{www + "/a%20b.png", www + "/a%2Bb.png"}},
		"an index page":        {DCDN, File, www + "/docs/", []string{www + "/docs/"}},
		"a query":              {DCDN, File, www + "/a.js?v=2", []string{www + "/a.js?v=2"}},
		"another query":        {DCDN, File, www + "/a.js?v=3", nil},
		"excluded":             {DCDN, File, www + "/a.map", nil},
		"another product":      {CDN, File, www + "/a.png", nil},
		"another type":         {CDN, File, "https://img.example.com/www/a.png", nil},
		"every query":          {CDN, IgnoreParams, "https://img.example.com/www/a.png", []string{"https://img.example.com/www/a.png"}},
		"another domain":       {DCDN, File, "https://other.example.com/a.png", nil},
		"a directory":          {DCDN, Directory, "https://docs.example.com/d/x/", []string{"https://docs.example.com/d/x/"}},
		"above the path":       {DCDN, Directory, "https://docs.example.com/", nil},
		"in place of files":    {DCDN, Directory, www + "/x/y/", []string{www + "/x/y/"}},
		"a domain's root":      {DCDN, Directory, www + "/", nil},
		"not a directory":      {DCDN, Directory, www + "/x/y", nil},
		"a path with segments": {DCDN, File, www + "/../a.png", nil},
		"nothing":              {DCDN, File, "", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, target := range table.TargetsOf(Service{Product: tt.product}, tt.typ, tt.url) {
				got = append(got, target.URL)
				if target.Product != tt.product || target.Type != tt.typ || target.Domain == "" {
					t.Errorf("the target is %+v", target)
				}
				if want := tt.typ == Directory && target.Domain == "www.example.com"; target.Force != want {
					t.Errorf("the target has force: %t, want %t", target.Force, want)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
