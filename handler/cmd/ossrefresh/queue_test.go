package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
)

// A queue gives 16 messages at a time: it is emptied all the same, but for the
// letters of which something fails.
func TestReplayEmptiesAQueue(t *testing.T) {
	var letters []string
	for i := range 40 {
		domain := "www"
		if i == 20 {
			domain = "no"
		}
		letters = append(letters, fmt.Sprintf(`{"requestPayload":{"events":[{"eventName":`+
			`"ObjectCreated:PutObject","eventSource":"acs:oss","oss":{"bucket":{"name":"%s"},`+
			`"object":{"key":"%d.png"}}}]}}`, domain, i))
	}
	const queue = "oss-cdn-refresh-dead-letters"
	cloud := deploymenttest.NewTestServer(t, &deploymenttest.Server{
		Queues: map[string]*deploymenttest.Queue{queue: {Letters: letters}},
	})
	api := aliyuntest.NewTestServer(t, &aliyuntest.Server{Forbidden: []string{"no.example.com"}})
	table := filepath.Join(t.TempDir(), "mapping.yaml")
	text := "rules: [{bucket: www, targets: [{domain: www.example.com}]}, " +
		"{bucket: \"no\", targets: [{domain: no.example.com}]}]"
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	environment := map[string]string{
		"CLOUD_ENDPOINT": cloud.URL, "REFRESH_ENDPOINT": api.URL,
		"ALIBABA_CLOUD_ACCESS_KEY_ID":     cloud.Credential.AccessKeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET": cloud.Credential.AccessKeySecret,
		"ALIBABA_CLOUD_SECURITY_TOKEN":    cloud.Credential.SecurityToken,
	}
	var output bytes.Buffer
	args := []string{"replay", "--live", "--queue", "--mapping", table}
	getenv := func(name string) string { return environment[name] }
	if status := run(args, nil, &output, &output, getenv); status != 1 ||
		!strings.Contains(output.String(), "39 messages deleted") {
		t.Errorf("status %d:\n%s", status, &output)
	}
	cloud.Between(func() {
		for i, letter := range cloud.Queues[queue].Letters {
			if deleted := letter == ""; deleted == (i == 20) {
				t.Errorf("letter %d: deleted: %t", i, deleted)
			}
		}
	})
	urls := map[string]bool{}
	for _, a := range api.Accepted() {
		urls[a.URL] = true
	}
	if len(urls) != 39 {
		t.Errorf("%d URLs were accepted", len(urls))
	}
}
