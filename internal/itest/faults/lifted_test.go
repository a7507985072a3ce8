//go:build wire

package faults_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// lifting is a way in which a handler lifts its deadline.
type lifting struct {
	desc   string
	protos []string
	config timeout.Config
	inside middleware
	do     func(t *testing.T, w http.ResponseWriter, r *http.Request) (over func())
	want   line
}

func hijack(t *testing.T, w http.ResponseWriter, head string) (net.Conn, *bufio.ReadWriter) {
	t.Helper()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if !assert.NoError(t, err) {
		return nil, nil
	}
	_, err = io.WriteString(conn, head)
	assert.NoError(t, err)
	return conn, rw
}

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n"

var liftings = []lifting{
	{desc: "a hijack", protos: []string{"1.1"}, config: timeout.Config{Limit: limit},
		do: func(t *testing.T, w http.ResponseWriter, _ *http.Request) func() {
			conn, _ := hijack(t, w, switching)
			return func() { conn.Close() }
		}, want: line{Status: 101, Outcome: "upgraded"}},
	{desc: "a stream that has begun", protos: every, config: timeout.Config{Limit: limit, Stream: time.Minute},
		do: func(t *testing.T, w http.ResponseWriter, _ *http.Request) func() {
			io.WriteString(w, "begun")
			assert.NoError(t, http.NewResponseController(w).Flush())
			return func() {}
		}, want: line{Status: 200, Outcome: "ok"}},
	{desc: "Override(0)", protos: every, config: timeout.Config{Limit: limit}, inside: timeout.Override(0),
		do:   func(*testing.T, http.ResponseWriter, *http.Request) func() { return func() {} },
		want: line{Status: 200, Outcome: "ok"}},
	{desc: "Reset(0)", protos: every, config: timeout.Config{Limit: limit},
		do: func(t *testing.T, _ http.ResponseWriter, r *http.Request) func() {
			_, err := reset(r.Context(), 0)
			assert.NoError(t, err)
			return func() {}
		}, want: line{Status: 200, Outcome: "ok"}},
}

// TestLiftedDeadlineIsNotInTheContext: a deadline that was lifted is not in the context
// either, so that code that asks for it, such as net.Dialer and our own transport, does
// not refuse to start.
//
// https://github.com/ZaparooProject/zaparoo-core/issues/1430
func TestLiftedDeadlineIsNotInTheContext(t *testing.T) {
	upstream := raw.Start(t, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "upstream") })})
	for _, l := range liftings {
		if l.inside == nil {
			l.inside = func(h http.Handler) http.Handler { return h }
		}
		t.Run(l.desc, func(t *testing.T) {
			t.Parallel()
			each(t, l.protos, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				done := make(chan struct{})
				h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(done)
					began, _ := r.Context().Deadline()
					child, cancel := context.WithCancel(context.WithValue(r.Context(), spanKey{}, "child"))
					defer cancel()
					over := l.do(t, w, r)
					defer over()
					if began.IsZero() {
						began = time.Now().Add(limit)
					}
					time.Sleep(time.Until(began) + limit/10) // after the lifted deadline
					for _, ctx := range []context.Context{r.Context(), child} {
						at, ok := ctx.Deadline()
						assert.True(t, !ok || time.Until(at) > 0, "the deadline is %v past", -time.Until(at))
						assert.NoError(t, ctx.Err())
						left, ok := timeout.Remaining(ctx)
						assert.True(t, !ok || left > 0, "%v remain", left)
						callUpstream(ctx, t, upstream.Addr)
					}
				})
				srv, records := serve(t, s, o, l.config, l.inside(h))
				c := raw.Dial(t, srv.Addr, proto)
				req := raw.Request{}
				if l.want.Status == 101 {
					req.Header = []string{"Connection: Upgrade", "Upgrade: test"}
				}
				got := raw.Do(t, c, &req)
				assert.Equal(t, [2]any{l.want.Status, raw.Whole}, [2]any{got.Status, got.End})
				await(t, done, "the handler")
				if s.logs {
					assert.Equal(t, l.want, lineOf(records.Next(t)))
				}
			})
		})
	}
}

// callUpstream does what handlers do with their context.
func callUpstream(ctx context.Context, t *testing.T, addr string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if assert.NoError(t, err, "net.Dialer") {
		conn.Close()
	}
	base := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: timeout.NewTransport(timeout.TransportConfig{Base: base})}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", http.NoBody)
	assert.NoError(t, err)
	res, err := client.Do(req)
	if assert.NoError(t, err, "the transport") {
		body, err := io.ReadAll(res.Body)
		assert.NoError(t, err)
		assert.Equal(t, "upstream", string(body))
		res.Body.Close()
	}
}

// TestStreamContextEndsAtSilence: the context of a stream ends when it is aborted, and
// not before.
func TestStreamContextEndsAtSilence(t *testing.T) {
	each(t, every, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		cause := make(chan error, 1)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit, Stream: 2 * limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begun")
			assert.NoError(t, http.NewResponseController(w).Flush())
			began := time.Now()
			<-r.Context().Done()
			assert.GreaterOrEqual(t, time.Since(began), 2*limit-limit/10)
			cause <- context.Cause(r.Context())
		}))
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
		assert.Equal(t, [2]any{200, "begun"}, [2]any{got.Status, got.Body})
		assert.NotEqual(t, raw.Whole, got.End)
		e, ok := errors.AsType[*timeout.Error](<-cause)
		assert.True(t, ok && e.Phase == timeout.PhaseResponse)
		if s.logs {
			l := lineOf(records.Next(t))
			l.Abandoned = false
			assert.Equal(t, line{Status: 200, Outcome: "deadline"}, l)
		}
	})
}
