package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/runtimetest"
)

// The queries that the READMEs give find in real log lines what they are for,
// by the index that setup makes: a search for message.msg, and regular
// expressions over the first 16,384 bytes of the line.
func TestQueriesOfTheReadmes(t *testing.T) {
	lines := logLines(t)
	if longest := longestOf(lines); longest < 3000 {
		t.Fatalf(
			"the longest line has %d bytes: none is longer than what SQL sees by default",
			longest,
		)
	}
	for _, name := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		queries := regexp.MustCompile(
			"(?s)```sql\n(.*?)```",
		).FindAllStringSubmatch(
			string(text),
			-1,
		)
		if len(queries) < 2 {
			t.Errorf("%s has %d queries", name, len(queries))
		}
		for _, query := range queries {
			checkQuery(t, name, query[1], lines)
		}
	}
}

var (
	searched  = regexp.MustCompile(`^message\.msg: (\w+) \| SELECT `)
	extracted = regexp.MustCompile(`regexp_extract\(message, '([^']*)', 1\)`)
	inCode    = regexp.MustCompile(`"(\w+)":`)
)

// checkQuery holds a query against the lines that its search finds: each of its
// expressions finds there what the line's JSON has.
func checkQuery(t *testing.T, name, query string, lines []string) {
	t.Helper()
	msg := searched.FindStringSubmatch(query)
	expressions := extracted.FindAllStringSubmatch(query, -1)
	if msg == nil || len(expressions) == 0 || strings.Contains(query, "json_extract") {
		t.Errorf(
			"%s: the query does not search for a msg, or depends on JSON that may be cut:\n%s",
			name,
			query,
		)
		return
	}
	found := 0
	for _, line := range lines {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) != nil || fields["msg"] != msg[1] {
			continue
		}
		found++
		for _, expression := range expressions {
			field := inCode.FindStringSubmatch(expression[1])[1]
			got := regexp.MustCompile(
				expression[1],
			).FindStringSubmatch(
				line[:min(len(line), 16384)],
			)
			if want := fmt.Sprint(fields[field]); got == nil || got[1] != want {
				t.Errorf(
					"%s: %s finds %q in a line whose %s is %s:\n%.200s",
					name,
					expression[1],
					got,
					field,
					want,
					line,
				)
			}
		}
	}
	if found == 0 {
		t.Errorf("%s: no line is found by\n%s", name, query)
	}
}

func longestOf(lines []string) (n int) {
	for _, line := range lines {
		n = max(n, len(line))
	}
	return n
}

// logLines are what the real function writes of an event of which some is
// refreshed and some fails.
func logLines(t *testing.T) []string {
	t.Helper()
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Forbidden: []string{"no.example.com"}})
	table := filepath.Join(t.TempDir(), "mapping.yaml")
	if err := os.WriteFile(table, []byte("rules: [{bucket: b, targets: [{domain: www.example.com}, {domain: no.example.com}]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	var records []string
	for i := range 100 {
		records = append(
			records,
			fmt.Sprintf(
				`{"eventName":"ObjectCreated:PutObject","oss":{"bucket":{"name":"b"},"object":{"key":"some/folder/picture-%d.png"}}}`,
				i,
			),
		)
	}
	p := runtimetest.NewTestFunctionCompute(t, runtimetest.Program{
		Path: function, Env: []string{"REFRESH_ENDPOINT=" + api.URL, "MAPPING_FILE=" + table},
	})
	credential := aliyuntest.TestCredential
	result, err := p.Invoke(t.Context(), runtimetest.Invocation{
		Payload: []byte(`{"events":[` + strings.Join(records, ",") + `]}`),
		Credentials: runtimetest.Credentials{
			AccessKeyID: credential.AccessKeyID, AccessKeySecret: credential.AccessKeySecret, SecurityToken: credential.SecurityToken,
		},
	})
	if err != nil || result.Err == nil {
		t.Fatalf("%v; the function answered %+v", err, result)
	}
	return strings.Split(p.Output(), "\n")
}
