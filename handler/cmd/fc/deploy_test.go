package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"oss-cdn-refresh/events"
	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/handler/runtimetest"
	"oss-cdn-refresh/mapping"
)

// What s.yaml may say: the fields of the component fc3 (devsapp/fc3,
// src/schema.json) that it uses, and no others.
type (
	file struct {
		Edition   string            `yaml:"edition"`
		Name      string            `yaml:"name"`
		Access    string            `yaml:"access"`
		Vars      map[string]string `yaml:"vars"`
		Resources map[string]struct {
			Component string `yaml:"component"`
			Actions   map[string][]struct{ Run, Path string }
			Props     props
		}
	}
	props struct {
		Region       string `yaml:"region"`
		FunctionName string `yaml:"functionName"`
		Description  string `yaml:"description"`
		Runtime      string `yaml:"runtime"`
		Handler      string `yaml:"handler"`
		Code         string `yaml:"code"`
		Role         string `yaml:"role"`

		CPU                  float64           `yaml:"cpu"`
		MemorySize           int               `yaml:"memorySize"`
		DiskSize             int               `yaml:"diskSize"`
		Timeout              int               `yaml:"timeout"`
		InternetAccess       bool              `yaml:"internetAccess"`
		EnvironmentVariables map[string]string `yaml:"environmentVariables"`
		LogConfig            logConfig         `yaml:"logConfig"`
		ConcurrencyConfig    struct {
			ReservedConcurrency int `yaml:"reservedConcurrency"`
		} `yaml:"concurrencyConfig"`
		AsyncInvokeConfig asyncInvokeConfig `yaml:"asyncInvokeConfig"`
		Triggers          []trigger         `yaml:"triggers"`
	}
	logConfig struct {
		Project               string `yaml:"project"`
		Logstore              string `yaml:"logstore"`
		LogBeginRule          string `yaml:"logBeginRule"`
		EnableRequestMetrics  bool   `yaml:"enableRequestMetrics"`
		EnableInstanceMetrics bool   `yaml:"enableInstanceMetrics"`
	}
	asyncInvokeConfig struct {
		MaxAsyncRetryAttempts     int `yaml:"maxAsyncRetryAttempts"`
		MaxAsyncEventAgeInSeconds int `yaml:"maxAsyncEventAgeInSeconds"`
		DestinationConfig         struct {
			OnFailure struct{ Destination string } `yaml:"onFailure"`
		} `yaml:"destinationConfig"`
	}
	trigger struct {
		TriggerName    string    `yaml:"triggerName"`
		TriggerType    string    `yaml:"triggerType"`
		SourceArn      string    `yaml:"sourceArn"`
		InvocationRole string    `yaml:"invocationRole"`
		TriggerConfig  yaml.Node `yaml:"triggerConfig"`
	}
	ossTrigger struct { // IOssTriggerConfig
		Events []string
		Filter struct {
			Key struct{ Prefix, Suffix *string }
		}
	}
	eventBridge struct { // IEventBridge
		TriggerEnable          *bool  `yaml:"triggerEnable"`
		AsyncInvocationType    *bool  `yaml:"asyncInvocationType"`
		EventRuleFilterPattern string `yaml:"eventRuleFilterPattern"`
		EventSourceConfig      struct {
			EventSourceType       string `yaml:"eventSourceType"`
			EventSourceParameters struct {
				SourceMNSParameters mnsSource `yaml:"sourceMNSParameters"`
			} `yaml:"eventSourceParameters"`
		} `yaml:"eventSourceConfig"`
		EventSinkConfig struct {
			DeliveryOption struct {
				Mode        string
				EventSchema string `yaml:"eventSchema"`
			} `yaml:"deliveryOption"`
		} `yaml:"eventSinkConfig"`
		RunOptions runOptions `yaml:"runOptions"`
	}
	mnsSource struct {
		RegionID       string `yaml:"RegionId"`
		QueueName      string `yaml:"QueueName"`
		IsBase64Decode bool   `yaml:"IsBase64Decode"`
	}
	runOptions struct {
		Mode            string `yaml:"mode"`
		ErrorsTolerance string `yaml:"errorsTolerance"`
		MaximumTasks    int    `yaml:"maximumTasks"`
		RetryStrategy   struct {
			PushRetryStrategy string `yaml:"PushRetryStrategy"`
		} `yaml:"retryStrategy"`
		DeadLetterQueue struct {
			Arn string `yaml:"Arn"`
		} `yaml:"deadLetterQueue"`
		BatchWindow struct {
			CountBasedWindow int `yaml:"CountBasedWindow"`
			TimeBasedWindow  int `yaml:"TimeBasedWindow"`
		} `yaml:"batchWindow"`
	}
)

