// Package deployment knows what a deployment needs beside the function, what of
// it is there, and which calls bring about the rest:
//
//	found, err := deployment.Read(ctx, cloud, settings)
//	plan := deployment.NewPlan(settings, found)   // pure: data in, data out
//	err = plan.Apply(ctx, cloud)
//
// These are the roles with their policies, the queues, the log project with its
// store and index and, for bursts, the rules by which OSS notifies a queue. The
// function and its triggers are not: Serverless Devs deploys them from the file
// that WriteS makes.
//
// What is made carries a mark of its owner. What is there without it is foreign:
// it is shown, and left alone unless it is adopted.
package deployment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"oss-cdn-refresh/mapping"
)

// DefaultName is what the names of a deployment begin with.
const DefaultName = "oss-cdn-refresh"

// Settings say which deployment is meant.
type Settings struct {
	Name    string // what the names of its resources begin with
	Account string // its id, in digits
	Region  string // of function, buckets, queues and logs
	Table   *mapping.Table

	Burst bool // OSS notifies a queue, and a stream hands it on in batches

	// ARNs of roles that somebody else has made. With them, RAM is not touched.
	Role, TriggerRole string

	Notify Notify // whom alerts tell; the zero value: who is told already, or nobody

	Adopt bool // foreign resources become this deployment's

	// HoldRules leaves OSS's rules for another run: triggers may stand in their
	// way, which somebody else removes first.
	HoldRules bool

	// HoldWatch leaves the dashboard and the alerts for another run: what refreshes
	// does not wait for them.
	HoldWatch bool
}

// The lengths keep a log project's name within 63 characters (CreateProject,
// Log Service API reference), and its description within 64.
var (
	namePattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,22}[a-z0-9]$`)
	accountPattern = regexp.MustCompile(`^[0-9]{1,20}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]{2,8}(-[a-z0-9]+){1,3}$`)
	rolePattern    = regexp.MustCompile(`^acs:ram::[0-9]+:role/[A-Za-z0-9._-]{1,64}$`)
)

// Validate reports what of the settings could not be right. It lets nothing into
// a resource's name that would widen it.
func (s Settings) Validate() error {
	switch {
	case !namePattern.MatchString(s.Name):
		return fmt.Errorf("%q is not a valid name; accepted: 2 to 24 lower-case letters, digits "+
			"and hyphens, a letter first and no hyphen last", s.Name)
	case !accountPattern.MatchString(s.Account):
		return fmt.Errorf("%q is not a valid account id; accepted: digits", s.Account)
	case len(s.Region) > 20 || !regionPattern.MatchString(s.Region):
		return fmt.Errorf("%q is not a valid region; accepted: an id such as cn-hangzhou", s.Region)
	case (s.Role == "") != (s.TriggerRole == ""):
		return errors.New("one role is given and the other is not; " +
			"give the function's role and the trigger's role, or neither")
	}
	for _, role := range []string{s.Role, s.TriggerRole} {
		if role != "" && !rolePattern.MatchString(role) {
			return fmt.Errorf("%q is not a role's ARN; accepted: acs:ram::ACCOUNT:role/NAME", role)
		}
	}
	if n := len(s.mark().String()); n > maxDescription {
		return fmt.Errorf("the table names too many buckets for one deployment: "+
			"their mark has %d characters and a description takes %d", n, maxDescription)
	}
	return nil
}

// Names are what the resources of a deployment are called.
type Names struct {
	Function    string
	Role        string // of the function, and its policy
	TriggerRole string // of the trigger, and its policy
	Project     string // of logs: unique in a region over all accounts
	Store       string
	DeadLetters string // a queue
	Queue       string // the one that OSS notifies, for bursts
}

// Names returns the names of the resources.
func (s Settings) Names() Names {
	role := s.Name + "-" + s.Region
	return Names{
		Function: s.Name, Role: role, TriggerRole: role + "-trigger",
		Project: s.Name + "-" + s.Account + "-" + s.Region, Store: s.Name,
		DeadLetters: s.Name + "-dead-letters", Queue: s.Name,
	}
}

// RoleARNs returns the ARNs of the function's role and of the trigger's.
func (s Settings) RoleARNs() (role, trigger string) {
	if s.Role != "" {
		return s.Role, s.TriggerRole
	}
	n := s.Names()
	prefix := "acs:ram::" + s.Account + ":role/"
	return prefix + n.Role, prefix + n.TriggerRole
}

// Buckets returns the table's buckets, sorted.
func (s Settings) Buckets() []string {
	names := map[string]bool{}
	for _, r := range s.Table.Rules {
		names[r.Bucket] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// ruleName is the name of the rule by which OSS notifies the queue of a bucket's
// events. It may have 85 characters, which a long bucket's would exceed.
func (s Settings) ruleName(bucket string) string {
	name := s.Name + "-" + bucket
	if len(name) > 85 {
		name = fmt.Sprintf("%s-%s", s.Name, short(bucket))
	}
	return name
}

// short returns 8 characters that stand for a text.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%x", sum[:4])
}

// maxDescription is how long a role's or policy's description may be (CreateRole
// and CreatePolicy, RAM API reference).
const maxDescription = 1024

// A Mark says, in a resource's description, whose it is.
type Mark struct {
	Owner    string   // the deployment's name
	Buckets  []string // of the table that it was made for
	Triggers []string // that the function has had, the latest last
	Owns     []string // queues, which have no description of their own
}

const markBegins = "ossrefresh "

func (m Mark) String() string {
	text := markBegins + m.Owner
	for _, part := range []struct {
		name  string
		words []string
	}{{"buckets", m.Buckets}, {"triggers", m.Triggers}, {"owns", m.Owns}} {
		if len(part.words) > 0 {
			text += "; " + part.name + " " + strings.Join(part.words, ",")
		}
	}
	return text
}

// parseMark reads a description. It reports whether that is a mark.
func parseMark(text string) (Mark, bool) {
	rest, ok := strings.CutPrefix(text, markBegins)
	if !ok {
		return Mark{}, false
	}
	parts := strings.Split(rest, "; ")
	m := Mark{Owner: parts[0]}
	for _, part := range parts[1:] {
		name, words, _ := strings.Cut(part, " ")
		switch name {
		case "buckets":
			m.Buckets = strings.Split(words, ",")
		case "triggers":
			m.Triggers = strings.Split(words, ",")
		case "owns":
			m.Owns = strings.Split(words, ",")
		}
	}
	return m, true
}

// mark is the one that the roles and policies get.
func (s Settings) mark() Mark {
	return Mark{Owner: s.Name, Buckets: s.Buckets()}
}

// owns reports whether a description says that a resource is this deployment's.
func (s Settings) owns(description string) bool {
	m, ok := parseMark(description)
	return ok && m.Owner == s.Name
}
