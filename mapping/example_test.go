package mapping_test

import (
	"fmt"
	"log"

	"oss-cdn-refresh/mapping"
)

func ExampleTable_Map() {
	table, err := mapping.Parse("mapping.yaml", []byte(`
rules:
  - bucket: my-site
    prefix: www/
    exclude: ['**/*.map']
    targets:
      - domain: www.example.com
        strip_prefix: www/
        index: [index.html]
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []string{"www/docs/index.html", "www/app.js.map", "private/a.txt"} {
		match := table.Map(mapping.Object{Bucket: "my-site", Key: key, Event: mapping.Created})
		switch {
		case match.Rule == nil:
			fmt.Println(key, "is of no rule")
		case match.Ignored != "":
			fmt.Println(key, "is ignored:", match.Ignored)
		}
		for _, target := range match.Targets {
			fmt.Println(key, target.Product, target.Type, target.URL)
		}
	}
	// Output:
	// www/docs/index.html dcdn File https://www.example.com/docs/index.html
	// www/docs/index.html dcdn File https://www.example.com/docs/
	// www/app.js.map is ignored: exclude "**/*.map"
	// private/a.txt is of no rule
}

// What people write into a table by mistake is named, with what to write instead.
func ExampleParse_faults() {
	_, err := mapping.Parse("mapping.yaml", []byte(`rules:
  - bucket: my-site
    targets: [{domain: ‘www.example.com’}]
`))
	fmt.Println(err)
	// Output:
	// mapping.yaml:3:24: rules[0].targets[0].domain: "‘www.example.com’" has ‘ (U+2018), which no host name has; write "www.example.com"
}