// read reads s.yaml; with burst, as if its second trigger were switched on.
func read(t *testing.T, burst bool) file {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "s.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if burst {
		_, after, found := strings.Cut(string(text), "        # - triggerName: burst\n")
		if !found {
			t.Fatal("s.yaml has no trigger for bursts")
		}
		text = append(text, "        - triggerName: burst\n"+regexp.MustCompile(`(?m)^        # ( *)`).ReplaceAllString(after, "        $1")...)
	}
	var d file
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// config decodes a trigger's own part.
func config(t *testing.T, tr trigger, into any) {
	t.Helper()
	text, err := yaml.Marshal(&tr.TriggerConfig)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Errorf("trigger %s: %v", tr.TriggerName, err)
	}
}

// files are s.yaml as people deploy it by itself, and what is generated of it for
// each path.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	template, err := os.ReadFile(filepath.Join("..", "..", "..", "s.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"s.yaml": template}
	parsed, err := mapping.Parse("mapping.yaml", []byte(`rules:
  - {bucket: b, prefix: 'a: #', targets: [{domain: www.example.com, strip_prefix: ''}]}
  - {bucket: b, prefix: www/, targets: [{domain: www.example.com, strip_prefix: ''}]}
  - {bucket: '0123', targets: [{domain: www.example.com}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, burst := range map[string]bool{"plain": false, "burst": true} {
		s := deployment.Settings{
			Name: "refresh", Account: "1234567890123456", Region: "cn-hangzhou", Table: parsed, Burst: burst,
		}
		if all[name], err = s.WriteS(template); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// What Serverless Devs is given is what the component accepts: each trigger by
// the definition of its own type, since the component itself takes any.
func TestSchema(t *testing.T) {
	data, err := os.ReadFile("testdata/fc3-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files(t) {
		var doc struct {
			Vars      map[string]string
			Resources map[string]struct{ Props map[string]any }
		}
		text = filled(t, text)
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Fatal(err)
		}
		props := doc.Resources["refresh"].Props
		if err := validate(t, data, "", props); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		triggers, _ := props["triggers"].([]any)
		if len(triggers) == 0 {
			t.Errorf("%s has no trigger", name)
		}
		for _, tr := range triggers {
			tr := tr.(map[string]any)
			definition := map[any]string{
				"oss": "IOssTriggerConfig", "eventbridge": "IEventBridge", "timer": "ITimerTriggerConfig",
			}[tr["triggerType"]]
			if err := validate(t, data, definition, tr["triggerConfig"]); err != nil {
				t.Errorf("%s: trigger %v: %v", name, tr["triggerName"], err)
			}
		}
		if rest := regexp.MustCompile(`(?m)^[^#]*\$\{vars\.[^}]*\}`).Find(text); rest != nil {
			t.Errorf("%s names a variable that it does not have: %s", name, rest)
		}
	}
}

