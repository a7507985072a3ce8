package timeout_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// An error at a deadline of a lower layer is passed on unchanged.
func TestTransportLeavesOtherDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		inner := timeout.NewTransport(timeout.TransportConfig{Base: answers(time.Minute, 1, 0), Limit: 100 * time.Millisecond})
		_, err := roundTrip(ctx, t, timeout.TransportConfig{Base: inner, Limit: 10 * time.Second})
		assert.EqualError(t, err, "timeout: limit of 100ms exceeded, after 100ms")

		below := context.DeadlineExceeded
		b := &base{do: func(*http.Request) (*http.Response, error) { return nil, below }}
		_, err = roundTrip(ctx, t, timeout.TransportConfig{Base: b, Limit: 10 * time.Second})
		assert.Equal(t, below, err)
	})
}

// The cause of the caller's deadline stays in the error.
func TestTransportKeepsTheCallersCause(t *testing.T) {
	for _, limit := range []time.Duration{0, time.Minute} {
		for _, part := range []*base{answers(time.Minute, 1, 0), answers(0, 60, time.Second)} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errBoom)
				defer cancel()
				res, err := roundTrip(ctx, t, timeout.TransportConfig{Base: part, Limit: limit})
				if err == nil {
					_, err = io.ReadAll(res.Body)
					_ = res.Body.Close()
				}
				var e *timeout.Error
				require.ErrorAs(t, err, &e)
				assert.True(t, e.Caller)
				assert.Equal(t, 5*time.Second, e.Limit)
				assert.ErrorIs(t, err, errBoom)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.EqualError(t, err, "timeout: caller's limit of 5s exceeded, after 5s: boom")
			})
		}
	}
}

// lastWord is an error that says more than the cancellation.
type lastWord struct{ attempts int }

func (*lastWord) Error() string { return "three attempts failed" }

// When time is up, an inner transport's error that says more than the cancellation is
// kept.
func TestTransportKeepsAMoreSpecificError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &base{do: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, &lastWord{3}
		}}
		_, err := roundTrip(t.Context(), t, timeout.TransportConfig{Base: b, Limit: time.Second})
		var e *timeout.Error
		require.ErrorAs(t, err, &e)
		var last *lastWord
		require.ErrorAs(t, err, &last)
		assert.Equal(t, 3, last.attempts)
		assert.EqualError(t, err, "timeout: limit of 1s exceeded, after 1s: three attempts failed")
	})
}

// If the context has ended before the call, the error is the context's cause, and
// nothing is sent.
func TestTransportEndedBefore(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	caused, cancelCause := context.WithCancelCause(t.Context())
	cancelCause(errBoom)
	past, stop := context.WithTimeout(t.Context(), -1)
	defer stop()
	for _, tc := range []struct {
		ctx  context.Context
		want error
	}{{canceled, context.Canceled}, {caused, errBoom}, {past, context.DeadlineExceeded}} {
		b := answers(0, 1, 0)
		_, err := roundTrip(tc.ctx, t, timeout.TransportConfig{Base: b, Limit: time.Minute})
		assert.Equal(t, tc.want, err)
		assert.Zero(t, b.calls)
	}
}

// Errors after the end of the body are not replaced: reading on is a mistake of the
// caller.
func TestTransportReadAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b := &base{do: func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: &once{Reader: strings.NewReader("x")}}, nil
		}}
		res, err := roundTrip(ctx, t, timeout.TransportConfig{Base: b})
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		<-time.After(2 * time.Second)
		_, err = res.Body.Read(make([]byte, 1))
		assert.Equal(t, http.ErrBodyReadAfterClose, err)
	})
}

type once struct {
	io.Reader
	closed bool
}

func (o *once) Read(p []byte) (int, error) {
	if o.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return o.Reader.Read(p)
}

func (o *once) Close() error {
	o.closed = true
	return nil
}

// Whenever an attempt ends, its context is canceled.
func TestTransportEndsItsContext(t *testing.T) {
	for _, tc := range []struct {
		desc string
		res  *http.Response
		err  error
	}{
		{"an error", nil, errBoom},
		{"no response, no error", nil, nil},
		{"no body", &http.Response{StatusCode: 204}, nil},
		{"NoBody", &http.Response{StatusCode: 204, Body: http.NoBody}, nil},
		{"a response and an error", &http.Response{StatusCode: 204, Body: http.NoBody}, errBoom},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			var ctx context.Context
			b := &base{do: func(r *http.Request) (*http.Response, error) {
				ctx = r.Context()
				return tc.res, tc.err
			}}
			res, err := roundTrip(t.Context(), t, timeout.TransportConfig{Base: b, Limit: time.Hour})
			assert.Equal(t, tc.err, err)
			assert.Equal(t, tc.res, res)
			assert.Equal(t, context.Canceled, ctx.Err())
		})
	}
}

// http.Client.Timeout is the caller's deadline: it is sent to the server, and the
// error is a timeout for net/http and for this package, in RoundTrip and in the body.
func TestTransportUnderClientTimeout(t *testing.T) {
	for _, v := range variants[:2] {
		t.Run(v.desc, func(t *testing.T) {
			for _, part := range []string{"", "part"} {
				v.bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					assert.Equal(t, "3000", r.Header.Get("X-Request-Timeout-Ms"))
					if part != "" {
						_, _ = io.WriteString(w, part)
						flush(w)
					}
					<-r.Context().Done()
				}), func(t *testing.T, s *testhttp.Server) {
					s.Client().Transport = timeout.NewTransport(timeout.TransportConfig{Base: s.Client().Transport, Limit: time.Minute})
					s.Client().Timeout = 3 * time.Second
					res, err := s.Client().Get(s.URL)
					if part != "" {
						require.NoError(t, err)
						_, err = io.ReadAll(res.Body)
						_ = res.Body.Close()
					}
					var timeouts interface{ Timeout() bool }
					require.ErrorAs(t, err, &timeouts)
					assert.True(t, timeouts.Timeout())
					assert.ErrorIs(t, err, context.DeadlineExceeded)
				})
			}
		})
	}
}

func TestTransportWrongHeader(t *testing.T) {
	assert.PanicsWithValue(t, `timeout: Reserve must not be negative; Header "a b" is not a header name`, func() {
		timeout.NewTransport(timeout.TransportConfig{Reserve: -1, Header: "a b"})
	})
}
