package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
	"oss-cdn-refresh/handler/deployment/deploymenttest"
)

// cloudKey leads to a script's account in the cloud.
type cloudKey struct{}

// startCloud is the script command "cloud [permanent] [refuse=OPERATION:CODE] [queue=NAME]
// [role=NAME:SERVICE]…": it starts an account that has nothing, or such a queue and
// roles, and that ossrefresh finds in the environment, with a token or with a permanent
// key. An operation is refused until the command is given again.
func startCloud(ts *testscript.TestScript, _ bool, args []string) {
	refused, code, credential := "", "", aliyuntest.TestCredential
	cloud, again := ts.Value(cloudKey{}).(*deploymenttest.Server)
	if !again {
		ts.Fatalf("the script has no cloud")
	}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "permanent":
			credential.SecurityToken = ""
		case "refuse":
			refused, code, _ = strings.Cut(value, ":")
		case "queue":
			cloud.Queues = map[string]*deploymenttest.Queue{value: {Retention: 345600}}
		case "role":
			name, service, _ := strings.Cut(value, ":")
			if cloud.Roles == nil {
				cloud.Roles = map[string]*deploymenttest.Role{}
			}
			cloud.Roles[name] = roleOf(service)
		default:
			ts.Fatalf("usage: cloud [permanent] [refuse=OPERATION:CODE] [queue=NAME] [role=NAME:SERVICE]…")
		}
	}
	cloud.Between(func() {
		cloud.Fault = func(c deploymenttest.Call) deploymenttest.Fault {
			if c.Op == refused {
				return deploymenttest.Fault{Code: code}
			}
			return deploymenttest.Fault{}
		}
	})
	if cloud.URL == "" {
		cloud.Credential = credential
		ts.Check(cloud.Start())
		ts.Defer(cloud.Close)
	}
	ts.Setenv("CLOUD_ENDPOINT", cloud.URL)
	ts.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", credential.AccessKeyID)
	ts.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", credential.AccessKeySecret)
	ts.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", credential.SecurityToken)
}

// roleOf returns a role that a service may assume, as people make it by hand.
func roleOf(service string) *deploymenttest.Role {
	return &deploymenttest.Role{Trust: fmt.Sprintf(`{"Version": "1", "Statement": [{
		"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": [%q]}}]}`,
		service)}
}

// holds is the script command that prints what the account has, or "holds QUEUE N",
// which puts messages into a queue, or "holds QUEUE FILE…", which makes it of such
// letters.
func holds(ts *testscript.TestScript, _ bool, args []string) {
	cloud := ts.Value(cloudKey{}).(*deploymenttest.Server)
	var all []string
	cloud.Between(func() {
		if len(args) > 1 {
			fill(ts, cloud, args[0], args[1:])
			return
		}
		all = inventory(cloud)
	})
	if len(args) == 0 {
		fmt.Fprintln(ts.Stdout(), cmp.Or(strings.Join(all, "\n"), "nothing"))
	}
}

func fill(ts *testscript.TestScript, cloud *deploymenttest.Server, queue string, with []string) {
	if n, err := strconv.Atoi(with[0]); err == nil {
		cloud.Queues[queue].Messages = n
		return
	}
	q := &deploymenttest.Queue{}
	for _, file := range with {
		q.Letters = append(q.Letters, strings.TrimSpace(ts.ReadFile(file)))
	}
	cloud.Queues[queue] = q
}

func inventory(cloud *deploymenttest.Server) []string {
	var all []string
	add := func(kind string, names []string) {
		for _, name := range names {
			all = append(all, kind+" "+name)
		}
	}
	add("project", slices.Sorted(maps.Keys(cloud.Projects)))
	add("queue", slices.Sorted(maps.Keys(cloud.Queues)))
	add("rule", slices.Sorted(maps.Keys(cloud.Rules)))
	add("role", slices.Sorted(maps.Keys(cloud.Roles)))
	add("policy", slices.Sorted(maps.Keys(cloud.Policies)))
	for name, queue := range cloud.Queues {
		for i, letter := range queue.Letters {
			if letter != "" {
				all = append(all, fmt.Sprintf("letter %d of %s", i+1, name))
			}
		}
	}
	slices.Sort(all)
	return all
}