// A check that accepts anything would accept this too.
func TestSchemaRefuses(t *testing.T) {
	data, err := os.ReadFile("testdata/fc3-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ definition, config string }{
		{"IOssTriggerConfig", `{"events":["ObjectCreated:PutObject"],"filter":{"key":{"prefix":"","suffix":""}}}`},
		{"IOssTriggerConfig", `{"events":[],"filter":{"key":{"prefix":""}}}`},
		{"IEventBridge", `{"triggerEnable":true}`},
		{"ITimerTriggerConfig", `{"cronExpression":"@every 10m","payload":"sweep"}`},
		{"", `{"functionName":"f","region":"cn-hangzhou","runtime":"go1","handler":"main","code":"./fc","memorySize":100}`},
		{"", `{"functionName":"f","region":"cn-hangzhou","runtime":"go1","handler":"main","code":"./fc","reservedConcurency":2}`},
	} {
		var value any
		if err := json.Unmarshal([]byte(tt.config), &value); err != nil {
			t.Fatal(err)
		}
		if validate(t, data, tt.definition, value) == nil {
			t.Errorf("%s is accepted", tt.config)
		}
	}
}

// filled replaces a file's variables by their values, or by something for those
// that come from outside.
func filled(t *testing.T, text []byte) []byte {
	t.Helper()
	var doc struct{ Vars map[string]string }
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for name, value := range doc.Vars {
		if strings.HasPrefix(value, "${") {
			value = "cn-hangzhou" // where it matters, it is the region
		}
		text = bytes.ReplaceAll(text, []byte("${vars."+name+"}"), []byte(value))
	}
	return text
}

