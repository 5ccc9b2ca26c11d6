package handler_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A query is one of Log Service, of the small part of its language that the
// dashboard, the alerts and the READMEs use: a search for values of message.msg,
// and SQL over the lines found. Anything else is an error, so that a query says
// nothing that is not tried.
type query struct {
	msgs    []string
	columns []column
	where   expression // nil: all
	group   []string   // names of columns
	order   []struct {
		name       string
		descending bool
	}
	limit int // 0: none

	extracts []*regexp.Regexp // of regexp_extract outside of WHERE
	likes    []*regexp.Regexp // of regexp_like
}

type column struct {
	name      string
	of        expression
	aggregate bool
}

// A logged line is a row of the log.
type logged struct {
	text   string // as far as SQL sees it
	time   time.Time
	fields map[string]any // of the JSON
}

// An expression gives an int64, a string, a bool or nil, which is SQL's NULL. An
// aggregate looks at all lines of a group, the others at the first.
type expression func(group []logged) any

// maxSeen is how much of a field SQL sees, by the index that setup makes.
const maxSeen = 16384

func readLines(log []byte) ([]logged, error) {
	var all []logged
	for text := range strings.Lines(string(log)) {
		l := logged{text: text[:min(len(text), maxSeen)]}
		if err := json.Unmarshal([]byte(text), &l.fields); err != nil {
			return nil, fmt.Errorf("%.200s: %w", text, err)
		}
		var err error
		if l.time, err = time.Parse(time.RFC3339Nano, l.fields["time"].(string)); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// found returns the lines that the search and WHERE leave.
func (q query) found(lines []logged) []logged {
	return slices.DeleteFunc(q.searched(lines), func(l logged) bool {
		return q.where != nil && q.where([]logged{l}) != true
	})
}

func (q query) searched(lines []logged) []logged {
	return slices.DeleteFunc(slices.Clone(lines), func(l logged) bool {
		return !slices.Contains(q.msgs, fmt.Sprint(l.fields["msg"]))
	})
}

// run returns the rows that the query finds.
func (q query) run(lines []logged) [][]any {
	var rows [][]any
	for _, group := range q.groups(q.found(lines)) {
		var row []any
		for _, c := range q.columns {
			row = append(row, c.of(group))
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b []any) int {
		for _, o := range q.order {
			i := q.column(o.name)
			n := compare(a[i], b[i])
			if o.descending {
				n = -n
			}
			if n != 0 {
				return n
			}
		}
		return 0
	})
	if q.limit > 0 {
		rows = rows[:min(len(rows), q.limit)]
	}
	return rows
}

func (q query) groups(lines []logged) [][]logged {
	aggregate := slices.ContainsFunc(q.columns, func(c column) bool { return c.aggregate })
	var keys []string
	groups := map[string][]logged{}
	for i, l := range lines {
		key := ""
		switch {
		case len(q.group) > 0:
			for _, name := range q.group {
				key += fmt.Sprintf("%v\x00", q.columns[q.column(name)].of([]logged{l}))
			}
		case !aggregate:
			key = strconv.Itoa(i)
		}
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], l)
	}
	if aggregate && len(q.group) == 0 && len(lines) == 0 {
		return [][]logged{nil} // a row about nothing
	}
	var all [][]logged
	for _, key := range keys {
		all = append(all, groups[key])
	}
	return all
}

// column returns the place of a name, -1 if there is none.
func (q query) column(name string) int {
	return slices.IndexFunc(q.columns, func(c column) bool { return c.name == name })
}

