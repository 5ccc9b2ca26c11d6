package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"

	"oss-cdn-refresh/handler/aliyun/aliyuntest"
)

type emulateCommand struct {
	Addr     string        `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to listen."`
	TaskTime time.Duration `default:"5m" help:"How long a task takes until it is complete."`
}

func (*emulateCommand) Help() string {
	return `The refresh APIs of DCDN, CDN and ESA on this machine, for any client: both signatures (RPC and ACS3-HMAC-SHA256), GET and POST, parameters in query and form. It checks signatures, limits and quotas as the documentation has them, refreshes nothing, and forgets all when it ends. Each call is a line; with --json, a line of JSON. Give a client this host as its endpoint, and http as its protocol. An operation that the real API has and this one has not is answered with NotEmulated.

Examples:

    ossrefresh emulate
    ossrefresh emulate --addr 127.0.0.1:9000 --task-time 10s`
}

// permanentKey is for clients that are given an access key without a token. It
// opens nothing else.
var permanentKey = aliyuntest.Credential{
	AccessKeyID: "test-access-key", AccessKeySecret: "test-access-key-secret",
}

// Run serves until it is interrupted.
func (cmd *emulateCommand) Run(ctx context.Context, c *console) error {
	if err := checkTimeout(cmd.TaskTime); err != nil {
		return misuse(fmt.Errorf("--task-time: %v is no time", cmd.TaskTime), "give one above zero, such as 30s")
	}
	server := &aliyuntest.Server{
		Addr: cmd.Addr, TaskTime: cmd.TaskTime,
		Credentials: []aliyuntest.Credential{permanentKey, aliyuntest.TestCredential},
		Answered:    func(call aliyuntest.Call) { c.showCall(call) },
	}
	if err := server.Start(); err != nil {
		return hint(err, "give another host and port with --addr")
	}
	defer server.Close()
	if err := c.showEmulation(server); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// An emulation is where the APIs are, and what they accept.
type emulation struct {
	URL         string                  `json:"url"`
	Credentials []aliyuntest.Credential `json:"credentials"`

	open bool // to other machines, on every interface
}

// reachable returns the URL of a server for clients on this machine, and whether it
// listens on every interface: such an address is none to send credentials to.
func reachable(url string) (local string, open bool) {
	host, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return url, false
	}
	return "http://" + net.JoinHostPort("127.0.0.1", port), true
}

// showEmulation prints what a client needs: with --json on one line, as the calls.
func (c *console) showEmulation(server *aliyuntest.Server) error {
	url, open := reachable(server.URL)
	doc := emulation{url, server.Credentials, open}
	if c.json {
		return json.NewEncoder(c.out).Encode(doc)
	}
	return c.show(doc)
}

func (e emulation) text(p *page) {
	temporary := aliyuntest.TestCredential
	p.title("DCDN, CDN and ESA at %s: nothing is refreshed", e.URL)
	if e.open {
		p.line("  every interface of this machine is open to it: other machines can call it too")
	}
	p.line("  export REFRESH_ENDPOINT=%s", e.URL)
	p.line("  export ALIBABA_CLOUD_ACCESS_KEY_ID=%s", permanentKey.AccessKeyID)
	p.line("  export ALIBABA_CLOUD_ACCESS_KEY_SECRET=%s", permanentKey.AccessKeySecret)
	p.line("or, with a token:")
	p.line("  export ALIBABA_CLOUD_ACCESS_KEY_ID='%s'", temporary.AccessKeyID)
	p.line("  export ALIBABA_CLOUD_ACCESS_KEY_SECRET='%s'", temporary.AccessKeySecret)
	p.line("  export ALIBABA_CLOUD_SECURITY_TOKEN='%s'", temporary.SecurityToken)
	p.title("CALLS")
}

// showCall prints a call as a line.
func (c *console) showCall(call aliyuntest.Call) {
	if c.json {
		line, _ := json.Marshal(call)
		fmt.Fprintf(c.out, "%s\n", line)
		return
	}
	text := fmt.Sprintf("  %s  %s  %s", call.Time.Format(time.TimeOnly), orDash(call.Product), orDash(call.Action))
	if call.Site != 0 {
		text += fmt.Sprintf("  site %d", call.Site)
	}
	if call.Type != "" {
		text += "  " + call.Type
	}
	if len(call.URLs) > 0 {
		text += "  " + plural(len(call.URLs), "URL")
	}
	text += fmt.Sprintf("  %d", call.Status)
	if call.Code != "" {
		text += "  " + call.Code
	}
	fmt.Fprintln(c.out, oneLine(text))
}
