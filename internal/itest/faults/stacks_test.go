//go:build wire

package faults_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

type middleware = func(http.Handler) http.Handler

// stack is a combination of the packages. Those with logging have records.
type stack struct {
	desc   string
	logs   bool
	custom bool // its deadline answers through an ErrorHandler
	build  func(*raw.Records, timeout.Config) middleware
}

// stacks are those with a deadline.
var stacks = []stack{
	{"timeout alone", false, false, func(_ *raw.Records, c timeout.Config) middleware {
		return timeout.New(c)
	}},
	{"logging, timeout", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), timeout.New(c))
	}},
	{"timeout, logging", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(timeout.New(c), logging.New(r.Config()))
	}},
	{"all", true, false, all},
	{"all, with ErrorHandler", true, true, func(r *raw.Records, c timeout.Config) middleware {
		c.ErrorHandler = late
		return all(r, c)
	}},
}

// whole is the stack that the documentation recommends.
var whole = stack{"all", true, false, all}

func all(r *raw.Records, c timeout.Config) middleware {
	return bulwark.Chain(logging.New(r.Config()), timeout.New(c), limits.New(limits.Config{MaxBodyBytes: 1 << 30, MaxInFlight: 100}), errs.Recover)
}

// errs answers in plain text, which is the same for each request.
var errs = errmap.New(errmap.Config{
	Rules: []errmap.Rule{errmap.Is(errTeapot, errmap.Problem{Status: http.StatusTeapot})},
	Render: func(w http.ResponseWriter, _ *http.Request, p errmap.Problem) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(p.Status)
		io.WriteString(w, "errmap: "+http.StatusText(p.Status))
	},
})

var (
	errTeapot  = errors.New("the handler is a teapot")
	errUnknown = errors.New("no rule knows this")
)

// late is an ErrorHandler.
func late(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	if e, ok := errors.AsType[*timeout.Error](err); ok {
		status = e.StatusCode()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, `{"error":"late"}`)
}

// lateAnswer is the answer at the deadline.
func (s *stack) lateAnswer(proto, method string, status int) raw.Answer {
	a := raw.Answer{Status: status, End: raw.Whole, Body: http.StatusText(status) + "\n", Header: http.Header{
		"Content-Type": {"text/plain; charset=utf-8"}, "X-Content-Type-Options": {"nosniff"},
	}}
	if s.custom {
		a.Body, a.Header = `{"error":"late"}`, http.Header{"Content-Type": {"application/json"}}
	}
	a.Header.Set("Content-Length", strconv.Itoa(len(a.Body)))
	if proto != "2" {
		a.Header.Set("Connection", "close")
	}
	if method == http.MethodHead {
		a.Body = ""
	}
	return a
}

// outside is middleware between the server and the stack.
type outside struct {
	desc string
	mw   middleware
	// touches: it passes on its own request, or its own writer, so that on HTTP/2 the
	// handler runs in place.
	touches bool
}

var outsides = []outside{
	{"nothing outside", func(h http.Handler) http.Handler { return h }, false},
	{"tracing outside", tracing, true},
}

type spanKey struct{}

// tracing is like tracing libraries: its request has another context, and its writer
// has Unwrap.
func tracing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&spanWriter{w}, r.WithContext(context.WithValue(r.Context(), spanKey{}, "span")))
	})
}

type spanWriter struct{ http.ResponseWriter }

func (w *spanWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *spanWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// each runs f for all protocols, stacks and outer middleware.
func each(t *testing.T, protos []string, stacks []stack, outsides []outside, f func(t *testing.T, proto string, s *stack, o *outside)) {
	t.Helper()
	for _, proto := range protos {
		for i := range stacks {
			for j := range outsides {
				s, o := &stacks[i], &outsides[j]
				name := "HTTP/" + proto + ", " + s.desc
				if len(outsides) > 1 {
					name += ", " + o.desc
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					f(t, proto, s, o)
				})
			}
		}
	}
}

// serve starts a server for h behind s and o.
func serve(t *testing.T, s *stack, o *outside, c timeout.Config, h http.Handler) (*raw.Server, *raw.Records) {
	t.Helper()
	records := raw.NewRecords()
	return raw.Start(t, &http.Server{Handler: o.mw(s.build(records, c)(h))}), records
}