func compare(a, b any) int {
	if x, ok := a.(int64); ok {
		y, _ := b.(int64)
		return cmp.Compare(x, y)
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// A parser reads a query. It panics with an error, which parse returns.
type parser struct {
	words   []string
	q       *query
	inWhere bool
	grouped bool // the expression at hand has an aggregate
}

var word = regexp.MustCompile(`'(?:[^']|'')*'|[A-Za-z_][A-Za-z_0-9]*|[0-9]+|[-+*=<>(),]|\S`)

func parse(text string) (q query, err error) {
	defer func() {
		if fault, ok := recover().(parseError); ok {
			err = fmt.Errorf("%s: %s", text, fault)
		}
	}()
	search, sql, found := strings.Cut(text, "|")
	if !found {
		return q, fmt.Errorf("%s: there is no SQL", text)
	}
	for _, term := range strings.Split(strings.TrimSpace(search), " or ") {
		msg, ok := strings.CutPrefix(term, "message.msg: ")
		if !ok || strings.ContainsAny(msg, " *") {
			return q, fmt.Errorf("%q does not search for one message.msg", term)
		}
		q.msgs = append(q.msgs, msg)
	}
	p := &parser{words: word.FindAllString(sql, -1), q: &q}
	p.statement()
	return q, nil
}

type parseError string

func fail(format string, args ...any) { panic(parseError(fmt.Sprintf(format, args...))) }

func (p *parser) peek() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

// take takes a word if it is the next one.
func (p *parser) take(word string) bool {
	if !strings.EqualFold(p.peek(), word) || word == "" {
		return false
	}
	p.words = p.words[1:]
	return true
}

func (p *parser) need(words ...string) {
	for _, word := range words {
		if !p.take(word) {
			fail("%q is not %s", p.peek(), word)
		}
	}
}

func (p *parser) next() string {
	word := p.peek()
	if word == "" {
		fail("it ends too early")
	}
	p.words = p.words[1:]
	return word
}

func (p *parser) statement() {
	p.need("SELECT")
	for {
		p.grouped = false
		of := p.or()
		p.need("AS")
		p.q.columns = append(p.q.columns, column{p.next(), of, p.grouped})
		if !p.take(",") {
			break
		}
	}
	if p.take("FROM") {
		p.need("log")
	}
	if p.take("WHERE") {
		p.inWhere = true
		p.q.where = p.or()
	}
	if p.take("GROUP") {
		p.need("BY")
		for ok := true; ok; ok = p.take(",") {
			p.q.group = append(p.q.group, p.known())
		}
	}
	for _, c := range p.q.columns {
		if len(p.q.group) > 0 && !c.aggregate && !slices.Contains(p.q.group, c.name) {
			fail("%s is neither grouped by nor an aggregate", c.name)
		}
	}
	if p.take("ORDER") {
		p.need("BY")
		for ok := true; ok; ok = p.take(",") {
			p.q.order = append(p.q.order, struct {
				name       string
				descending bool
			}{p.known(), p.take("DESC")})
		}
	}
	if p.take("LIMIT") {
		p.q.limit = int(p.number())
	}
	if p.peek() != "" {
		fail("%q is too much", p.peek())
	}
}

// known is the name of a column.
func (p *parser) known() string {
	name := p.next()
	if p.q.column(name) < 0 {
		fail("there is no column %s", name)
	}
	return name
}

func (p *parser) or() expression {
	left := p.and()
	for p.take("OR") {
		a, b := left, p.and()
		left = func(g []logged) any { return a(g) == true || b(g) == true }
	}
	return left
}

func (p *parser) and() expression {
	left := p.not()
	for p.take("AND") {
		a, b := left, p.not()
		left = func(g []logged) any { return a(g) == true && b(g) == true }
	}
	return left
}

func (p *parser) not() expression {
	if p.take("NOT") {
		of := p.not()
		return func(g []logged) any { return of(g) == false }
	}
	left := p.sum()
	for _, sign := range []string{"=", ">", "<"} {
		if p.take(sign) {
			right := p.sum()
			return func(g []logged) any { return compares(sign, left(g), right(g)) }
		}
	}
	return left
}

func compares(sign string, a, b any) any {
	if a == nil || b == nil {
		return nil
	}
	switch n := compare(a, b); sign {
	case "=":
		return n == 0
	case ">":
		return n > 0
	default:
		return n < 0
	}
}

func (p *parser) sum() expression {
	left := p.primary()
	for p.peek() == "+" || p.peek() == "-" {
		sign, a := int64(1), left
		if p.next() == "-" {
			sign = -1
		}
		b := p.primary()
		left = func(g []logged) any {
			x, ok := a(g).(int64)
			y, too := b(g).(int64)
			if !ok || !too {
				return nil
			}
			return x + sign*y
		}
	}
	return left
}

func (p *parser) number() int64 {
	n, err := strconv.ParseInt(p.next(), 10, 64)
	if err != nil {
		fail("%v", err)
	}
	return n
}

func (p *parser) text() string {
	word := p.next()
	if !strings.HasPrefix(word, "'") {
		fail("%s is not a text", word)
	}
	return strings.ReplaceAll(word[1:len(word)-1], "''", "'")
}

func (p *parser) primary() expression {
	switch first := p.peek(); {
	case strings.HasPrefix(first, "'"):
		text := p.text()
		return func([]logged) any { return text }
	case first != "" && first[0] >= '0' && first[0] <= '9':
		n := p.number()
		return func([]logged) any { return n }
	case p.take("("):
		of := p.or()
		p.need(")")
		return of
	case p.take("__time__"):
		return func(g []logged) any { return g[0].time.Unix() }
	}
	name := strings.ToLower(p.next())
	p.need("(")
	of := p.call(name)
	p.need(")")
	return of
}

// call reads the arguments of a function.
func (p *parser) call(name string) expression {
	switch name {
	case "cast":
		of := p.or()
		p.need("AS", "bigint")
		return func(g []logged) any {
			text, ok := of(g).(string)
			if !ok {
				return nil
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				panic(err) // SQL would stop too
			}
			return n
		}
	case "regexp_extract":
		p.need("message", ",")
		pattern := p.pattern()
		p.need(",", "1")
		if pattern.NumSubexp() != 1 {
			fail("%s does not have one group", pattern)
		}
		if !p.inWhere {
			p.q.extracts = append(p.q.extracts, pattern)
		}
		return func(g []logged) any {
			if m := pattern.FindStringSubmatch(g[0].text); m != nil {
				return m[1]
			}
			return nil
		}
	case "regexp_like":
		p.need("message", ",")
		pattern := p.pattern()
		p.q.likes = append(p.q.likes, pattern)
		return func(g []logged) any { return pattern.MatchString(g[0].text) }
	case "date_trunc":
		p.need("'day'", ",", "__time__")
		return func(g []logged) any { return g[0].time.UTC().Format(time.DateOnly) }
	case "if":
		condition := p.or()
		p.need(",")
		yes := p.or()
		p.need(",")
		no := p.or()
		return func(g []logged) any {
			if condition(g) == true {
				return yes(g)
			}
			return no(g)
		}
	}
	return p.aggregate(name)
}

func (p *parser) pattern() *regexp.Regexp {
	pattern, err := regexp.Compile(p.text())
	if err != nil {
		fail("%v", err)
	}
	return pattern
}

func (p *parser) aggregate(name string) expression {
	if p.inWhere {
		fail("%s in WHERE", name)
	}
	if name == "count" {
		p.need("*")
		p.grouped = true
		return func(g []logged) any { return int64(len(g)) }
	}
	steps := map[string]func(sum, n int64) int64{
		"sum":      func(sum, n int64) int64 { return sum + n },
		"max":      func(most, n int64) int64 { return max(most, n) },
		"min":      func(least, n int64) int64 { return min(least, n) },
		"count_if": func(sum, n int64) int64 { return sum + n },
	}
	step := steps[name]
	if step == nil {
		fail("the function %s is not known", name)
	}
	of := p.or()
	p.grouped = true
	return func(g []logged) any {
		var result any
		if name == "count_if" {
			result = int64(0)
		}
		for _, l := range g {
			n, ok := of([]logged{l}).(int64)
			if name == "count_if" {
				n, ok = 1, of([]logged{l}) == true
			}
			switch {
			case !ok:
			case result == nil:
				result = n
			default:
				result = step(result.(int64), n)
			}
		}
		return result
	}
}
