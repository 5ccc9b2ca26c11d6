package deployment

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
)

// Notify says whom alerts tell. Its URL has a token: it is never shown.
type Notify struct {
	Kind string // dingtalk, feishu, wecom, webhook or mail
	To   string // a URL, or an address
}

// webhookTypes are Log Service's words for the kinds that are URLs (Data structure
// of alert resource data).
var webhookTypes = map[string]string{
	"dingtalk": "dingtalk", "feishu": "lark", "wecom": "wechat", "webhook": "custom",
}

// webhookHosts tell the kind of a URL that is given without one.
var webhookHosts = map[string]string{
	"oapi.dingtalk.com":   "dingtalk",
	"api.dingtalk.com":    "dingtalk",
	"open.feishu.cn":      "feishu",
	"open.larksuite.com":  "feishu",
	"qyapi.weixin.qq.com": "wecom",
}

const acceptedNotify = "accepted: dingtalk:URL, feishu:URL, wecom:URL, webhook:URL, " +
	"mail:ADDRESS, or the https URL of a robot of the first three alone"

// ParseNotify reads KIND:TO. Its errors do not show the URL.
func ParseNotify(text string) (Notify, error) {
	if strings.HasPrefix(text, "https://") {
		parsed, err := url.Parse(text)
		if err != nil {
			return Notify{}, errors.New("the URL cannot be read; " + acceptedNotify)
		}
		kind, known := webhookHosts[strings.ToLower(parsed.Hostname())]
		if !known {
			return Notify{}, fmt.Errorf("the host %q does not tell the kind; "+
				"put webhook: before the URL", parsed.Hostname())
		}
		return Notify{kind, text}, nil
	}
	kind, to, _ := strings.Cut(text, ":")
	switch {
	case kind == "mail":
		address, err := mail.ParseAddress(to)
		if err != nil || address.Address != to {
			return Notify{}, fmt.Errorf("%q is not a mail address, such as ops@example.com", to)
		}
	case webhookTypes[kind] == "":
		return Notify{}, errors.New("the kind is not known; " + acceptedNotify)
	default:
		parsed, err := url.Parse(to)
		if err != nil || parsed.Scheme != "https" || parsed.Host == "" {
			return Notify{}, fmt.Errorf("what follows %s: is not an https URL", kind)
		}
	}
	return Notify{kind, to}, nil
}

// The resources of Log Service that hold records on whom alerts tell.
const (
	webhooks = "sls.alert.action_webhook"
	users    = "sls.common.user"
	actions  = "sls.alert.action_policy"
)

// recordTag begins the name and tag of the records, and marks them. What they hold
// follows in short, by which they are known again.
const recordTag = "ossrefresh-"

// newRecord names a record's value, by the field that is its tag.
func newRecord(id, nameField string, value object) object {
	data, _ := json.Marshal(value)
	tag := recordTag + short(string(data))
	value[nameField] = tag
	data, _ = json.Marshal(value)
	return object{"id": id, "tag": tag, "value": string(data)}
}

// recipientID is the id of all records of a deployment. Records belong to the
// account, in all regions.
func (s Settings) recipientID() string { return s.Name + "-" + s.Region }

// recipient returns the recipient's record, and the resource that it belongs to.
func (n Notify) recipient(id string) (resource string, record object) {
	if n.Kind == "mail" {
		return users, newRecord(id, "user_name", object{
			"user_id": id, "email": []string{n.To}, "phone": "", "country_code": "86",
			"enabled": true, "sms_enabled": false, "voice_enabled": false,
		})
	}
	headers := []object{}
	if n.Kind == "webhook" {
		headers = append(headers, object{"key": "Content-Type", "value": "application/json"})
	}
	return webhooks, newRecord(id, "name", object{
		"id": id, "type": webhookTypes[n.Kind], "url": n.To,
		"method": "POST", "headers": headers,
	})
}

