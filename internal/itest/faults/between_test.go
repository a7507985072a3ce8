//go:build wire

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// betweens pass on a writer that has no Unwrap.
var betweens = []struct {
	desc     string
	mw       middleware
	recorder bool // it sends what was written when the handler has returned
}{
	{"a plain wrapper", opaque, false},
	{"a body log", func(next http.Handler) http.Handler { // as Gin's documentation has it
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&bodyLog{ResponseWriter: w}, r)
		})
	}, false},
	{"a status recorder", func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&statusLog{ResponseWriter: w}, r)
		})
	}, false},
	{"a wrapper and another request", func(next http.Handler) http.Handler {
		return opaque(valued(next))
	}, false},
	{"a recorder", func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			w.Write(rec.Body.Bytes())
		})
	}, true},
}

type bodyLog struct {
	http.ResponseWriter

	body bytes.Buffer
}

func (w *bodyLog) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

type statusLog struct {
	http.ResponseWriter

	status int
}

func (w *statusLog) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// opaque passes on a writer without Unwrap and Flush.
func opaque(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	})
}

// betweenEnding is what a handler does behind such a writer, and the result.
type betweenEnding struct {
	desc   string
	do     func(w http.ResponseWriter, r *http.Request) error
	status int
	body   string
	cut    bool // visibly: the body is at most a part
	line   line
	cause  error
}

var betweenEndings = []betweenEnding{
	{desc: "an answer", do: func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "hello"); return err },
		status: 200, body: "hello", line: line{Status: 200, Outcome: "ok"}},
	{desc: "an error", do: func(http.ResponseWriter, *http.Request) error { return errUnknown },
		status: 500, body: "errmap: Internal Server Error", line: line{Status: 500, Outcome: "error"}, cause: errUnknown},
	{desc: "a mapped error", do: func(http.ResponseWriter, *http.Request) error { return errTeapot },
		status: 418, body: "errmap: I'm a teapot", line: line{Status: 418, Outcome: "ok"}, cause: errTeapot},
	{desc: "a late error", do: func(w http.ResponseWriter, _ *http.Request) error { io.WriteString(w, "hello"); return errUnknown },
		status: 200, body: "hello", cut: true, line: line{Status: 200, Intended: 500, Outcome: "error"}, cause: errUnknown},
	{desc: "a late error after a status", do: func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(201); return errTeapot },
		status: 201, cut: true, line: line{Status: 201, Intended: 418, Outcome: "error"}, cause: errTeapot},
	{desc: "a late panic", do: func(w http.ResponseWriter, _ *http.Request) error { io.WriteString(w, "hello"); panic("late") },
		status: 200, body: "hello", cut: true, line: line{Status: 200, Intended: 500, Outcome: "panic"}},
	{desc: "a panic", do: func(http.ResponseWriter, *http.Request) error { panic("early") },
		status: 500, body: "errmap: Internal Server Error", line: line{Status: 500, Outcome: "panic"}},
	{desc: "an error behind its own answer", do: func(w http.ResponseWriter, _ *http.Request) error {
		http.Error(w, "conflict", 409)
		return errUnknown
	}, status: 409, body: "conflict\n", line: line{Status: 409, Outcome: "ok"}, cause: errUnknown},
	{desc: "two Writes of errors", do: func(w http.ResponseWriter, r *http.Request) error {
		errs.Write(w, r, errTeapot)
		errs.Write(w, r, errUnknown)
		return nil
	}, status: 418, body: "errmap: I'm a teapot", line: line{Status: 418, Outcome: "ok"}, cause: errTeapot},
	{desc: "Note", do: func(w http.ResponseWriter, r *http.Request) error {
		errs.Note(r, errUnknown)
		w.WriteHeader(409)
		return nil
	}, status: 409, line: line{Status: 409, Outcome: "ok"}, cause: errUnknown},
}

