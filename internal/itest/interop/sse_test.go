package interop_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmaxmax/go-sse"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// subscriber is an SSE client that connects again if a connection ends, and sends the
// server the last event that it has seen, until the server responds with 204.
type subscriber struct {
	ids   chan string
	lost  chan error // why it connected again
	ended chan error
}

func (s *server) subscribe(ctx context.Context, t *testing.T) subscriber {
	t.Helper()
	sub := subscriber{make(chan string, 10), make(chan error, 10), make(chan error, 1)}
	client := sse.Client{
		HTTPClient: &http.Client{Transport: s.client.Transport}, // a stream has no end for a Timeout to bound
		Backoff:    sse.Backoff{InitialInterval: time.Millisecond, Multiplier: 1, Jitter: -1},
		OnRetry:    func(err error, _ time.Duration) { sub.lost <- err },
	}
	conn := client.NewConnection(s.request(t, http.MethodGet, "/events", nil).WithContext(ctx))
	conn.SubscribeToAll(func(e sse.Event) { sub.ids <- e.LastEventID })
	go func() { sub.ended <- conn.Connect() }()
	return sub
}

// feed serves one event at a time, and continues where the client stopped. run is what
// happens between two events.
func feed(events int, run func(ctx context.Context, after int) error) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, err := sse.Upgrade(w, r)
		if err != nil {
			return err
		}
		last, _ := strconv.Atoi(session.LastEventID.String()) // none is 0
		if last == events {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		for n := last + 1; ; n++ {
			if err := emit(session, strconv.Itoa(n)); err != nil || n == events {
				return err
			}
			if err := run(r.Context(), n); err != nil {
				return err
			}
		}
	}
}

// emit sends one event, by the server side of the same library.
func emit(s *sse.Session, id string) error {
	m := &sse.Message{ID: sse.ID(id)}
	m.AppendData("event " + id)
	if err := s.Send(m); err != nil {
		return err
	}
	return s.Flush()
}

// TestSSE: a stream may take longer than Limit, which only bounds the time to its first
// byte.
func TestSSE(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		st := stack{errs: mapper(), timeout: timeout.Config{Limit: handshake, Stream: ample}}
		s := st.serve(t, p, st.errs.Handler(feed(2, func(context.Context, int) error {
			pass(t, handshake)
			return nil
		})))
		sub := s.subscribe(t.Context(), t)
		assert.Equal(t, "1", await(t, sub.ids))
		assert.Equal(t, "2", await(t, sub.ids))
		l := s.logged(t, 200, logging.OutcomeOK)
		assert.Greater(t, l.Seconds, handshake.Seconds())
		assert.Less(t, l.TTFB, l.Seconds)
		require.ErrorIs(t, await(t, sub.lost), io.EOF)
		require.ErrorContains(t, await(t, sub.ended), "204")
		s.logged(t, 204, logging.OutcomeOK)
	})
}

// TestSSESilent: a stream that is silent for longer than Stream breaks off. The client
// notices that, and requests the rest.
func TestSSESilent(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		st := stack{errs: mapper(), timeout: timeout.Config{Limit: ample, Stream: silence}}
		s := st.serve(t, p, st.errs.Handler(feed(2, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})))
		sub := s.subscribe(t.Context(), t)
		assert.Equal(t, "1", await(t, sub.ids))
		l := s.logged(t, 200, logging.OutcomeDeadline)
		assert.Equal(t, "timeout.Error", l.ErrorType)
		assert.Contains(t, l.Error, fmt.Sprint("limit of ", silence, " exceeded while sending the response"))
		lost := await(t, sub.lost)
		assert.NotErrorIs(t, lost, io.EOF, "the end of the stream is not a proper one")
		assert.Equal(t, "2", await(t, sub.ids))
		s.logged(t, 200, logging.OutcomeOK)
		require.ErrorContains(t, await(t, sub.ended), "204")
	})
}

// TestSSEClientGone: a disconnect of the client is not logged as a failure of the
// service.
func TestSSEClientGone(t *testing.T) {
	each(t, protocols, func(t *testing.T, p protocol) {
		cause := make(chan error, 1)
		st := stack{errs: mapper(), timeout: timeout.Config{Limit: ample, Stream: ample}}
		s := st.serve(t, p, st.errs.Handler(feed(2, func(ctx context.Context, _ int) error {
			<-ctx.Done()
			cause <- context.Cause(ctx)
			return ctx.Err()
		})))
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		sub := s.subscribe(ctx, t)
		assert.Equal(t, "1", await(t, sub.ids))
		leave()
		require.ErrorIs(t, await(t, sub.ended), context.Canceled)
		require.ErrorIs(t, await(t, cause), timeout.ErrClientGone)
		l := s.logged(t, 200, logging.OutcomeClientGone)
		assert.Equal(t, "INFO", l.Level)
	})
}
