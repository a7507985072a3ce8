package timeout_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// reader reads the whole body, answers if it could, and says how that went.
func reader(reads chan<- error, ctxs chan<- context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		if ctxs != nil {
			ctxs <- r.Context()
		}
		reads <- err
		if err != nil {
			http.Error(w, "could not read", http.StatusBadRequest)
		}
	})
}

// phaseOf is the phase of the *timeout.Error in err.
func phaseOf(t *testing.T, err error) timeout.Phase {
	t.Helper()
	var e *timeout.Error
	require.ErrorAs(t, err, &e)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.True(t, e.Timeout())
	return e.Phase
}

const requestTimeout = "Request Timeout\n"

// A client that stalls in its own body gets 408 at the deadline, and the
// handler's Read is freed.
func TestStalledBodyHTTP1(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		header string
		sent   string
	}{
		{"Content-Length, nothing sent", "Content-Length: 10", ""},
		{"Content-Length, half sent", "Content-Length: 10", "hello"},
		{"chunked, nothing sent", "Transfer-Encoding: chunked", ""},
		{"chunked, between chunks", "Transfer-Encoding: chunked", "5\r\nhello\r\n"},
		{"chunked, within a chunk", "Transfer-Encoding: chunked", "5\r\nhe"},
		{"chunked, before the trailers", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n"},
		{"Expect: 100-continue", "Content-Length: 10\r\nExpect: 100-continue", ""},
		{"Expect: 100-continue, half sent", "Content-Length: 10\r\nExpect: 100-continue", "hello"},
		{"Expect: 100-continue, chunked", "Transfer-Encoding: chunked\r\nExpect: 100-continue", "5\r\nhello\r\n"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			reads, ctxs := make(chan error, 1), make(chan context.Context, 1)
			s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(reader(reads, ctxs)))
			c := s.dial(t)
			began := time.Now()
			c.send(t, "POST / HTTP/1.1", "Host: test", tc.header, "")
			if strings.Contains(tc.header, "Expect") {
				res, _, err := c.response(t, http.MethodPost)
				require.NoError(t, err)
				require.Equal(t, http.StatusContinue, res.StatusCode)
			}
			_, err := io.WriteString(c, tc.sent)
			require.NoError(t, err)

			res, body, err := c.response(t, http.MethodPost)
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Since(began), limit)
			assert.Equal(t, http.StatusRequestTimeout, res.StatusCode)
			assert.Equal(t, requestTimeout, body)
			assert.Equal(t, int64(len(requestTimeout)), res.ContentLength)
			assert.True(t, res.Close, "Connection: close")
			assert.Equal(t, timeout.PhaseBody, phaseOf(t, receive(t, reads, "the freed Read")))
			ctx := <-ctxs
			assert.Equal(t, context.DeadlineExceeded, ctx.Err())
			assert.Equal(t, timeout.PhaseBody, phaseOf(t, context.Cause(ctx)))
			assert.Empty(t, c.rest(t), "the connection is closed")
		})
	}
}

func TestStalledBodyHTTP2(t *testing.T) {
	for _, v := range variants[1:] {
		for _, tc := range []struct {
			desc   string
			sent   string
			length int64
		}{
			{"nothing sent", "", -1},
			{"some sent", "hello", -1},
			{"with Content-Length", "hello", 10},
		} {
			t.Run(v.desc+", "+tc.desc, func(t *testing.T) {
				reads, ctxs := make(chan error, 1), make(chan context.Context, 1)
				s := v.start(t, timeout.New(timeout.Config{Limit: limit})(reader(reads, ctxs)))
				pr, pw := io.Pipe()
				defer pw.Close()
				go func() { _, _ = io.WriteString(pw, tc.sent) }()
				req := s.request(t, http.MethodPost, pr)
				req.ContentLength = tc.length
				res := s.do(t, req)
				assert.Equal(t, http.StatusRequestTimeout, res.status)
				assert.Equal(t, requestTimeout, res.body)
				assert.Empty(t, res.header.Get("Connection"))
				if !v.touch {
					assert.NoError(t, res.err)
				}
				assert.Equal(t, timeout.PhaseBody, phaseOf(t, receive(t, reads, "the freed Read")))
				assert.Equal(t, timeout.PhaseBody, phaseOf(t, context.Cause(<-ctxs)))
			})
		}
	}
}

