package deployment_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"oss-cdn-refresh/handler/deployment"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
)

// OSS forbids triggers that overlap, and has ten of a bucket.
func TestSources(t *testing.T) {
	target := "targets: [{domain: www.example.com, strip_prefix: ''}]"
	many := "rules:\n"
	for i := range 11 {
		many += fmt.Sprintf("  - {bucket: b, prefix: sites/%c/, %s}\n", 'a'+i, target)
	}
	for _, tt := range []struct {
		table string
		want  []deployment.Source
	}{
		{"rules: [{bucket: b, " + target + "}]", []deployment.Source{{Bucket: "b"}}},
		{
			"rules: [{bucket: b, prefix: www/, " + target + "}, {bucket: b, prefix: www/app/, " + target + "}, {bucket: b, prefix: img/, " + target + "}, {bucket: a, prefix: x, " + target + "}]",
			[]deployment.Source{{"a", "x"}, {"b", "img/"}, {"b", "www/"}},
		},
		{many, []deployment.Source{{"b", "sites/"}}},
		{"rules: [{bucket: b, prefix: 图, " + target + "}, {bucket: b, " + target + "}]", []deployment.Source{{Bucket: "b"}}},
	} {
		if diff := cmp.Diff(tt.want, settings(t, tt.table).Sources()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.table, diff)
		}
	}
}

// A trigger keeps its name when another rule comes or goes.
func TestTriggersAreNamedByTheirSource(t *testing.T) {
	one := settings(
		t,
		"rules: [{bucket: b, prefix: b/, targets: [{domain: www.example.com}]}]",
	).Triggers()
	two := settings(
		t,
		"rules: [{bucket: b, prefix: a/, targets: [{domain: www.example.com}]}, {bucket: b, prefix: b/, targets: [{domain: www.example.com}]}]",
	).Triggers()
	if len(one) != 1 || len(two) != 2 || !slices.Contains(two, one[0]) {
		t.Errorf("%v, then %v", one, two)
	}
}

// One invocation gets at most 50,000 URLs, and 1,000 messages.
func TestWindow(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("q=%d", i))
	}
	for targets, want := range map[string]int{
		"{domain: www.example.com, spellings: canonical}":                                                                                                      1000,
		"{domain: www.example.com, spellings: canonical, index: [index.html]}":                                                                                 1000,
		"{domain: www.example.com, spellings: canonical, suffixes: ['" + strings.Join(many, "','") + "']}":                                                     495,
		"{domain: www.example.com, spellings: canonical, index: [index.html], index_without_slash: true, queries: ['" + strings.Join(many[:60], "','") + "']}": 273,
		"{domain: www.example.com, spellings: canonical, queries: ['" + strings.Join(many, "','") + "']}":                                                      495,
	} {
		if got := settings(t, "rules: [{bucket: b, targets: ["+targets+"]}]").Window(); got != want {
			t.Errorf("%.60s: %d messages, want %d", targets, got, want)
		}
	}
}

func template(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The trigger for bursts that s.yaml shows is the one that is generated.
func TestBurstTriggerIsThatOfSYAML(t *testing.T) {
	s := settings(t, twoDomains)
	s.Burst = true
	text := string(template(t))
	_, comment, found := strings.Cut(text, "        # - triggerName: burst\n")
	if !found {
		t.Fatal("s.yaml has no trigger for bursts")
	}
	comment = "- triggerName: burst\n" + strings.ReplaceAll(comment, "        # ", "")
	for variable, value := range map[string]string{
		"${vars.region}": s.Region, "${vars.account}": s.Account, "${vars.name}": s.Name, "${vars.dead_letters}": s.Name + "-dead-letters",
	} {
		comment = strings.ReplaceAll(comment, variable, value)
	}
	var want []any
	if err := yaml.Unmarshal([]byte(comment), &want); err != nil {
		t.Fatal(err)
	}
	triggers := generated(t, s)["triggers"].([]any)
	if diff := cmp.Diff(want, triggers[len(triggers)-1:]); diff != "" {
		t.Errorf("(-s.yaml +generated)\n%s", diff)
	}
}

// generated returns the props of the file that is made of s.yaml.
func generated(t *testing.T, s deployment.Settings) map[string]any {
	t.Helper()
	return generatedFrom(t, s, template(t))
}

func generatedFrom(t *testing.T, s deployment.Settings, template []byte) map[string]any {
	t.Helper()
	text, err := s.WriteS(template)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]struct{ Props map[string]any }
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Resources["refresh"].Props
}

