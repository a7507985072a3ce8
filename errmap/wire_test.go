package errmap_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// gone is a handler that waits until its client has disconnected.
func gone(err func(context.Context) error) func(http.ResponseWriter, *http.Request) error {
	return func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return err(r.Context())
	}
}

// A client that only closes its half of the connection still reads, and gets a
// response. The server cannot distinguish it from a client that has disconnected.
//
// Reported elsewhere: a client that left is a 500, https://github.com/danielgtaylor/huma/issues/1008
func TestClientGone(t *testing.T) {
	for desc, err := range map[string]func(context.Context) error{
		"its cancellation":  func(ctx context.Context) error { return ctx.Err() },
		"its cause":         context.Cause,
		"some other error":  func(context.Context) error { return errSecret },
		"a server's answer": func(context.Context) error { return &errmap.Problem{Status: 404} },
	} {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			srv := testhttp.HTTP1.Start(t, s.wrap(mapper().Handler(gone(err))))
			got := srv.Misbehaving().HalfClose(t, srv.Request(t, http.MethodGet, "/", nil))
			status := http.StatusInternalServerError
			if desc == "a server's answer" {
				status = http.StatusNotFound
			}
			assert.Equal(t, status, got.Status)
			assert.NoError(t, got.Err)
			e := <-s.ended
			assert.Equal(t, exchange.Gone, e.Outcome)
			assert.Equal(t, 499, e.Status)
			assert.Equal(t, status, e.Intended)
			assert.Error(t, e.Cause)
		})
	}
}

func TestClientGoneHTTP2(t *testing.T) {
	s := newSpy()
	started := make(chan struct{})
	srv := testhttp.HTTP2.Start(t, s.wrap(mapper().Handler(func(w http.ResponseWriter, r *http.Request) error {
		close(started)
		return gone(context.Cause)(w, r)
	})))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	require.ErrorIs(t, srv.Do(srv.Request(t, http.MethodGet, "/", nil).WithContext(ctx)).Err, context.Canceled)
	e := <-s.ended
	assert.Equal(t, exchange.Gone, e.Outcome)
	assert.Equal(t, 499, e.Status)
}

func TestMapperGone(t *testing.T) {
	statuses := make(chan int, 1)
	m := mapper()
	srv := testhttp.HTTP1.Start(t, m.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		statuses <- m.Problem(r, r.Context().Err()).Status
		return nil
	}))
	srv.Misbehaving().Vanish(t, srv.Request(t, http.MethodGet, "/", nil), nil)
	assert.Equal(t, 499, <-statuses)
}

// At the deadline the response is errmap's while the handler is stuck, and what the
// handler returns afterwards changes nothing.
func TestAsTimeoutsErrorHandler(t *testing.T) {
	m := mapper()
	s := newSpy()
	release := make(chan struct{})
	h := s.wrap(timeout.New(timeout.Config{Limit: 50 * time.Millisecond, ErrorHandler: m.Write})(m.Recover(
		m.Handler(func(w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Etag", "x")
			<-release
			return r.Context().Err()
		}))))
	testhttp.EachServer(t, h, func(t *testing.T, srv *testhttp.Server) {
		req, _ := http.NewRequest(http.MethodGet, srv.URL, nil)
		req.Header.Set("Accept", "application/json")
		res, err := srv.Client().Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		b := make([]byte, res.ContentLength)
		_, err = io.ReadFull(res.Body, b)
		require.NoError(t, err)
		e := <-s.ended
		assert.Equal(t, 504, res.StatusCode)
		assert.JSONEq(t, `{"title":"Gateway Timeout","status":504,"code":"timeout","instance":"urn:uuid:`+e.ProblemID+`"}`, string(b))
		assert.Equal(t, "application/json", res.Header.Get("Content-Type"))
		assert.Empty(t, res.Header.Get("Etag"))
		var te *timeout.Error
		assert.ErrorAs(t, e.Cause, &te)
		release <- struct{}{}
	})
}

// Package timeout reports the panic of an abandoned handler.
func TestRecoverLeavesLatePanicsToTimeout(t *testing.T) {
	late := make(chan any, 1)
	release := make(chan struct{})
	m := mapper()
	s := newSpy()
	h := lateSpy{s, late}.wrap(timeout.New(timeout.Config{Limit: 20 * time.Millisecond})(m.Recover(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			<-release
			panic("late")
		}))))
	testhttp.EachServer(t, h, func(t *testing.T, srv *testhttp.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		assert.Equal(t, 504, res.StatusCode)
		release <- struct{}{}
		assert.Equal(t, any("late"), <-late)
		res.Body.Close()
	})
}

// An informational response does not commit the response. After a switch of protocols
// the connection is the application's.
func TestInformational(t *testing.T) {
	hints := testhttp.HTTP1.Start(t, mapper(is(errNotFound, 404)).Handler(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		return errNotFound
	}))
	got := hints.Raw(t, "GET / HTTP/1.1", "Host: x", "Connection: close", "")
	assert.Contains(t, got, "HTTP/1.1 103 Early Hints\r\n")
	assert.Contains(t, got, "HTTP/1.1 404 Not Found\r\n")

	s := newSpy()
	switched := testhttp.HTTP1.Start(t, s.wrap(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusSwitchingProtocols)
		return errNotFound
	})))
	got = switched.Raw(t, "GET / HTTP/1.1", "Host: x", "Connection: close", "")
	assert.Contains(t, got, "HTTP/1.1 101 Switching Protocols\r\n")
	assert.NotContains(t, got, "Not Found")
	assert.False(t, (<-s.ended).Cut)
}

// A canceled context does not prove that the client has disconnected: a panic gets a
// response.
func TestRecoverOfACanceledRequest(t *testing.T) {
	s := newSpy()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := s.wrap(mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, get().WithContext(ctx))
	assert.Equal(t, http.StatusInternalServerError, rec.Code)
	assert.Equal(t, any("boom"), (<-s.ended).Panic)
}

// A read of the body that fails at the handler's own deadline does not prove that the
// client has disconnected, although net/http cancels the request's context for it. The
// client was slow, and gets a response.
func TestReadDeadlineIsAnswered(t *testing.T) {
	errs := errmap.New(errmap.Config{Render: errmap.ErrorJSON})
	srv := testhttp.HTTP1.Start(t, errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return err
		}
		_, err := io.ReadAll(r.Body)
		return err
	}))
	got := srv.Misbehaving().Stall(t, srv.Request(t, http.MethodPost, "/", strings.NewReader("abcdefghij")), 3)
	require.NoError(t, got.Err)
	assert.Equal(t, 408, got.Status)
	assert.Equal(t, `{"error":"timeout"}`, got.Body)
}

// On HTTP/1.0 only the end of the connection may mark the end of a body. An aborted
// response must end in a reset instead.
func TestLateErrorResetsHTTP10(t *testing.T) {
	m := mapper()
	for desc, h := range map[string]http.Handler{
		"an error": m.Handler(func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			return errSecret
		}),
		"a panic": m.Recover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic("boom")
		})),
	} {
		t.Run(desc, func(t *testing.T) {
			srv := testhttp.HTTP1.Start(t, newSpy().wrap(h))
			got := srv.Misbehaving().HTTP10(t, srv.Request(t, http.MethodGet, "/", nil))
			assert.Equal(t, "half", got.Body)
			assert.ErrorIs(t, got.Err, syscall.ECONNRESET)
		})
	}
}
