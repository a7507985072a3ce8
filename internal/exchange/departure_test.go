package exchange_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
)

// The server's CloseNotify tells once. What we ask of it the handler must not
// miss, whoever was first.
func TestCloseNotifyStillTellsTheHandler(t *testing.T) {
	for _, first := range []bool{true, false} {
		o := newObserver()
		begun, told := make(chan struct{}), make(chan bool, 1)
		s := start(t, 2, o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := w.(http.CloseNotifier) //nolint:staticcheck // it is what is tested
			var gone <-chan bool
			if first {
				gone = n.CloseNotify()
			}
			close(begun)
			<-r.Context().Done()
			<-o.endedOnce() // we have asked, and were told
			if !first {
				gone = n.CloseNotify()
			}
			select {
			case v := <-gone:
				told <- v
			case <-time.After(watchdog):
				told <- false
			}
		})))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-begun; cancel() }()
		_, _, err := s.doCtx(ctx, t, http.MethodGet, nil)
		require.ErrorIs(t, err, context.Canceled)
		assert.True(t, <-told, "asked first: %v", first)
		assert.Nil(t, <-o.late)
	}
}

// endedOnce is closed when the end was told of, which stays to be read after it.
func (o *observer) endedOnce() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		e := <-o.ended
		o.ended <- e
		close(c)
	}()
	return c
}

// What is refused after the client has left says so.
func TestNothingIsAcceptedAfterADeparture(t *testing.T) {
	o := newObserver()
	begun, refused := make(chan struct{}), make(chan error, 3)
	s := start(t, 2, o.watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	_, _, err := s.doCtx(ctx, t, http.MethodPost, neverEnding{ctx})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, <-refused, exchange.ErrClientGone)
	require.ErrorIs(t, <-refused, http.ErrHandlerTimeout)
	require.ErrorIs(t, <-refused, exchange.ErrClientGone)
	assert.Nil(t, <-o.late)
	e := o.ending(t)
	assert.True(t, e.ClientGone)
	assert.True(t, e.Abandoned)
	assert.Zero(t, e.BytesOut)
}

// neverEnding is a body that ends with its context.
type neverEnding struct{ context.Context }

func (b neverEnding) Read([]byte) (int, error) {
	<-b.Done()
	return 0, b.Err()
}

// A writer in between that cannot tell, and panics as Gin's does, is not asked.
func TestAWriterThatCannotTellIsNotAsked(t *testing.T) {
	o := newObserver()
	begun, release := make(chan struct{}), make(chan struct{})
	h := o.watch(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		<-release
	}))
	s := start(t, 2, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(panicky{w}, r) }))
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, _, err := s.doCtx(ctx, t, http.MethodGet, nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.True(t, o.ending(t).ClientGone)
}

type panicky struct{ http.ResponseWriter }

func (p panicky) Unwrap() http.ResponseWriter { return p.ResponseWriter }
func (panicky) CloseNotify() <-chan bool      { panic("the writer below has none") }