// A timer, say, belongs to both paths.
func TestOtherTriggersStay(t *testing.T) {
	timer := "        - {triggerName: nightly, triggerType: timer, triggerConfig: {enable: true}}\n"
	text := strings.Replace(string(template(t)), "      triggers:\n", "      triggers:\n"+timer, 1)
	s := settings(t, twoDomains)
	for _, burst := range []bool{false, true} {
		s.Burst = burst
		written, err := s.WriteS([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(written), "triggerName: "); n != 3 ||
			!strings.Contains(string(written), "triggerName: sweep") ||
			!strings.Contains(string(written), "triggerName: nightly") {
			t.Errorf("burst %t: %d triggers:\n%s", burst, n, written)
		}
	}
}

// oldS is s.yaml as it was before the variable name: without what came with it.
func oldS(t *testing.T) string {
	t.Helper()
	text := string(template(t))
	for _, part := range []string{
		`  name: \$\{env\('OSSREFRESH_NAME'.*\n`, ` +INSTANCES: .*\n`, ` +MAX_RETRIES: .*\n`,
		`        - triggerName: sweep\n(          .*\n)+`,
	} {
		shorter := regexp.MustCompile("(?m)^"+part).ReplaceAllString(text, "")
		if shorter == text {
			t.Fatalf("s.yaml has no %s", part)
		}
		text = shorter
	}
	return strings.Replace(text, "functionName: ${vars.name}", "functionName: oss-cdn-refresh", 1)
}

// Of an older s.yaml, the same is made.
func TestOldS(t *testing.T) {
	s := settings(t, twoDomains)
	for _, s.Burst = range []bool{false, true} {
		want := generated(t, s)
		want["functionName"] = "oss-cdn-refresh"
		if diff := cmp.Diff(want, generatedFrom(t, s, []byte(oldS(t)))); diff != "" {
			t.Errorf("burst %t (-s.yaml +older)\n%s", s.Burst, diff)
		}
	}
	few := strings.Replace(oldS(t), "reservedConcurrency: 10", "reservedConcurrency: 3", 1)
	s.Burst = false
	environment := generatedFrom(t, s, []byte(few))["environmentVariables"].(map[string]any)
	if environment["INSTANCES"] != "3" {
		t.Errorf("of 3 instances, INSTANCES is %v", environment["INSTANCES"])
	}
}

// Who switched the trigger burst on in s.yaml gets the one that --burst makes, and
// without it none.
func TestBurstTriggerOfOldS(t *testing.T) {
	text := oldS(t)
	at := strings.Index(text, "        # - triggerName: burst\n")
	on := text[:at] + strings.ReplaceAll(text[at:], "        # ", "        ")
	s := settings(t, twoDomains)
	for _, s.Burst = range []bool{false, true} {
		want := generatedFrom(t, s, []byte(text))
		if diff := cmp.Diff(want, generatedFrom(t, s, []byte(on))); diff != "" {
			t.Errorf("burst %t (-off +on)\n%s", s.Burst, diff)
		}
	}
	first := strings.Index(on, "        - triggerName: oss\n")
	alone := []byte(on[:first] + on[strings.Index(on, "        - triggerName: burst\n"):])
	want := generatedFrom(t, s, []byte(text))
	if diff := cmp.Diff(want, generatedFrom(t, s, alone)); diff != "" {
		t.Errorf("without the trigger oss (-with +without)\n%s", diff)
	}
	s.Burst = false
	_, err := s.WriteS(alone)
	wantError(t, err, "s.yaml has no trigger of type oss to start from; "+
		"take the one of this version's s.yaml, or deploy with --burst")
}

// A function of another name would be left with its triggers.
func TestOtherFunction(t *testing.T) {
	s := settings(t, twoDomains)
	text := strings.Replace(oldS(t), "functionName: oss-cdn-refresh", "functionName: purge", 1)
	_, err := s.WriteS([]byte(text))
	wantError(t, err, `s.yaml calls the function "purge", and this deployment is "oss-cdn-refresh"; `+
		"set OSSREFRESH_NAME to the function's name, or write functionName: ${vars.name}")
	s.Name = "purge"
	if got := generatedFrom(t, s, []byte(text))["functionName"]; got != "purge" {
		t.Errorf("function %s", got)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
}

// OSS's triggers of s.yaml are deployed under other names, or not at all.
func TestTriggersOfS(t *testing.T) {
	text := strings.Replace(string(template(t)), "      triggers:\n",
		"      triggers:\n        - {triggerName: images, triggerType: oss}\n", 1)
	names := deployment.OSSTriggers([]byte(text))
	if diff := cmp.Diff([]string{"images", "oss"}, names); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	stale := deployment.StaleTriggers(settings(t, twoDomains), deployment.Found{}, names)
	if diff := cmp.Diff([]string{"burst", "images", "oss"}, stale); diff != "" {
		t.Errorf("stale (-want +got)\n%s", diff)
	}
	if names := deployment.OSSTriggers(nil); names != nil {
		t.Errorf("of no file: %v", names)
	}
}

func TestStaleTriggers(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	find := func(s deployment.Settings) string {
		found, err := deployment.Read(t.Context(), caller(t, server), s)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(deployment.StaleTriggers(s, found, nil), ",")
	}
	plain := settings(t, twoDomains)
	moved := settings(t, strings.ReplaceAll(twoDomains, "bucket: my-site", "bucket: new-site"))
	burst := plain
	burst.Burst = true
	old := plain.Triggers()[0]
	for _, step := range []struct {
		name     string
		settings deployment.Settings
		want     string
		unseen   []string
	}{
		{"an account deployed by s.yaml", plain, "burst,oss", nil},
		{"another bucket", moved, "burst,oss," + old, []string{"new-site"}},
		{"bursts", burst, "oss," + old + "," + moved.Triggers()[0], []string{"my-site"}},
	} {
		if got := find(step.settings); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
		if got := plan(t, server, step.settings).Unseen; !slices.Equal(got, step.unseen) {
			t.Errorf("%s: changes of %v are not seen, want %v", step.name, got, step.unseen)
		}
		bring(t, server, step.settings)
		if got := find(step.settings); got != step.want { // whether they were removed is not known
			t.Errorf("%s, again: %s, want %s", step.name, got, step.want)
		}
	}
	server.Queues["oss-cdn-refresh"].Messages = 3
	if got := find(plain); got != "oss,"+moved.Triggers()[0] {
		t.Errorf("back, with a queue that is not empty: %s", got)
	}
	if mark := server.Roles["oss-cdn-refresh-cn-hangzhou-trigger"].Description; !strings.HasSuffix(
		mark,
		"; triggers "+old+","+moved.Triggers()[0]+",burst",
	) {
		t.Errorf("mark %s", mark)
	}
}

// A description takes 1,024 characters: the oldest triggers are forgotten.
func TestMarkFits(t *testing.T) {
	server := deploymenttest.NewTestServer(t, nil)
	for i := range 25 {
		table := "rules:\n"
		for j := range 5 {
			table += fmt.Sprintf(
				"  - {bucket: b, prefix: %d-%d/, targets: [{domain: www.example.com, strip_prefix: ''}]}\n",
				i,
				j,
			)
		}
		bring(t, server, settings(t, table))
	}
	if mark := server.Roles["oss-cdn-refresh-cn-hangzhou-trigger"].Description; len(mark) > 1024 ||
		len(mark) < 1000 {
		t.Errorf("%d characters", len(mark))
	}
}