func validate(t *testing.T, schema []byte, definition string, value any) error {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(schema, &s); err != nil {
		t.Fatal(err)
	}
	if definition != "" {
		s = jsonschema.Schema{Schema: s.Schema, Definitions: s.Definitions, Ref: "#/definitions/" + definition}
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved.Validate(value)
}

func TestDeployment(t *testing.T) {
	d := read(t, false)
	resource := d.Resources["refresh"]
	p := resource.Props
	if d.Edition != "3.0.0" || resource.Component != "fc3" || p.Runtime != "go1" || p.Handler != "main" || p.Code != "./dist/fc" {
		t.Errorf("s.yaml deploys something else: %+v", d)
	}
	if build := resource.Actions["pre-deploy"]; len(build) != 1 || build[0].Run != "scripts/build" {
		t.Errorf("before a deployment, %+v runs", build)
	}
	if p.CPU < 0.05 || p.MemorySize < 128 || p.MemorySize%64 != 0 || (p.DiskSize != 512 && p.DiskSize != 10240) || p.Timeout < 10 {
		t.Errorf("the function's size is not one that there is: %+v", p)
	}
	if p.Role == "" || p.LogConfig.Project == "" || p.AsyncInvokeConfig.DestinationConfig.OnFailure.Destination == "" {
		t.Error("s.yaml leaves something to be resolved at deploy time")
	}
	if n := p.AsyncInvokeConfig.MaxAsyncEventAgeInSeconds; n < 1 || n > 604800 {
		t.Errorf("events may be %d s old", n)
	}
}

// The trigger names each event that changes what a CDN serves, and no other.
func TestTriggerEvents(t *testing.T) {
	triggers := read(t, false).Resources["refresh"].Props.Triggers
	if len(triggers) != 2 || triggers[0].TriggerType != "oss" || triggers[0].InvocationRole == "" {
		t.Fatalf("triggers: %+v", triggers)
	}
	var oss ossTrigger
	config(t, triggers[0], &oss)
	if oss.Filter.Key.Prefix == nil || oss.Filter.Key.Suffix == nil {
		t.Error("prefix and suffix are both required")
	}
	// IOssTriggerConfig's list, less the one with a star.
	for _, name := range strings.Fields(`
		oss:ObjectCreated:AppendObject oss:ObjectCreated:CompleteMultipartUpload oss:ObjectCreated:CopyObject
		oss:ObjectCreated:InitiateMultipartUpload oss:ObjectCreated:PostObject oss:ObjectCreated:PutObject
		oss:ObjectCreated:PutSymlink oss:ObjectCreated:UploadPart oss:ObjectCreated:UploadPartCopy
		oss:ObjectModified:UpdateObjectMeta oss:ObjectRemoved:AbortMultipartUpload oss:ObjectRemoved:DeleteObject
		oss:ObjectRemoved:DeleteObjects`) {
		batch, err := events.Decode([]byte(fmt.Sprintf(`{"events":[{"eventName":%q,"oss":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`, name)))
		if err != nil {
			t.Fatal(err)
		}
		if counts, named := len(batch.Changes) == 1, slices.Contains(oss.Events, name); counts != named {
			t.Errorf("%s: changes what a CDN serves: %t, is in the trigger: %t", name, counts, named)
		}
	}
}

// propsOf returns what Serverless Devs is given for the function.
func propsOf(t *testing.T, text []byte) props {
	t.Helper()
	var d file
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d.Resources["refresh"].Props
}

// On both paths the function knows how many instances there are, and how often
// an event comes again.
func TestEnvironmentAgreesWithThePlatform(t *testing.T) {
	for name, text := range files(t) {
		p := propsOf(t, text)
		if n := p.ConcurrencyConfig.ReservedConcurrency; (n > 2) == (name == "burst") {
			t.Errorf("%s: %d instances", name, n)
		}
		for variable, want := range map[string]int{
			"INSTANCES":   p.ConcurrencyConfig.ReservedConcurrency,
			"MAX_RETRIES": p.AsyncInvokeConfig.MaxAsyncRetryAttempts,
		} {
			if got := p.EnvironmentVariables[variable]; got != fmt.Sprint(want) {
				t.Errorf("%s: %s is %q, and the platform's number %d", name, variable, got, want)
			}
		}
	}
}

// A timer asks for sweeps on both paths, in the words that the function knows. It
// comes before a stream, behind which the component may not look.
func TestSweepTrigger(t *testing.T) {
	for name, text := range files(t) {
		triggers := propsOf(t, text).Triggers
		i := slices.IndexFunc(triggers, func(tr trigger) bool { return tr.TriggerName == "sweep" })
		stream := slices.IndexFunc(triggers, func(tr trigger) bool { return tr.TriggerType == "eventbridge" })
		if i < 0 || triggers[i].TriggerType != "timer" || stream >= 0 && i > stream {
			t.Errorf("%s: triggers %+v", name, triggers)
			continue
		}
		var timer struct {
			CronExpression string `yaml:"cronExpression"`
			Enable         bool
			Payload        string
		}
		config(t, triggers[i], &timer)
		event, err := json.Marshal(map[string]string{
			"triggerTime": "2026-01-01T00:00:00Z", "triggerName": "sweep", "payload": timer.Payload,
		})
		if err != nil {
			t.Fatal(err)
		}
		batch, err := events.Decode(event)
		if err != nil || !batch.Sweep || !timer.Enable || timer.CronExpression != "@every 10m" {
			t.Errorf("%s: the timer %+v, %v", name, timer, err)
		}
	}
}

func TestBurstTriggerIsReady(t *testing.T) {
	triggers := read(t, true).Resources["refresh"].Props.Triggers
	if len(triggers) != 3 || triggers[2].TriggerType != "eventbridge" {
		t.Fatalf("triggers: %+v", triggers)
	}
	var burst eventBridge
	config(t, triggers[2], &burst)
	if burst.AsyncInvocationType == nil || *burst.AsyncInvocationType || burst.TriggerEnable == nil ||
		burst.EventRuleFilterPattern == "" || burst.EventSourceConfig.EventSourceType != "MNS" ||
		burst.RunOptions.BatchWindow.CountBasedWindow == 0 || burst.RunOptions.DeadLetterQueue.Arn == "" {
		t.Errorf("the trigger for bursts: %+v", burst)
	}
}

// The package is a folder with the binary and the table, and needs no more.
func TestTableBesideTheBinary(t *testing.T) {
	dir := t.TempDir()
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"main": content, "mapping.yaml": []byte(table)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	api := aliyuntest.NewTestServer(t, nil)
	p := runtimetest.NewTestFunctionCompute(t, runtimetest.Program{Path: filepath.Join(dir, "main"), Env: []string{"REFRESH_ENDPOINT=" + api.URL}})
	if r := report(t, invoke(t, p, invocation(event("www/a.png")))); r.Mapped != 1 || len(api.Accepted()) != 2 {
		t.Errorf("report %+v", r)
	}
}
