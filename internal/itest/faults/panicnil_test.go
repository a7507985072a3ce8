//go:build wire

package faults_test

import (
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestPanicNil: a panic for which recover returns nil, as with GODEBUG=panicnil=1, is
// not a success.
func TestPanicNil(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	panicNil := func() { panic(nil) } //nolint:govet // it is what the test is about
	cases := []struct {
		desc   string
		stack  stack
		do     func(http.ResponseWriter)
		status int
		body   string
		end    raw.End
		line   line
	}{
		{"Recover", whole, func(http.ResponseWriter) { panicNil() }, 500, "errmap: Internal Server Error", raw.Whole, line{Status: 500, Outcome: "panic"}},
		{"Recover alone", stack{build: func(*raw.Records, timeout.Config) middleware { return errs.Recover }},
			func(http.ResponseWriter) { panicNil() }, 500, "errmap: Internal Server Error", raw.Whole, line{}},
		{"Recover, begun", whole, func(w http.ResponseWriter) {
			io.WriteString(w, "begun")
			http.NewResponseController(w).Flush()
			panicNil()
		}, 200, "begun", raw.Cut, line{Status: 200, Intended: 500, Outcome: "panic"}},
		{"logging alone", stack{logs: true, build: func(r *raw.Records, _ timeout.Config) middleware { return logging.New(r.Config()) }},
			func(http.ResponseWriter) { panicNil() }, 0, "", raw.None, line{}},
		{"logging and timeout, begun", stack{logs: true, build: func(r *raw.Records, c timeout.Config) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(c))
		}}, func(w http.ResponseWriter) {
			io.WriteString(w, "begun")
			http.NewResponseController(w).Flush()
			panicNil()
		}, 200, "begun", raw.Cut, line{Status: 200}},
		{"Goexit", whole, func(http.ResponseWriter) { runtime.Goexit() }, 0, "", raw.None, line{Outcome: "aborted"}},
	}
	for _, c := range cases {
		for _, proto := range every {
			for _, o := range outsides {
				t.Run(c.desc+", HTTP/"+proto+", "+o.desc, func(t *testing.T) {
					srv, records := serve(t, &c.stack, &o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { c.do(w) }))
					got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
					want := [3]any{c.status, c.body, c.end}
					if proto == "2" && c.end != raw.Whole {
						want[2] = raw.Reset
					}
					assert.Equal(t, want, [3]any{got.Status, got.Body, got.End})
					if c.stack.logs {
						l := lineOf(records.Next(t))
						if c.line.Outcome == "" { // without Recover it cannot be distinguished from Goexit for certain
							assert.Contains(t, []logging.Outcome{"panic", "aborted"}, l.Outcome)
							l.Outcome, l.Intended = "", 0
						}
						assert.Equal(t, c.line, l)
						alone(t, records)
					}
				})
			}
		}
	}
}
