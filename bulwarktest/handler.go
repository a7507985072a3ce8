package bulwarktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/debug"
	"testing"
	"time"
)

// HonorsContext checks that handler returns soon after the context of request has
// ended. It serves the request with a context that ends after the duration within.
// The test fails if the handler is still running when twice that duration has
// passed. The failure shows the handler's stack.
//
// Make the handler wait for something that never happens, such as a query to a
// database that does not answer. The test also fails if the handler returns before
// its context has ended, because nothing was checked. The response does not matter.
// When the context ends, the request's body is closed, so that a handler that is
// reading from a stalled client gets an error, as on a server with a deadline.
//
// If the check fails, the handler is left running.
func HonorsContext(t testing.TB, handler http.Handler, request *http.Request, within time.Duration) {
	t.Helper()
	if within <= 0 {
		t.Fatal("bulwarktest: HonorsContext: within must be positive")
	}
	ctx, cancel := context.WithTimeout(request.Context(), within)
	defer cancel()
	r := request.WithContext(ctx)
	if request.Body != nil && request.Body != http.NoBody {
		r.Body = &bodyUntil{request.Body, ctx}
		defer context.AfterFunc(ctx, func() { _ = request.Body.Close() })()
	}
	g := start(handler, httptest.NewRecorder(), r)
	select {
	case <-g.done:
		if ctx.Err() == nil {
			t.Errorf("bulwarktest: HonorsContext: the handler returned before its context ended, so nothing was checked; make it wait for something")
		}
		g.report(t, "HonorsContext")
		return
	case <-ctx.Done():
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-g.done:
		g.report(t, "HonorsContext")
	case <-timer.C:
		t.Errorf("bulwarktest: HonorsContext: the handler is still running %v after its context ended:\n%s", within, g.stacks())
	}
}

// bodyUntil is a body whose reads fail once ctx has ended.
type bodyUntil struct {
	io.ReadCloser
	ctx context.Context
}

func (b *bodyUntil) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && b.ctx.Err() != nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// LeaksNothing checks that handler leaves no goroutine behind. It serves the
// request several times, and cancels the request's context each time the handler
// has returned, as a server does. The test fails if, a second later, at least one
// goroutine for each request is still running. The failure shows the stacks of
// these goroutines.
//
// Goroutines that the handler starts only once, such as those of a connection pool,
// do not count. If the handler makes a request and does not close the response
// body, the goroutines of that connection count.
func LeaksNothing(t testing.TB, handler http.Handler, request *http.Request) {
	t.Helper()
	body := readBody(t, request)
	serve := func(label string) bool {
		ctx, cancel := context.WithCancel(request.Context())
		defer cancel()
		r := request.Clone(ctx)
		if request.Body != nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		g := startLabeled(label, handler, httptest.NewRecorder(), r)
		<-g.done
		return g.report(t, "LeaksNothing")
	}
	if !serve(newLabel()) { // the first request fills pools
		return
	}
	label := newLabel()
	for range servings {
		if !serve(label) {
			return
		}
	}
	var left []goroutines
	for wait := time.Millisecond; wait < time.Second; wait *= 2 {
		if left = leaked(label); len(left) == 0 {
			return
		}
		time.Sleep(wait)
	}
	for _, l := range left {
		t.Errorf("bulwarktest: LeaksNothing: after %d requests, %d goroutines are left here:\n%s", servings, l.count, l.stack)
	}
}

// servings is how often LeaksNothing serves the request.
const servings = 8

// leaked returns the goroutines under label if there is at least one for each
// request. It counts the goroutines of all stacks together, because a goroutine
// that has not run yet has a different stack.
func leaked(label string) []goroutines {
	left, sum := labeled(label), 0
	for _, g := range left {
		sum += g.count
	}
	if sum < servings {
		return nil
	}
	return left
}

// serving is a handler that runs on its own goroutine.
type serving struct {
	label    string
	done     chan struct{}
	panicked any
	stack    []byte
}

func start(h http.Handler, w http.ResponseWriter, r *http.Request) *serving {
	return startLabeled(newLabel(), h, w, r)
}

// report reports a panic. http.ErrAbortHandler is not a fault, because a handler
// may abort its response with it.
func (g *serving) report(t testing.TB, check string) (ok bool) {
	t.Helper()
	if g.panicked == nil {
		return true
	}
	if err, isError := g.panicked.(error); isError && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	t.Errorf("bulwarktest: %s: the handler panicked: %s\n%s", check, fmt.Sprint(g.panicked), g.stack)
	return false
}

func (g *serving) run(h http.Handler, w http.ResponseWriter, r *http.Request) {
	defer close(g.done)
	defer func() {
		if g.panicked = recover(); g.panicked != nil {
			g.stack = debug.Stack()
		}
	}()
	h.ServeHTTP(w, r)
}
