package probe

import (
	"fmt"
	"strings"
	"time"
)

// Markdown is the report of what was found as a document by itself.
func (r Report) Markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# What %s does", r.Domain)
	line("")
	line("Probed on %s, from %s to %s UTC, by ossrefresh %s: product %s, bucket %s, folder `%s`%s.",
		r.Began.Format(time.DateOnly), r.Began.Format(time.TimeOnly), r.Ended.Format(time.TimeOnly),
		r.Version, r.Product, r.Bucket, r.Folder, edgeWords(r.Edge))
	line("One node answered; others may do otherwise.")
	line("")
	line("| question | answer |")
	line("|---|---|")
	for _, a := range r.Answers {
		line("| %s | %s |", cell(a.Question), cell(a.Answer))
	}
	if len(r.Settings) > 0 {
		line("")
		line("## What to write into the table")
		line("")
		line("| setting | because |")
		line("|---|---|")
		for _, s := range r.Settings {
			line("| `%s` | %s |", s.Setting, cell(s.Because))
		}
	}
	for _, list := range []struct {
		title string
		texts []string
	}{{"Notes", r.Notes}, {"Objects that could not be removed", r.Left}} {
		if len(list.texts) == 0 {
			continue
		}
		line("")
		line("## %s", list.title)
		line("")
		for _, text := range list.texts {
			line("- %s", cell(text))
		}
	}
	line("")
	line("## What was seen")
	for _, a := range r.Answers {
		if len(a.Details) == 0 {
			continue
		}
		line("")
		line("**%s** It %s. That costs %s.", a.Question, a.Does, a.Cost)
		line("")
		line("| | asked, below the folder | outcome | |")
		line("|---|---|---|---|")
		for _, d := range a.Details {
			line("| %s | %s | %s | %s |", cell(d.Name), code(d.Path), d.Outcome, cell(d.Words()))
		}
	}
	return b.String()
}

func edgeWords(edge string) string {
	if edge == "" {
		return ""
	}
	return ", node " + edge
}

// Words are what else there is to say of a detail.
func (d Detail) Words() string {
	if d.Seconds > 0 {
		return fmt.Sprintf("after %v s", d.Seconds)
	}
	return d.Because
}

// cell is text as a table of Markdown may have it.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;", "[", `\[`, "`", "'").Replace(text)
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
}
