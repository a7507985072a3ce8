//go:build wire

package faults_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestClosedAfterTheDeadline: a client that does not read has the head of the response.
// The log record has its status, too, if the stream ends shortly after the deadline,
// while the deadline waits for the write.
func TestClosedAfterTheDeadline(t *testing.T) {
	for _, tt := range []struct {
		desc string
		end  func(*raw.HTTP2, *raw.Server)
	}{
		{"the client resets the stream", func(c *raw.HTTP2, _ *raw.Server) { _ = c.Stream().Reset() }},
		{"the client closes the connection", func(c *raw.HTTP2, _ *raw.Server) { _ = c.Close() }},
		{"the server is closed", func(_ *raw.HTTP2, srv *raw.Server) { _ = srv.Close() }},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			t.Parallel()
			each(t, []string{"2"}, stacks[1:4], outsides, func(t *testing.T, _ string, s *stack, o *outside) {
				late, returned := make(chan struct{}), make(chan struct{})
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(returned)
					context.AfterFunc(r.Context(), func() { close(late) })
					_, err := w.Write(make([]byte, 32<<10))
					assert.Error(t, err)
				}))
				c := raw.DialHTTP2(t, srv.Addr, 1000)
				stream, err := c.Open(&raw.Request{}, true)
				assert.NoError(t, err)
				got := stream.Receive(func(status, _ int) bool { return status == 0 })
				assert.Equal(t, [2]any{200, raw.Left}, [2]any{got.Status, got.End})
				await(t, late, "the deadline")
				tt.end(c, srv)
				await(t, returned, "the handler's return")
				assert.Equal(t, line{Status: 200, Outcome: "deadline"}, lineOf(records.Next(t)))
				alone(t, records)
			})
		})
	}
}

// TestClosedBeforeTheAnswer: a status that was not sent is not logged. The context that
// the middleware outside has detached does not tell that the client is gone.
func TestClosedBeforeTheAnswer(t *testing.T) {
	each(t, []string{"2"}, []stack{stacks[1], stacks[3]}, outsides[:1], func(t *testing.T, proto string, s *stack, _ *outside) {
		ended, entered, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
		detached := &outside{"a detached context outside", func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				context.AfterFunc(r.Context(), func() { close(ended) })
				next.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
			})
		}, true}
		answer := func(w http.ResponseWriter, _ *http.Request, _ error) {
			close(entered)
			await(t, closed, "the end of the connection")
			http.Error(w, "late", http.StatusGatewayTimeout)
		}
		srv, records := serve(t, s, detached, timeout.Config{Limit: limit, ErrorHandler: answer}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}))
		c := raw.Dial(t, srv.Addr, proto)
		c.Send(t, &raw.Request{})
		await(t, entered, "the ErrorHandler")
		_ = srv.Close()
		await(t, ended, "the end of the server's context")
		close(closed)
		assert.Equal(t, raw.None, c.Receive(t).End)
		assert.Equal(t, line{Intended: 504, Outcome: "deadline"}, lineOf(records.Next(t)))
		alone(t, records)
	})
}
