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

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// reader reads the whole body, responds if it can, and reports the result.
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

// phaseOf returns the phase of the *timeout.Error in err.
func phaseOf(t *testing.T, err error) timeout.Phase {
	t.Helper()
	var e *timeout.Error
	require.ErrorAs(t, err, &e)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.True(t, e.Timeout())
	return e.Phase
}

const requestTimeout = "Request Timeout\n"

// A client that stalls in its body gets a 408 at the deadline, and the handler's Read
// returns.
//
// Reported elsewhere:
//   - reads and writes stall without a limit per handler, https://github.com/golang/go/issues/16100
//   - a stalled body holds its handler forever, https://github.com/blinklabs-io/dingo/issues/3943
//   - the context does not free a Read, https://github.com/stormkit-io/stormkit-io/issues/192
//   - a stalled body holds a slot forever, https://github.com/moonrhythm/parapet/issues/237
//   - 503 for a client that has not finished, https://github.com/line/armeria/issues/5579
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
			t.Parallel()
			reads, ctxs := make(chan error, 1), make(chan context.Context, 1)
			s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(reader(reads, ctxs)))
			c := s.Dial(t)
			began := time.Now()
			c.SendLines(t, "POST / HTTP/1.1", "Host: test", tc.header, "")
			if strings.Contains(tc.header, "Expect") {
				res, _, err := c.Receive(http.MethodPost)
				require.NoError(t, err)
				require.Equal(t, http.StatusContinue, res.StatusCode)
			}
			_, err := io.WriteString(c, tc.sent)
			require.NoError(t, err)

			res, body, err := c.Receive(http.MethodPost)
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Since(began), limit)
			assert.Equal(t, http.StatusRequestTimeout, res.StatusCode)
			assert.Equal(t, requestTimeout, body)
			assert.Equal(t, int64(len(requestTimeout)), res.ContentLength)
			assert.True(t, res.Close, "Connection: close")
			assert.Equal(t, timeout.PhaseBody, phaseOf(t, testhttp.Await(t, reads, "the freed Read")))
			ctx := <-ctxs
			assert.Equal(t, context.DeadlineExceeded, ctx.Err())
			assert.Equal(t, timeout.PhaseBody, phaseOf(t, context.Cause(ctx)))
			assert.Empty(t, c.Rest(), "the connection is closed")
		})
	}
}

// Reported elsewhere:
//   - reads and writes stall without a limit per handler, https://github.com/golang/go/issues/16100
//   - a stalled body holds its handler forever, https://github.com/blinklabs-io/dingo/issues/3943
//   - 503 for a client that has not finished, https://github.com/line/armeria/issues/5579
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
				req := s.Request(t, http.MethodPost, "/", pr)
				req.ContentLength = tc.length
				res := s.Do(req)
				assert.Equal(t, http.StatusRequestTimeout, res.Status)
				assert.Equal(t, requestTimeout, res.Body)
				assert.Empty(t, res.Header.Get("Connection"))
				if !v.touch {
					assert.NoError(t, res.Err)
				}
				assert.Equal(t, timeout.PhaseBody, phaseOf(t, testhttp.Await(t, reads, "the freed Read")))
				assert.Equal(t, timeout.PhaseBody, phaseOf(t, context.Cause(<-ctxs)))
			})
		}
	}
}

// 408 is for a slow client. A handler that is slow after it has read the body, or
// without reading it, is a slow server: 504.
//
// Reported elsewhere: 408 for a slow server causes retry storms, https://github.com/tower-rs/tower-http/issues/300
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
				res := s.Do(s.Request(t, http.MethodPost, "/", strings.NewReader("body")))
				assert.Equal(t, http.StatusGatewayTimeout, res.Status)
			})
		}
	})
}

// Reading the body after the deadline returns the deadline's error, not the i/o
// timeout that ended a blocked Read, and no bytes of another request.
//
// Reported elsewhere: the context does not free a Read, https://github.com/stormkit-io/stormkit-io/issues/192
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
		res := s.Do(s.Request(t, http.MethodPost, "/", pr))
		assert.Equal(t, http.StatusGatewayTimeout, res.Status)
		assert.Error(t, testhttp.Await(t, reads, "the late Read"))
	})
}

// After a body that ended in time no read deadline is left that would cancel the next
// request of the connection (golang/go #70834).
//
// Reported elsewhere: a read deadline breaks the next request, https://github.com/golang/go/issues/70834
func TestNextRequestOfTheConnection(t *testing.T) {
	s := variants[0].start(t, timeout.New(timeout.Config{Limit: 10 * limit})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(w, r.Body)
			assert.NoError(t, err)
			assert.NoError(t, r.Context().Err())
		})))
	c := s.Dial(t)
	for range 2 {
		c.SendLines(t, "POST / HTTP/1.1", "Host: test", "Content-Length: 4", "")
		_, err := io.WriteString(c, "body")
		require.NoError(t, err)
		res, body, err := c.Receive(http.MethodPost)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, res.StatusCode)
		assert.Equal(t, "body", body)
		<-time.After(12 * limit)
	}
}

// endless writes until a write fails, and then reports why its context ended.
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

// If the client does not read, the handler's blocked Write fails at the deadline, and
// the client does not find a complete response when it reads.
//
// Reported elsewhere:
//   - reads and writes stall without a limit per handler, https://github.com/golang/go/issues/16100
//   - streams are stuck in Write, https://github.com/launchdarkly/eventsource/issues/78
func TestClientThatDoesNotRead(t *testing.T) {
	t.Run("HTTP/1", func(t *testing.T) {
		freed := make(chan error, 1)
		s := variants[0].start(t, timeout.New(timeout.Config{Limit: limit})(endless(freed)))
		c := s.Dial(t)
		c.SendHead(t, http.MethodGet)
		assert.Equal(t, timeout.PhaseResponse, phaseOf(t, testhttp.Await(t, freed, "the freed Write")))
		_, _, err := c.Receive(http.MethodGet)
		assert.Error(t, err)
	})
	for _, v := range variants[1:] {
		t.Run(v.desc, func(t *testing.T) {
			freed := make(chan error, 1)
			s := v.start(t, timeout.New(timeout.Config{Limit: limit})(endless(freed)))
			res, err := s.Client().Do(s.Request(t, http.MethodGet, "/", http.NoBody))
			require.NoError(t, err)
			defer res.Body.Close()
			assert.Equal(t, timeout.PhaseResponse, phaseOf(t, testhttp.Await(t, freed, "the freed Write")))
			_, err = io.Copy(io.Discard, res.Body)
			assert.Error(t, err)
		})
	}
}

// The same with io.Copy from a source that blocks: the handler stays blocked, but the
// client does not wait for it.
func TestSilentSource(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		pr, pw := io.Pipe()
		copied := make(chan error, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, _ *http.Request) {
				_, err := io.Copy(w, pr)
				copied <- err
			})))
		res := s.Get(t, "/")
		assert.True(t, res.Err != nil || res.Status == http.StatusGatewayTimeout, "%+v", res)
		_, _ = pw.Write([]byte("at last"))
		err := testhttp.Await(t, copied, "the copy")
		assert.ErrorIs(t, err, http.ErrHandlerTimeout)
	})
}
