package errmap_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/timeout"
)

// gone is a handler that waits for its client to leave.
func gone(err func(context.Context) error) func(http.ResponseWriter, *http.Request) error {
	return func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		return err(r.Context())
	}
}

// A client that only closes its half of the connection still reads: it must not
// see a 200 that nobody meant.
func TestClientGone(t *testing.T) {
	for desc, err := range map[string]func(context.Context) error{
		"its cancellation":  func(ctx context.Context) error { return ctx.Err() },
		"its cause":         context.Cause,
		"some other error":  func(context.Context) error { return errSecret },
		"a server's answer": func(context.Context) error { return &errmap.Problem{Status: 404} },
	} {
		t.Run(desc, func(t *testing.T) {
			s := newSpy()
			srv := server(t, s.wrap(mapper().Handler(gone(err))), false)
			conn, derr := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, derr)
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())
			b, _ := io.ReadAll(conn)
			assert.Empty(t, string(b))
			e := <-s.ended
			assert.True(t, e.ClientGone)
			assert.Zero(t, e.Status)
			assert.Zero(t, e.Intended)
			assert.Error(t, e.Cause)
		})
	}
}

func TestClientGoneHTTP2(t *testing.T) {
	s := newSpy()
	started := make(chan struct{})
	srv := server(t, s.wrap(mapper().Handler(func(w http.ResponseWriter, r *http.Request) error {
		close(started)
		return gone(context.Cause)(w, r)
	})), true)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
	_, err := srv.Client().Do(req)
	require.ErrorIs(t, err, context.Canceled)
	e := <-s.ended
	assert.True(t, e.ClientGone)
	assert.Zero(t, e.Status)
}

func TestMapperGone(t *testing.T) {
	statuses := make(chan int, 1)
	m := mapper()
	srv := server(t, m.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		<-r.Context().Done()
		statuses <- m.Problem(r, r.Context().Err()).Status
		return nil
	}), false)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	conn.Close()
	assert.Equal(t, 499, <-statuses)
}

// The whole deadline: the answer is errmap's while the handler is stuck, and what
// the handler returns afterwards changes nothing.
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
	for _, v := range []struct {
		name  string
		http2 bool
	}{{"HTTP1", false}, {"HTTP2", true}} {
		t.Run(v.name, func(t *testing.T) {
			srv := server(t, h, v.http2)
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
}

// The panic of a handler that outlived its deadline is timeout's to report.
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
	onBoth(t, h, func(t *testing.T, srv *httptest.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		assert.Equal(t, 504, res.StatusCode)
		release <- struct{}{}
		assert.Equal(t, any("late"), <-late)
		res.Body.Close()
	})
}

// An informational response commits nothing; a switched protocol is somebody
// else's connection.
func TestInformational(t *testing.T) {
	hints := server(t, mapper(is(errNotFound, 404)).Handler(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		return errNotFound
	}), false)
	got := raw(t, hints, "GET / HTTP/1.1\nHost: x\nConnection: close\n\n")
	assert.Contains(t, got, "HTTP/1.1 103 Early Hints\r\n")
	assert.Contains(t, got, "HTTP/1.1 404 Not Found\r\n")

	s := newSpy()
	switched := server(t, s.wrap(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusSwitchingProtocols)
		return errNotFound
	})), false)
	got = raw(t, switched, "GET / HTTP/1.1\nHost: x\nConnection: close\n\n")
	assert.Contains(t, got, "HTTP/1.1 101 Switching Protocols\r\n")
	assert.NotContains(t, got, "Not Found")
	assert.False(t, (<-s.ended).Cut)
}

// A panic of a handler whose client has left is noted and not answered.
func TestRecoverClientGone(t *testing.T) {
	s := newSpy()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h := s.wrap(mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })))
	rec := httptest.NewRecorder()
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { h.ServeHTTP(rec, get().WithContext(ctx)) })
	assert.Empty(t, rec.Body.String())
	assert.Equal(t, any("boom"), (<-s.ended).Panic)
}

// A read that ran into a deadline says nothing about the client, although
// net/http cancels the request's context for it: the client gets its answer.
func TestReadDeadlineIsAnswered(t *testing.T) {
	errs := errmap.New(errmap.Config{Render: errmap.ErrorJSON})
	srv := httptest.NewServer(errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return err
		}
		_, err := io.ReadAll(r.Body)
		return err
	}))
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc")
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	assert.Equal(t, `504 {"error":"timeout"}`, strconv.Itoa(res.StatusCode)+" "+string(body))
}

// On HTTP/1.0 the end of the connection may be all that ends a body: a response
// that broke off must not end like that.
func TestALateErrorIsSeenOnHTTP10(t *testing.T) {
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
			srv := server(t, newSpy().wrap(h), false)
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
			b, err := io.ReadAll(conn)
			assert.Contains(t, string(b), "half")
			assert.ErrorIs(t, err, syscall.ECONNRESET)
		})
	}
}
