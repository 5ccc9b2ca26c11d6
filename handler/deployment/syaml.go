package deployment

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The window in which a stream gathers messages for one invocation. It takes up
// to 10,000 messages or 15 s (EventBridge: event streams, batch window). Fewer
// messages come together where a key has many URLs.
const (
	windowMessages = 1000
	windowSeconds  = 15
	windowURLs     = 50000
)

// burstInstances is how many instances handle bursts: the stream invokes one at a
// time, which is to have most of the API's calls a second, and a sweep may come
// beside it.
const burstInstances = 2

// Window returns how many messages one invocation is handed at most.
func (s Settings) Window() int {
	most := 1
	for _, r := range s.Table.Rules {
		urls := 0
		for _, t := range r.Targets {
			urls += t.MostURLs()
		}
		most = max(most, urls)
	}
	return max(1, min(windowMessages, windowURLs/most))
}

// WriteS makes the file that Serverless Devs deploys: s.yaml with this
// deployment's names in place of its variables, and with the triggers that the
// table needs in place of its own. The file stands in dist, beside the function.
func (s Settings) WriteS(template []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(template, &doc); err != nil {
		return nil, fmt.Errorf("reading s.yaml: %w", err)
	}
	props := member(&doc, "resources", "refresh", "props")
	vars := member(&doc, "vars")
	like, others := byType(member(props, "triggers"))
	if err := s.accept(vars, props, like); err != nil {
		return nil, err
	}
	if member(vars, "name") == nil {
		others = complete(props, others)
	}
	n := s.Names()
	role, triggerRole := s.RoleARNs()
	for _, v := range [][2]string{
		{"name", n.Function},
		{"region", s.Region},
		{"account", s.Account},
		{"log_project", n.Project},
		{"log_store", n.Store},
		{"dead_letters", n.DeadLetters},
	} {
		set(vars, v[0], scalar(v[1]))
	}
	for _, unused := range []string{"bucket", "role", "trigger_role"} {
		drop(vars, unused)
	}
	drop(member(&doc, "resources", "refresh"), "actions") // scripts/deploy has built it
	set(props, "role", scalar(role))
	set(props, "code", scalar("./fc"))
	var list *yaml.Node
	if s.Burst {
		var err error
		if list, err = s.burst(); err != nil {
			return nil, err
		}
		concurrency := member(props, "concurrencyConfig")
		environment := member(props, "environmentVariables")
		if concurrency != nil && environment != nil {
			set(concurrency, "reservedConcurrency", number(burstInstances))
			set(environment, "INSTANCES", scalar(fmt.Sprint(burstInstances)))
		}
	} else {
		list = s.plain(like, triggerRole)
	}
	list.Content = append(others, list.Content...)
	set(props, "triggers", list)
	withoutFeet(&doc)
	doc.Content[0].HeadComment, doc.HeadComment = "", ""
	doc.Content[0].Content[0].HeadComment = ""
	var b bytes.Buffer
	b.WriteString("# Written by ossrefresh setup, from s.yaml and the table. Change those.\n")
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	err := encoder.Encode(&doc)
	return b.Bytes(), err
}

// accept says what of s.yaml, or of the table, WriteS cannot make a deployment of.
func (s Settings) accept(vars, props, like *yaml.Node) error {
	switch {
	case vars == nil || props == nil:
		return errors.New("s.yaml has no vars, or no resource that is called refresh")
	case like == nil && !s.Burst:
		return errors.New("s.yaml has no trigger of type oss to start from; " +
			"take the one of this version's s.yaml, or deploy with --burst")
	}
	function, name := member(props, "functionName"), s.Names().Function
	if function != nil && function.Value != "${vars.name}" && function.Value != name {
		return fmt.Errorf("s.yaml calls the function %q, and this deployment is %q; "+
			"set OSSREFRESH_NAME to the function's name, or write functionName: ${vars.name}",
			function.Value, name)
	}
	for _, source := range s.Sources() {
		if strings.Contains(source.Prefix, "${") {
			return fmt.Errorf("the prefix %q of bucket %s has a ${, which Serverless Devs "+
				"takes for a variable; leave it out of the rule's prefix and use include",
				source.Prefix, source.Bucket)
		}
	}
	return nil
}

// complete gives an s.yaml of an older version, which knew no vars.name, what the
// function and its alerts read of today's.
func complete(props *yaml.Node, triggers []*yaml.Node) []*yaml.Node {
	environment := member(props, "environmentVariables")
	for _, v := range []struct {
		name  string
		value *yaml.Node
	}{
		{"INSTANCES", member(props, "concurrencyConfig", "reservedConcurrency")},
		{"MAX_RETRIES", member(props, "asyncInvokeConfig", "maxAsyncRetryAttempts")},
	} {
		if environment != nil && v.value != nil && place(environment, v.name) < 0 {
			set(environment, v.name, scalar(v.value.Value))
		}
	}
	var sweep yaml.Node
	_ = yaml.Unmarshal([]byte(`
triggerName: sweep
triggerType: timer
triggerConfig:
  cronExpression: '@every 10m'
  enable: true
  payload: sweep
`), &sweep) // it is YAML: a test reads it
	return append(triggers, sweep.Content[0])
}

