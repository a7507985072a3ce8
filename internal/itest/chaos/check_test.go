package chaos_test

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// check returns the faults of a.
func (a *act) check() []string {
	if a.reached.Load() > 0 {
		a.await(a.logged, "a log record")
		a.await(a.returned, "the stack's return")
		if closed(a.entered) {
			a.await(a.ended, "the handler's end")
		}
		if kept := a.keeps(); kept != nil {
			a.await(kept, "the end of what is kept")
		}
		if a.owesNote() {
			a.await(a.noted, "the note that the handler ended late")
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.framing()
	switch reached := a.reached.Load(); {
	case reached > 1:
		a.wrongf("it reached the stack %d times", reached)
	case reached == 1 && a.unseen:
		a.wrongf("it must not reach the stack")
	case reached == 1:
		a.inRecord()
	case len(a.lines)+len(a.notes) > 0:
		a.wrongf("it did not reach the stack and has log records")
	case !a.unseen && !a.uncertain:
		a.wrongf("it did not reach the stack")
	case a.unseen && !a.matches(line{}):
		a.wrongf("the client saw what is not allowed")
	}
	return a.faults
}

// wrongf is faultf with mu held.
func (a *act) wrongf(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

func (a *act) owesNote() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.lines) > 0 && a.lines[0].Abandoned
}

func (a *act) keeps() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept
}

// framing holds for every answer.
func (a *act) framing() {
	got := &a.answer
	if got.Status != 0 && got.Status != 101 && !a.unseen && !a.renamed && got.Field("X-Request-Id") != a.id {
		a.wrongf("the response has the id %q", got.Field("X-Request-Id"))
	}
	n, err := strconv.Atoi(got.Field("Content-Length"))
	if err == nil && got.End == whole && a.req.Method != "HEAD" && len(got.Body) != n && a.scenario.name != "short body" {
		a.wrongf("%d bytes in a whole body of %d", len(got.Body), n)
	}
}

// inRecord compares the log record with what the client saw, and with the model.
func (a *act) inRecord() {
	if len(a.lines) != 1 {
		a.wrongf("it has %d log records", len(a.lines))
		return
	}
	l, got := a.lines[0], &a.answer
	notes := 0
	if l.Abandoned {
		notes = 1
	}
	if len(a.notes) != notes {
		a.wrongf("%d notes that the handler ended late, want %d", len(a.notes), notes)
	} else if notes > 0 && a.lateEnd != "" && a.notes[0].Outcome != a.lateEnd {
		a.wrongf("the handler ended late with %s, the note says %s", a.lateEnd, a.notes[0].Outcome)
	}
	if want := l.level(); l.Level != want {
		a.wrongf("the log record has the level %s, want %s", l.Level, want)
	}
	a.identity(l)
	if (got.End == whole || got.End == reset) && got.Status != 101 && l.Out != len(got.Body) {
		a.wrongf("the client saw %d bytes, the log record says %d", len(got.Body), l.Out)
	}
	if l.Outcome == "refused" && closed(a.entered) && a.scenario.name != "gate" {
		a.wrongf("refused, and yet the handler ran")
	}
	if a.traffic != nil && got.End == whole && (traffic{l.In, l.Out} != *a.traffic) {
		a.wrongf("the log record says that %d bytes came and %d went, want %v", l.In, l.Out, *a.traffic)
	}
	if !a.matches(l) {
		a.wrongf("no such ending is allowed")
	}
}

// identity checks that the log record is that of this request.
func (a *act) identity(l line) {
	route := ""
	if !a.unrouted || a.entry.world.route {
		route = a.entry.world.Notation("/act/{id}")
	}
	if a.early && l.Route == "" {
		route = ""
	}
	path, _, _ := strings.Cut(a.req.Path, "?")
	type is struct{ method, path, route, proto string }
	want := is{a.req.Method, path, route, a.proto()}
	if got := (is{l.Method, l.Path, l.Route, l.Proto}); got != want {
		a.wrongf("the log record is of %v, want %v", got, want)
	}
	id := a.id
	if a.renamed {
		id = a.answer.Field("X-Request-Id") // "" if nothing came
	}
	if l.ID != id && id != "" {
		a.wrongf("the log record has the id %q", l.ID)
	}
	if closed(a.entered) && l.Mark != a.id && !l.Abandoned {
		a.wrongf("the log record has the attribute %q", l.Mark)
	}
	if l.Stray != "" && l.Stray != a.id {
		a.wrongf("the log record has another's attribute %q", l.Stray)
	}
}

func (a *act) proto() string {
	if a.scenario.http10 {
		return "1.0"
	}
	return a.entry.proto()
}

// matches reports whether the model allows what was seen. A request that did not reach
// the stack has no log record.
func (a *act) matches(l line) bool {
	for i := range a.allowed {
		if a.allowed[i].covers(&a.answer, l) {
			return true
		}
	}
	return false
}

func (v *verdict) covers(got *raw.Answer, l line) bool {
	logged := v.status
	if v.logged != 0 {
		logged = v.logged
	}
	if v.logged < 0 {
		logged = 0
	}
	intended := v.intended
	if l.Abandoned && v.outcome == "client_gone" && l.Intended == 0 {
		intended = 0 // on a busy machine the handler may not have written its response yet
	}
	switch {
	case got.End != v.end, l.Outcome != v.outcome, l.Intended != intended, l.Outcome != "" && l.Status != logged:
		return false
	case v.end == left: // the client may have seen less than was sent
		return (got.Status == 0 || got.Status == v.status) && v.begins(got.Body)
	case v.end == cut:
		return got.Status == v.status && v.begins(got.Body)
	default:
		return got.Status == v.status && got.Body == v.body
	}
}

// begins reports whether the allowed body begins with body.
func (v *verdict) begins(body string) bool {
	if v.rest == "" || len(body) <= len(v.body) {
		return strings.HasPrefix(v.body, body)
	}
	body, ok := strings.CutPrefix(body, v.body)
	for ok && len(body) > len(v.rest) {
		body, ok = strings.CutPrefix(body, v.rest)
	}
	return ok && strings.HasPrefix(v.rest, body)
}

// ending describes how the request ended.
func (a *act) ending() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := fmt.Sprintf("%d %s", a.answer.Status, a.answer.End)
	if len(a.lines) > 0 {
		text += fmt.Sprintf(" %d %s", a.lines[0].Status, a.lines[0].Outcome)
	}
	return text
}

// account describes everything that is known of a.
func (a *act) account() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	got := a.answer
	got.Body = shortened(got.Body)
	fmt.Fprintf(&b, "\tclient:  %+v\n", got)
	for _, l := range a.lines {
		fmt.Fprintf(&b, "\tline:    %s\n", l.raw)
	}
	for _, l := range a.notes {
		fmt.Fprintf(&b, "\tnote:    %s\n", l.raw)
	}
	fmt.Fprintf(&b, "\treached: %d, entered: %v\n", a.reached.Load(), closed(a.entered))
	for _, v := range a.allowed {
		v.body, v.rest = shortened(v.body), shortened(v.rest)
		fmt.Fprintf(&b, "\tallowed: %+v\n", v)
	}
	fmt.Fprintf(&b, "\t%v\n", a.entry)
	return b.String()
}

func shortened(body string) string {
	if len(body) > 60 {
		return fmt.Sprintf("%.60q… (%d bytes)", body, len(body))
	}
	return body
}
