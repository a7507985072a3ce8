//go:build wire

package faults_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// cancellation is a way in which the context of a request ends although the client is
// still connected and reads.
type cancellation struct {
	desc   string
	protos []string
	ours   bool // the server's contexts ended
	half   bool // the client has closed its half
	setup  func(t *testing.T, srv *http.Server) (cancel func(raw.Client))
}

var (
	http1 = []string{"1.0", "1.1"}
	http2 = []string{"2"}
	every = raw.Protocols
)

var cancellations = []cancellation{
	{"BaseContext", every, true, false, func(_ *testing.T, srv *http.Server) func(raw.Client) {
		ctx, cancel := context.WithCancel(context.Background())
		srv.BaseContext = func(net.Listener) context.Context { return ctx }
		return func(raw.Client) { cancel() }
	}},
	{"BaseContext with a cause", every, true, false, func(_ *testing.T, srv *http.Server) func(raw.Client) {
		ctx, cancel := context.WithCancelCause(context.Background())
		srv.BaseContext = func(net.Listener) context.Context { return ctx }
		return func(raw.Client) { cancel(errUnknown) }
	}},
	{"ConnContext", every, true, false, func(_ *testing.T, srv *http.Server) func(raw.Client) {
		stop := make(chan struct{})
		srv.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			go func() { <-stop; cancel() }()
			return ctx
		}
		return func(raw.Client) { close(stop) }
	}},
	{"outer middleware", every, false, false, func(_ *testing.T, srv *http.Server) func(raw.Client) {
		stop, next := make(chan struct{}), srv.Handler
		srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			ended := context.AfterFunc(ctx, func() {})
			defer ended()
			go func() {
				select {
				case <-stop:
				case <-ctx.Done():
				}
				cancel()
			}()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
		return func(raw.Client) { close(stop) }
	}},
	{"the client's half", http1, false, true, func(t *testing.T, _ *http.Server) func(raw.Client) {
		return func(c raw.Client) { c.HalfClose(t) }
	}},
}

// ending is what a handler does after its context has ended, and the result.
type ending struct {
	desc   string
	do     func(w http.ResponseWriter, r *http.Request) error
	status int
	body   string
	line   line
	// canceled: the response to context.Canceled depends on what ended.
	canceled bool
}

var cancelEndings = []ending{
	{desc: "nothing", do: func(http.ResponseWriter, *http.Request) error { return nil },
		status: 200, line: line{Status: 200, Outcome: "ok"}},
	{desc: "a status", do: func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(404); return nil },
		status: 404, line: line{Status: 404, Outcome: "ok"}},
	{desc: "a 204", do: func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(204); return nil },
		status: 204, line: line{Status: 204, Outcome: "ok"}},
	{desc: "a body", do: func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "hello"); return err },
		status: 200, body: "hello", line: line{Status: 200, Outcome: "ok"}},
	{desc: "a flushed body", do: func(w http.ResponseWriter, _ *http.Request) error {
		if _, err := io.WriteString(w, "hel"); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		_, err := io.WriteString(w, "lo")
		return err
	}, status: 200, body: "hello", line: line{Status: 200, Outcome: "ok"}},
	{desc: "a mapped error", do: func(http.ResponseWriter, *http.Request) error { return errTeapot },
		status: 418, body: "errmap: I'm a teapot", line: line{Status: 418, Outcome: "ok"}},
	{desc: "an unknown error", do: func(http.ResponseWriter, *http.Request) error { return errUnknown },
		status: 500, body: "errmap: Internal Server Error", line: line{Status: 500, Outcome: "error"}},
	{desc: "a panic", do: func(http.ResponseWriter, *http.Request) error { panic("of the handler") },
		status: 500, body: "errmap: Internal Server Error", line: line{Status: 500, Outcome: "panic"}},
	{desc: "the context's error", do: func(_ http.ResponseWriter, r *http.Request) error { return r.Context().Err() },
		canceled: true},
}

// TestCanceledContextIsNotADisconnect: a context that ends does not prove that the
// client has disconnected, and a response that exists is sent.
//
// https://github.com/golang/go/issues/18527
// https://github.com/golang/go/issues/53487
// https://github.com/gofiber/fiber/issues/3431
func TestCanceledContextIsNotADisconnect(t *testing.T) {
	for _, c := range cancellations {
		for _, e := range cancelEndings {
			if e.canceled {
				switch { // after the half close the error may mean a disconnect
				case c.half:
					continue
				default: // the server's contexts and those of middleware outside look the same
					e.status, e.line = 503, line{Status: 503, Outcome: "error"}
				}
				e.body = "errmap: " + http.StatusText(e.status)
			}
			t.Run(c.desc+"/"+e.desc, func(t *testing.T) {
				t.Parallel()
				each(t, c.protos, canceledStacks, outsides[:1], func(t *testing.T, proto string, s *stack, _ *outside) {
					e.run(t, proto, s, &c)
				})
			})
		}
	}
}

