package deployment

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// A Service is one of the APIs that a deployment needs.
type Service string

// The services.
const (
	RAM              Service = "ram"
	STS              Service = "sts"
	ResourceManager  Service = "resourcemanager" // makes service-linked roles
	SMQ              Service = "mns-open"
	LogService       Service = "sls"
	versionRAM               = "2015-05-01"
	versionSTS               = "2015-04-01"
	versionResources         = "2020-03-31"
	versionSMQ               = "2022-01-19"
	versionLogs              = "2019-10-23"
)

// A Call is one request to an API, as data: it can be shown, compared, printed
// for somebody else to make, and sent.
type Call struct {
	Service Service
	Op      string            // the operation's name in the vendor's documentation
	Params  map[string]string // of an RPC operation

	// Log Service is called by path, on the project's own host, or on that of the
	// account's records where there is no project. One of its operations is RPC.
	Project, Method, Path string
	Body                  any // is sent as JSON

	// Done are the error codes that say that there is nothing left to do.
	Done []string
}

// orDone returns the call with the codes that say that it is done.
func (c Call) orDone(codes ...string) Call {
	c.Done = codes
	return c
}

// CLI returns the call as a command line of the vendor's tool, aliyun.
func (c Call) CLI() string {
	words := []string{"aliyun", string(c.Service), c.Op}
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		words = append(words, "--"+name, shellQuote(c.Params[name]))
	}
	return strings.Join(words, " ")
}

// shellQuote quotes a word for a POSIX shell.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) ||
			strings.ContainsRune("-_./:=,", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// An Error is what came of a call that was not done.
type Error struct {
	Service   Service
	Op        string
	Code      string
	Message   string
	RequestID string
	Status    int  // of HTTP; 0: no answer came
	again     bool // another try may help
}

func (e *Error) Error() string {
	code := cmp.Or(e.Code, fmt.Sprintf("HTTP %d", e.Status))
	text := fmt.Sprintf("%s %s: %s", e.Service, e.Op, code)
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// Retryable reports whether the same call may succeed later.
func (e *Error) Retryable() bool { return e.again }

// Refused reports whether the caller lacks a permission: Forbidden.RAM,
// NoPermission and the like ("Common error codes" of the OpenAPI gateway; of
// Log Service, Unauthorized).
func (e *Error) Refused() bool {
	for _, family := range []string{"Forbidden", "NoPermission", "Unauthorized", "AccessDenied"} {
		if hasPrefixFold(e.Code, family) {
			return true
		}
	}
	return false
}

// activation pages, by service.
var activation = map[Service]string{
	SMQ:        "https://mns.console.aliyun.com",
	LogService: "https://sls.console.aliyun.com",
	RAM:        "https://ram.console.aliyun.com",
}

// Activation returns the page on which to activate the service, where the
// error says that it is not active. No document lists all of these codes, so
// they are told by their wording.
func (e *Error) Activation() string {
	code := strings.ToLower(e.Code)
	for _, word := range []string{
		"notopen", "notactivated", "notenable", "unopened", "notsubscribed", "servicenotfound",
		"inactive",
	} {
		if strings.Contains(code, word) {
			return activation[e.Service]
		}
	}
	return ""
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
