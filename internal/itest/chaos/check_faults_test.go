package chaos_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
)

// TestCheck: faults of a broken stack are found.
func TestCheck(t *testing.T) {
	for desc, breaks := range map[string]func(a *act){
		"a status that was not sent":      func(a *act) { a.lines[0].Status = 201 },
		"a status that was not meant":     func(a *act) { a.lines[0].Status, a.answer.Status = 201, 201 },
		"another outcome":                 func(a *act) { a.lines[0].Outcome = "client_gone" },
		"another intention":               func(a *act) { a.lines[0].Intended = 500 },
		"no log record":                   func(a *act) { a.lines = nil },
		"two log records":                 func(a *act) { a.lines = append(a.lines, a.lines[0]) },
		"a log record of nothing":         func(a *act) { a.reached.Store(0) },
		"served twice":                    func(a *act) { a.reached.Store(2) },
		"served and not to be":            func(a *act) { a.unseen = true },
		"a note of nothing":               func(a *act) { a.notes = append(a.notes, line{}) },
		"no note":                         func(a *act) { a.lines[0].Abandoned = true; close(a.noted) },
		"another's id in the log record":  func(a *act) { a.lines[0].ID = "c1-2-3" },
		"another's id in the response":    func(a *act) { a.answer.Header.Set("X-Request-Id", "c1-2-3") },
		"another's attribute":             func(a *act) { a.lines[0].Mark = "c1-2-3" },
		"another's attribute, afterwards": func(a *act) { a.lines[0].Stray = "c1-2-3" },
		"another's path":                  func(a *act) { a.lines[0].Path = "/act/c1-2-3" },
		"another route":                   func(a *act) { a.lines[0].Route = "" },
		"another method":                  func(a *act) { a.lines[0].Method = "PUT" },
		"another protocol":                func(a *act) { a.lines[0].Proto = "2" },
		"another level":                   func(a *act) { a.lines[0].Level = "ERROR" },
		"another number of bytes in":      func(a *act) { a.traffic = &traffic{1, some} },
		"another late end": func(a *act) {
			a.lines[0].Abandoned, a.lateEnd, a.notes = true, "panic", []line{{Outcome: "ok"}}
			close(a.noted)
		},
		"another number of bytes":          func(a *act) { a.lines[0].Out-- },
		"another's bytes":                  func(a *act) { a.answer.Body = strings.ReplaceAll(a.answer.Body, "1-0-0", "1-0-1") },
		"a byte more":                      func(a *act) { a.answer.Body += "x"; a.lines[0].Out++ },
		"a byte less, and a clean end":     func(a *act) { a.answer.Body = a.answer.Body[1:]; a.lines[0].Out-- },
		"a broken end":                     func(a *act) { a.answer.End = cut },
		"a reset after the end":            func(a *act) { a.answer.End = reset },
		"no answer":                        func(a *act) { a.answer = raw.Answer{End: none} },
		"fewer bytes than declared":        func(a *act) { a.answer.Header.Set("Content-Length", "101") },
		"refused by the stack and handled": func(a *act) { a.lines[0].Outcome = "refused"; a.allowed[0].outcome = "refused" },
		"what the handler found":           func(a *act) { a.faultf("something") },
	} {
		t.Run(desc, func(t *testing.T) {
			a := ordinary()
			require.Empty(t, a.check())
			a = ordinary()
			breaks(a)
			assert.NotEmpty(t, a.check())
		})
	}
}

// TestCheckOfACut: the part of an aborted response that arrives is the request's own.
func TestCheckOfACut(t *testing.T) {
	broken := func() *act {
		a := ordinary()
		a.allowed = nil
		a.broken(a.text(some), "deadline", 0)
		a.allowed[0].rest = a.text(maxText)
		a.answer.End, a.lines[0].Outcome = cut, "deadline"
		a.lines[0].Level = "ERROR"
		return a
	}
	for _, n := range []int{0, 1, some} {
		a := broken()
		a.answer.Body = a.answer.Body[:n]
		assert.Empty(t, a.check(), n)
	}
	for _, n := range []int{0, 1, maxText, maxText + 1, 2*maxText + 10} {
		a := broken()
		a.answer.Body += strings.Repeat(a.text(maxText), 3)[:n]
		assert.Empty(t, a.check(), n)
		a.answer.Body += "x"
		assert.NotEmpty(t, a.check(), n)
	}
	a := broken()
	a.answer.End = whole
	assert.NotEmpty(t, a.check(), "it looks whole")
}

// ordinary returns an act that ended as it should.
func ordinary() *act {
	a := newAct(&entry{world: &world{place: places[0]}}, &scenario{name: "ordinary"}, "c1-0-0")
	a.ok(200, a.text(some))
	a.reached.Store(1)
	close(a.entered)
	close(a.ended)
	close(a.logged)
	close(a.returned)
	a.answer = raw.Answer{Status: 200, Header: http.Header{"X-Request-Id": {a.id}}, Body: a.text(some), End: whole}
	a.lines = []line{{
		Level:  "INFO",
		Method: "GET", Path: "/act/" + a.id, Route: "/act/{id}", Proto: "1.1",
		Status: 200, Outcome: "ok", Out: some, ID: a.id, Mark: a.id,
	}}
	return a
}