// TestNotesPassAnyWriter: the result of the handler's error mapping is the same on the
// wire and in the record behind a writer without Unwrap.
//
// https://github.com/samber/slog-echo/pull/107
// https://github.com/elastic/apm-agent-go/pull/1707
func TestNotesPassAnyWriter(t *testing.T) {
	layouts := []struct {
		desc  string
		build func(r *raw.Records, between middleware) middleware
	}{
		{"outside of Recover", func(r *raw.Records, between middleware) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: time.Minute}), between, errs.Recover)
		}},
		{"inside of Recover", func(r *raw.Records, between middleware) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(timeout.Config{Limit: time.Minute}), errs.Recover, between)
		}},
		{"below logging alone", func(r *raw.Records, between middleware) middleware {
			return bulwark.Chain(logging.New(r.Config()), between, errs.Recover)
		}},
		{"two of them", func(r *raw.Records, between middleware) middleware {
			return bulwark.Chain(logging.New(r.Config()), between, errs.Recover, between, limits.New(limits.Config{MaxBodyBytes: 1000}))
		}},
	}
	for _, b := range betweens {
		for _, e := range betweenEndings {
			for _, l := range layouts {
				t.Run(b.desc+"/"+e.desc+"/"+l.desc, func(t *testing.T) {
					t.Parallel()
					if b.recorder && e.cut && e.line.Outcome == "panic" && l.desc != "outside of Recover" && l.desc != "below logging alone" {
						t.Skip("the panic takes what was recorded with it: nothing has begun")
					}
					each(t, every, []stack{{l.desc, true, false, nil}}, outsides[:1], func(t *testing.T, proto string, _ *stack, _ *outside) {
						e.run(t, proto, b.recorder, func(r *raw.Records) middleware { return l.build(r, b.mw) })
					})
				})
			}
		}
	}
}

func (e *betweenEnding) run(t *testing.T, proto string, recorder bool, build func(*raw.Records) middleware) {
	records, ids := raw.NewRecords(), make(chan string, 1)
	h := errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		ids <- logging.RequestID(r.Context())
		logging.Add(r.Context(), slog.String("between", "seen"))
		return e.do(w, r)
	})
	srv := raw.Start(t, &http.Server{Handler: build(records)(h)})
	got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
	r := records.Next(t)
	assert.NotEmpty(t, r.RequestID)
	assert.Equal(t, r.RequestID, <-ids)
	if e.cause != nil {
		assert.ErrorIs(t, r.Cause, e.cause)
	}
	l := lineOf(r)
	if !e.cut {
		assert.Equal(t, [3]any{e.status, e.body, raw.Whole}, [3]any{got.Status, got.Body, got.End})
		assert.Equal(t, e.line, l)
		alone(t, records)
		return
	}
	assert.NotEqual(t, raw.Whole, got.End, "%+v", got)
	assert.Contains(t, []string{"", e.body}, got.Body)
	want := e.line
	if got.Status == 0 { // nothing had been sent yet
		want.Status = 0
		if want.Intended == 0 || recorder || l.Intended == e.status {
			want.Intended = l.Intended
		}
	}
	assert.Equal(t, want, l)
	alone(t, records)
}

// TestRefusalBehindAnyWriter: the same for refusals and deadlines of inner packages.
func TestRefusalBehindAnyWriter(t *testing.T) {
	cases := []struct {
		desc  string
		inner middleware
		req   raw.Request
		body  string
		line  line
		cause func(error) bool
	}{
		{"limits", limits.New(limits.Config{MaxBodyBytes: 1}), raw.Request{Method: "POST", Body: "12345"}, "Request Entity Too Large\n", line{Status: 413, Outcome: "refused"},
			func(err error) bool { _, ok := errors.AsType[*http.MaxBytesError](err); return ok }},
		{"limits with ErrorHandler", limits.New(limits.Config{MaxBodyBytes: 1, ErrorHandler: errs.Write}), raw.Request{Method: "POST", Body: "12345"},
			"errmap: Request Entity Too Large", line{Status: 413, Outcome: "refused"},
			func(err error) bool { _, ok := errors.AsType[*http.MaxBytesError](err); return ok }},
		{"timeout, followed", timeout.New(timeout.Config{Limit: limit}), raw.Request{}, "Gateway Timeout\n", line{Status: 504, Outcome: "deadline"},
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		{"Recover", errmap.New(errmap.Config{Render: errmap.ErrorJSON}).Recover, raw.Request{Path: "/panic"}, `{"error":"internal"}`, line{Status: 500, Outcome: "panic"},
			func(error) bool { return true }},
	}
	for _, b := range betweens {
		for _, c := range cases {
			t.Run(b.desc+"/"+c.desc, func(t *testing.T) {
				t.Parallel()
				each(t, every, []stack{{c.desc, true, false, nil}}, outsides[:1], func(t *testing.T, proto string, _ *stack, _ *outside) {
					records := raw.NewRecords()
					h := c.inner(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/panic" {
							panic("of the handler")
						}
						<-r.Context().Done()
					}))
					srv := raw.Start(t, &http.Server{Handler: logging.New(records.Config())(b.mw(h))})
					got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &c.req)
					assert.Equal(t, [3]any{c.line.Status, c.body, raw.Whole}, [3]any{got.Status, got.Body, got.End})
					r := records.Next(t)
					l := lineOf(r)
					l.Abandoned = false
					assert.Equal(t, c.line, l)
					assert.True(t, c.cause(r.Cause), "the cause is %v", r.Cause)
					alone(t, records)
				})
			})
		}
	}
}