// byType returns the OSS trigger of s.yaml, and those of other types, which both
// paths keep, but for the one that WriteS makes for bursts. They come before a stream: the component fc3 looks at no trigger
// behind a stream that has not changed (src/subCommands/deploy/impl/trigger.ts).
func byType(triggers *yaml.Node) (oss *yaml.Node, others []*yaml.Node) {
	if triggers == nil {
		return nil, nil
	}
	for _, trigger := range triggers.Content {
		kind, name := member(trigger, "triggerType"), member(trigger, "triggerName")
		switch {
		case name != nil && name.Value == burstTrigger:
		case kind == nil || kind.Value != "oss":
			others = append(others, trigger)
		case oss == nil:
			oss = trigger
		}
	}
	return oss, others
}

// OSSTriggers returns the names of the OSS triggers of s.yaml, which only s.yaml by
// itself deploys under them.
func OSSTriggers(template []byte) []string {
	var doc yaml.Node
	_ = yaml.Unmarshal(template, &doc) // WriteS says what is wrong with it
	triggers := member(&doc, "resources", "refresh", "props", "triggers")
	if triggers == nil {
		return nil
	}
	var names []string
	for _, trigger := range triggers.Content {
		kind, name := member(trigger, "triggerType"), member(trigger, "triggerName")
		if kind != nil && name != nil && kind.Value == "oss" {
			names = append(names, name.Value)
		}
	}
	return names
}

// plain has an OSS trigger for each source, like that of s.yaml.
func (s Settings) plain(like *yaml.Node, role string) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, source := range s.Sources() {
		trigger := clone(like)
		trigger.HeadComment = ""
		set(trigger, "triggerName", scalar(source.trigger()))
		arn := fmt.Sprintf("acs:oss:%s:%s:%s", s.Region, s.Account, source.Bucket)
		set(trigger, "sourceArn", scalar(arn))
		set(trigger, "invocationRole", scalar(role))
		if key := member(trigger, "triggerConfig", "filter", "key"); key != nil {
			set(key, "prefix", scalar(source.Prefix))
		}
		list.Content = append(list.Content, trigger)
	}
	return list
}

// burst has the trigger that s.yaml shows in a comment.
func (s Settings) burst() (*yaml.Node, error) {
	n := s.Names()
	var doc yaml.Node
	err := yaml.Unmarshal(fmt.Appendf(nil, `
- triggerName: %s
  triggerType: eventbridge
  triggerConfig:
    triggerEnable: true
    asyncInvocationType: false
    eventRuleFilterPattern: '{}'
    eventSourceConfig:
      eventSourceType: MNS
      eventSourceParameters:
        sourceMNSParameters:
          RegionId: %s
          QueueName: %s
          IsBase64Decode: true
    eventSinkConfig:
      deliveryOption:
        mode: event-streaming
        eventSchema: CloudEvents
    runOptions:
      mode: event-streaming
      maximumTasks: 1
      errorsTolerance: ALL
      retryStrategy:
        PushRetryStrategy: BACKOFF_RETRY
      deadLetterQueue:
        Arn: acs:mns:%s:%s:/queues/%s/messages
      batchWindow:
        CountBasedWindow: %d
        TimeBasedWindow: %d
`, burstTrigger, s.Region, n.Queue, s.Region, s.Account, n.DeadLetters,
		s.Window(), windowSeconds), &doc)
	if err != nil {
		return nil, err
	}
	return doc.Content[0], nil
}

// member returns the value at a path of names, nil if there is none.
func member(node *yaml.Node, path ...string) *yaml.Node {
	if node != nil && node.Kind == yaml.DocumentNode {
		node = node.Content[0]
	}
	for _, name := range path {
		i := place(node, name)
		if i < 0 {
			return nil
		}
		node = node.Content[i+1]
	}
	return node
}

// place returns where a mapping has a name, -1 if it has not.
func place(node *yaml.Node, name string) int {
	if node == nil || node.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return i
		}
	}
	return -1
}

func set(node *yaml.Node, name string, value *yaml.Node) {
	if i := place(node, name); i >= 0 {
		node.Content[i+1] = value
		return
	}
	node.Content = append(node.Content, scalar(name), value)
}

func drop(node *yaml.Node, name string) {
	if i := place(node, name); i >= 0 {
		node.Content = append(node.Content[:i:i], node.Content[i+2:]...)
	}
}

// scalar is a string, quoted where it would be read as something else.
func scalar(text string) *yaml.Node {
	node := new(yaml.Node)
	node.SetString(text)
	if text == "" {
		node.Style = yaml.SingleQuotedStyle
	}
	return node
}

func number(n int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(n)}
}

func clone(node *yaml.Node) *yaml.Node {
	copied := *node
	copied.Content = nil
	for _, inner := range node.Content {
		copied.Content = append(copied.Content, clone(inner))
	}
	return &copied
}

// withoutFeet drops comments that stand behind something: s.yaml's last one is
// the trigger that it does not use.
func withoutFeet(node *yaml.Node) {
	node.FootComment = ""
	for _, inner := range node.Content {
		withoutFeet(inner)
	}
}