// action is the record that sends alerts to the recipient.
func (n Notify) action(id string) object {
	to := fmt.Sprintf(`type="webhook_integration", integration_type=%q, webhook_id=%q`,
		webhookTypes[n.Kind], id)
	if n.Kind == "mail" {
		to = fmt.Sprintf(`type="email", users=[%q]`, id)
	}
	script := "fire(" + to + `, template_id="sls.builtin.cn", period="any")`
	return newRecord(id, "action_policy_name", object{
		"action_policy_id": id, "labels": object{}, "is_default": false,
		"primary_policy_script": script, "secondary_policy_script": script,
		"escalation_start_enabled": false, "escalation_start_timeout": "10m",
		"escalation_inprogress_enabled": false, "escalation_inprogress_timeout": "30m",
		"escalation_enabled": false, "escalation_timeout": "1h",
	})
}

// records is a call on the account's records of a resource. It goes to the region
// that holds them for all.
func records(op, method, resource, rest string, body any, done ...string) Call {
	return Call{
		Service: LogService, Op: op, Method: method,
		Path: "/resources/" + resource + "/records" + rest, Body: body, Done: done,
	}
}

// recipient reads the records on whom the alerts tell.
func (r *reader) recipient() {
	id := r.settings.recipientID()
	r.found.Records = map[string]string{}
	for _, resource := range []string{webhooks, users, actions} {
		a, ok := r.ask(records("GetResourceRecord", "GET", resource, "/"+id, nil))
		if !ok {
			continue
		}
		if inner := a.object("record"); inner != nil {
			a = inner
		}
		r.found.Records[resource] = a.text("tag")
	}
}

// notify plans the records, and returns the id of the action that the alerts
// take. Without a recipient in the settings, the one that there is stays.
func (p *planner) notify() (action string) {
	id := p.recipientID()
	if p.Notify == (Notify{}) {
		if _, there := p.found.Records[actions]; there {
			p.add(Item{Kind: kindRecipient, Name: id, State: There})
			return id
		}
		return ""
	}
	resource, record := p.Notify.recipient(id)
	other := map[string]string{webhooks: users, users: webhooks}[resource]
	var calls []Call
	ours := true
	for _, wanted := range []struct {
		resource string
		record   object
	}{{resource, record}, {actions, p.Notify.action(id)}} {
		tag, there := p.found.Records[wanted.resource]
		ours = ours && (!there || strings.HasPrefix(tag, recordTag))
		switch {
		case !there:
			calls = append(calls, records("CreateResourceRecord", "POST", wanted.resource, "",
				wanted.record, "ResourceRecordAlreadyExist"))
		case tag != wanted.record["tag"]:
			calls = append(calls, records("UpdateResourceRecord", "PUT", wanted.resource, "/"+id,
				wanted.record))
		}
	}
	if old, there := p.found.Records[other]; there && strings.HasPrefix(old, recordTag) {
		calls = append(calls, dropRecord(other, id))
	}
	switch {
	case len(p.found.Records) == 0:
		p.create(kindRecipient, id, calls...)
	case len(calls) > 0:
		p.decide(kindRecipient, id, ours, []string{"is somebody else"}, calls)
	default:
		p.decide(kindRecipient, id, ours, nil, nil)
	}
	if !ours && !p.Adopt {
		return ""
	}
	return id
}

func dropRecord(resource, id string) Call {
	rest := "?ids=" + url.QueryEscape(id)
	return records("DeleteResourceRecord", "DELETE", resource, rest, nil, notThere...)
}

// removeRecipient plans to remove the records that carry the tag, the action
// before what it names.
func (p *planner) removeRecipient() {
	id := p.recipientID()
	var calls []Call
	for _, resource := range slices.Backward([]string{webhooks, users, actions}) {
		if strings.HasPrefix(p.found.Records[resource], recordTag) {
			calls = append(calls, dropRecord(resource, id))
		}
	}
	if len(calls) > 0 {
		p.add(Item{Kind: kindRecipient, Name: id, State: Remove, Calls: calls})
	}
}