var canceledStacks = []stack{
	whole,
	{"logging, Recover", true, false, func(r *raw.Records, _ timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), errs.Recover)
	}},
	{"limits, Recover", false, false, func(*raw.Records, timeout.Config) middleware {
		return bulwark.Chain(limits.New(limits.Config{MaxInFlight: 10}), errs.Recover)
	}},
	{"Recover alone", false, false, func(*raw.Records, timeout.Config) middleware { return errs.Recover }},
}

func (e *ending) run(t *testing.T, proto string, s *stack, c *cancellation) {
	records, entered := raw.NewRecords(), make(chan struct{})
	h := errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		close(entered)
		select {
		case <-r.Context().Done():
		case <-time.After(raw.Patience):
			t.Error("the context does not end")
		}
		return e.do(w, r)
	})
	srv := &http.Server{Handler: s.build(records, timeout.Config{Limit: time.Minute})(h)}
	cancel := c.setup(t, srv)
	client := raw.Dial(t, raw.Start(t, srv).Addr, proto)
	client.Send(t, &raw.Request{})
	await(t, entered, "the handler")
	cancel(client)
	got := client.Receive(t)
	assert.Equal(t, [3]any{e.status, e.body, raw.Whole}, [3]any{got.Status, got.Body, got.End})
	if !s.logs {
		return
	}
	l := lineOf(records.Next(t))
	if c.half && l.Outcome == "client_gone" {
		l = asSent(l)
		l.Outcome = e.line.Outcome
	}
	assert.Equal(t, e.line, l)
	alone(t, records)
}

// asSent returns l with the status that was sent. A half close looks like a disconnect
// until the client has the response, so the record has 499, and the status that was
// sent as the intended one.
func asSent(l line) line {
	if l.Status == 499 && l.Intended != 0 {
		l.Status, l.Intended = l.Intended, 0
	}
	return l
}

// TestDeadlineOfACanceledRequest: the deadline answers all the same.
func TestDeadlineOfACanceledRequest(t *testing.T) {
	for _, c := range cancellations {
		t.Run(c.desc, func(t *testing.T) {
			t.Parallel()
			each(t, c.protos, stacks, outsides[:1], func(t *testing.T, proto string, s *stack, _ *outside) {
				records, entered, release := raw.NewRecords(), make(chan struct{}), make(latch)
				h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-release })
				srv := &http.Server{Handler: s.build(records, timeout.Config{Limit: limit})(h)}
				cancel := c.setup(t, srv)
				client := raw.Dial(t, raw.Start(t, srv).Addr, proto)
				t.Cleanup(release.open)
				client.Send(t, &raw.Request{})
				await(t, entered, "the handler")
				cancel(client)
				got := client.Receive(t)
				if c.touches() && got.Status != 0 && got.Code == raw.CodeInternal {
					got.End, got.Code = raw.Whole, 0 // in place, the stream is reset after the answer
				}
				assert.Equal(t, s.lateAnswer(proto, "GET", 504), got.Stable())
				if s.logs {
					l := lineOf(records.Next(t))
					if c.half && l.Outcome == "client_gone" {
						l = asSent(l)
						l.Outcome = "deadline"
					}
					assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, l)
					alone(t, records)
				}
			})
		})
	}
}

func (c *cancellation) touches() bool { return c.desc == "outer middleware" }

// TestQueuedRequestOfACanceledContext: a request that cannot wait any longer is
// refused, and gets the response.
func TestQueuedRequestOfACanceledContext(t *testing.T) {
	queue := stack{desc: "logging, limits", build: func(r *raw.Records, _ timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: time.Minute}))
	}}
	for _, c := range cancellations {
		if c.half {
			continue // it may be a disconnect
		}
		t.Run(c.desc, func(t *testing.T) {
			t.Parallel()
			each(t, c.protos, []stack{queue}, outsides[:1], func(t *testing.T, proto string, s *stack, _ *outside) {
				records, entered, release := raw.NewRecords(), make(chan struct{}, 1), make(latch)
				h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-release })
				inner := s.build(records, timeout.Config{})(h)
				arrived := make(chan struct{}, 2)
				srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					arrived <- struct{}{}
					inner.ServeHTTP(w, r)
				})}
				cancel := c.setup(t, srv)
				addr := raw.Start(t, srv).Addr
				t.Cleanup(release.open)
				first := raw.Dial(t, addr, proto)
				first.Send(t, &raw.Request{})
				await(t, entered, "the first handler")
				<-arrived
				second := raw.Dial(t, addr, proto)
				second.Send(t, &raw.Request{})
				await(t, arrived, "the second request")
				cancel(second)
				got := second.Receive(t)
				assert.Equal(t, [3]any{503, "Service Unavailable\n", raw.Whole}, [3]any{got.Status, got.Body, got.End})
				assert.NotEmpty(t, got.Field("Retry-After"))
				assert.Equal(t, line{Status: 503, Outcome: "refused"}, lineOf(records.Next(t)))
			})
		})
	}
}
