package exchange_test

import (
	"context"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// The server's CloseNotify sends once. The handler gets the value too, whether it or
// the exchange asked first.
func TestCloseNotifyReachesTheHandler(t *testing.T) {
	for _, first := range []bool{true, false} {
		o := newObserver()
		begun, sent := make(chan struct{}), make(chan bool, 1)
		s := testhttp.HTTP2.Start(t, o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := w.(http.CloseNotifier) //nolint:staticcheck // it is what is tested
			var gone <-chan bool
			if first {
				gone = n.CloseNotify()
			}
			close(begun)
			<-r.Context().Done()
			<-o.endedOnce() // the exchange has received from CloseNotify
			if !first {
				gone = n.CloseNotify()
			}
			select {
			case v := <-gone:
				sent <- v
			case <-time.After(testhttp.Patience):
				sent <- false
			}
		})))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-begun; cancel() }()
		err := s.Do(s.Request(t, http.MethodGet, "/", nil).WithContext(ctx)).Err
		require.ErrorIs(t, err, context.Canceled)
		assert.True(t, <-sent, "asked first: %v", first)
		assert.Nil(t, <-o.late)
	}
}

// endedOnce is closed when the end was reported, which can be read after it.
func (o *observer) endedOnce() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		e := <-o.ended
		o.ended <- e
		close(c)
	}()
	return c
}

// Writes after the client has disconnected return an error that says so.
func TestWritesAfterADisconnectAreRefused(t *testing.T) {
	o := newObserver()
	begun, refused := make(chan struct{}), make(chan error, 3)
	s := testhttp.HTTP2.Start(t, o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		<-o.endedOnce()
		_, err := w.Write([]byte("late"))
		refused <- err
		refused <- http.NewResponseController(w).SetWriteDeadline(time.Time{})
		_, err = r.Body.Read(make([]byte, 1))
		refused <- err
	})))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	err := s.Do(s.Request(t, http.MethodPost, "/", neverEnding{ctx}).WithContext(ctx)).Err
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, <-refused, exchange.ErrClientGone)
	require.ErrorIs(t, <-refused, http.ErrHandlerTimeout)
	require.ErrorIs(t, <-refused, exchange.ErrClientGone)
	assert.Nil(t, <-o.late)
	e := o.ending(t)
	assert.Equal(t, exchange.Gone, e.Outcome)
	assert.True(t, e.Abandoned)
	assert.Zero(t, e.BytesOut)
}

// neverEnding is a body that ends with its context.
type neverEnding struct{ context.Context }

func (b neverEnding) Read([]byte) (int, error) {
	<-b.Done()
	return 0, b.Err()
}

// A writer in between whose CloseNotify panics, as Gin's does, is not asked.
func TestWriterWhoseCloseNotifyPanics(t *testing.T) {
	o := newObserver()
	begun, release := make(chan struct{}), make(chan struct{})
	h := o.watch(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		<-release
	}))
	s := testhttp.HTTP2.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(panicky{w}, r) }))
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	err := s.Do(s.Request(t, http.MethodGet, "/", nil).WithContext(ctx)).Err
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, exchange.Gone, o.ending(t).Outcome)
}

type panicky struct{ http.ResponseWriter }

func (p panicky) Unwrap() http.ResponseWriter { return p.ResponseWriter }
func (panicky) CloseNotify() <-chan bool      { panic("the writer below has none") }

// lostWriter fails every write as if the client had disconnected.
type lostWriter struct{ http.ResponseWriter }

func (l lostWriter) Write([]byte) (int, error)   { return 0, syscall.EPIPE }
func (l lostWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// A middleware outside copies the response to something else, and that is gone. The
// client is there and sends no body. The handler does not hang in its read.
func TestReadAfterAFailedWrite(t *testing.T) {
	for _, early := range []bool{true, false} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			o := newObserver()
			read := make(chan error, 1)
			h := o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := w.Write([]byte("x"))
				assert.ErrorIs(t, err, syscall.EPIPE)
				if !early {
					<-o.endedOnce()
				}
				_, err = r.Body.Read(make([]byte, 1))
				read <- err
				assert.ErrorIs(t, context.Cause(r.Context()), exchange.ErrClientGone)
			}))
			s := p.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(lostWriter{w}, r) }))
			r := s.Request(t, http.MethodPost, "/", strings.NewReader("body"))
			s.Misbehaving().Stall(t, r, 0)
			require.ErrorIs(t, testhttp.Await(t, read), exchange.ErrClientGone)
			assert.Equal(t, exchange.Gone, (<-o.ended).Outcome)
			assert.Nil(t, <-o.late)
		})
	}
}
