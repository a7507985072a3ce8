package inspect_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/inspect"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// Without package logging there is no log record, so failures go to the server's
// ErrorLog, with and without an inspector.
func TestFailuresWithoutALogRecord(t *testing.T) {
	errs := errmap.New(errmap.Config{})
	release := newGate()
	defer release.open()
	mux := http.NewServeMux()
	mux.Handle("GET /broken", errs.Handler(func(http.ResponseWriter, *http.Request) error { return errors.New("no database") }))
	mux.HandleFunc("GET /late", func(http.ResponseWriter, *http.Request) {
		<-release.c
		panic("too late")
	})
	in := inspect.New(inspect.Config{})
	var errorLog testhttp.Lines
	s := testhttp.HTTP1.Start(t, bulwark.Chain(in.Middleware, timeout.New(timeout.Config{Limit: 50 * time.Millisecond}))(mux),
		func(s *httptest.Server) { s.Config.ErrorLog = log.New(&errorLog, "", 0) })
	send(t, s, http.MethodGet, "/broken", nil)()
	send(t, s, http.MethodGet, "/late", nil)()
	release.open()
	eventually(t, in, none)
	for _, want := range []string{"no database", "too late"} {
		require.Eventually(t, func() bool { return strings.Contains(errorLog.String(), want) }, testhttp.Patience, time.Millisecond)
	}
	assert.Len(t, look(t, in).Failures, 2)
}

// A middleware that returns before its handler breaks the rules of net/http. Its
// goroutine is not shown as the handler of the next request.
func TestGoroutineThatOutlivesItsRequest(t *testing.T) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	defer release.open()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer release.open()
	begun := make(chan struct{}, 1)
	leaves := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			wg.Go(func() { next.ServeHTTP(w, r) })
			<-begun
		})
	}
	left := bulwark.Chain(logTo(io.Discard), leaves, in.Middleware)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		begun <- struct{}{}
		stuck(release.c)
	}))
	serve(left, "/left")
	assert.Zero(t, look(t, in).InFlight)
	h := stack(in, time.Minute, io.Discard)(http.HandlerFunc(release.wait))
	wg.Go(func() { serve(h, "/here") })
	r := eventually(t, in, func(r report) bool { return r.InFlight == 1 })
	d := lookInto(t, in, r.Requests[0].Key)
	require.Len(t, d.Goroutines, 2)
	for _, g := range d.Goroutines {
		assert.False(t, g.Handler, "it cannot be told which one is")
	}
}