// 408 is for a client that keeps us waiting. A handler that is slow with a
// body it has, or has not asked for, is a slow server: 504.
func TestSlowServerWithBodyIs504(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range []struct {
			desc string
			read func(io.Reader)
		}{
			{"body not asked for", func(io.Reader) {}},
			{"body read in part", func(r io.Reader) { _, _ = r.Read(make([]byte, 1)) }},
			{"body read", func(r io.Reader) { _, _ = io.ReadAll(r) }},
		} {
			t.Run(tc.desc, func(t *testing.T) {
				stuck := make(chan struct{})
				s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
					func(_ http.ResponseWriter, r *http.Request) {
						tc.read(r.Body)
						<-stuck
					})))
				defer close(stuck)
				res := s.do(t, s.request(t, http.MethodPost, strings.NewReader("body")))
				assert.Equal(t, http.StatusGatewayTimeout, res.status)
			})
		}
	})
}

// What a reader gets that comes to a body after the deadline: the same error,
// and not the i/o timeout by which it was freed, nor another's bytes.
func TestBodyAfterTheDeadline(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		reads := make(chan error, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				_, err := io.ReadAll(r.Body)
				reads <- err
			})))
		pr, pw := io.Pipe()
		defer pw.Close()
		res := s.do(t, s.request(t, http.MethodPost, pr))
		assert.Equal(t, http.StatusGatewayTimeout, res.status)
		assert.Error(t, receive(t, reads, "the late Read"))
	})
}

// A body that ended in time leaves no read deadline behind that would cancel
// the next request of the connection (golang/go #70834).
func TestNextRequestOfTheConnection(t *testing.T) {
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: 10 * limit})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(w, r.Body)
			assert.NoError(t, err)
			assert.NoError(t, r.Context().Err())
		})))
	c := s.dial(t)
	for range 2 {
		c.send(t, "POST / HTTP/1.1", "Host: test", "Content-Length: 4", "")
		_, err := io.WriteString(c, "body")
		require.NoError(t, err)
		res, body, err := c.response(t, http.MethodPost)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, res.StatusCode)
		assert.Equal(t, "body", body)
		<-time.After(12 * limit)
	}
}

// endless writes until it no longer can, and then says why its context ended.
func endless(freed chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for p := make([]byte, 64<<10); ; {
			if _, err := w.Write(p); err != nil {
				<-r.Context().Done()
				freed <- context.Cause(r.Context())
				return
			}
		}
	})
}

// A client that does not read: the handler's Write is freed, and what the
// client finds when it reads at last is no clean end.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Run("HTTP/1", func(t *testing.T) {
		freed := make(chan error, 1)
		s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(endless(freed)))
		c := s.dial(t)
		c.get(t, http.MethodGet)
		assert.Equal(t, timeout.PhaseResponse, phaseOf(t, receive(t, freed, "the freed Write")))
		_, _, err := c.response(t, http.MethodGet)
		assert.Error(t, err)
	})
	for _, v := range variants[1:] {
		t.Run(v.desc, func(t *testing.T) {
			freed := make(chan error, 1)
			s := v.start(t, timeout.New(timeout.Config{Limit: limit})(endless(freed)))
			res, err := s.client.Do(s.request(t, http.MethodGet, http.NoBody))
			require.NoError(t, err)
			defer res.Body.Close()
			assert.Equal(t, timeout.PhaseResponse, phaseOf(t, receive(t, freed, "the freed Write")))
			_, err = io.Copy(io.Discard, res.Body)
			assert.Error(t, err)
		})
	}
}

// The same for io.Copy from a source that is silent: the source is the
// handler's own affair, but nothing waits for it.
func TestSilentSource(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		pr, pw := io.Pipe()
		copied := make(chan error, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				_, err := io.Copy(w, pr)
				copied <- err
			})))
		res := s.get(t)
		assert.True(t, res.err != nil || res.status == http.StatusGatewayTimeout, "%+v", res)
		_, _ = pw.Write([]byte("at last"))
		err := receive(t, copied, "the copy")
		assert.ErrorIs(t, err, http.ErrHandlerTimeout)
	})
}
