package timeout_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/bulwarktest"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// meddle uses everything of a request and a response that a handler can use, until some
// time after the deadline, and writes its id.
func meddle(w http.ResponseWriter, r *http.Request, id string, until <-chan struct{}) {
	ctx := r.Context()
	for i := 0; ; i++ {
		select {
		case <-until:
			return
		case <-time.After(time.Millisecond): // otherwise two hundred keep two cores busy
		}
		w.Header().Set("X-Id", id)
		w.Header().Add("X-Many", id)
		w.Header().Del("X-Many")
		r.Header.Set("X-Touched", id)
		r.Header.Del("Accept")
		r.URL.Path, r.URL.RawQuery = "/"+id, "id="+id
		r.Host, r.Method, r.RemoteAddr, r.Pattern = id, "PUT", id, "/{"+id+"}"
		r.Form, r.PostForm = nil, nil
		_ = r.ParseForm()
		r.SetPathValue("id", id)
		r.Body = http.NoBody
		*r = *r.WithContext(context.WithValue(ctx, touchKey{}, id))
		w.Header()["X-Slice"] = append(w.Header()["X-Slice"][:0:0], id)
		if i > 10 && rand.N(100) == 0 {
			_, _ = io.WriteString(w, id+"\n")
		}
		_, _, _ = r.Context().Err(), r.FormValue("id"), r.Context().Value(touchKey{})
	}
}

// Two hundred handlers at once change headers, request and response across the
// deadline: there is no data race, the process survives, and no client gets a byte of
// another's response.
//
// Reported elsewhere:
//   - answers glued together, concurrent map writes, https://github.com/gin-contrib/timeout/issues/15
//   - a race between the handler and the framework's context, https://github.com/gin-contrib/timeout/issues/34
//   - one request's bytes in another's response, https://github.com/milvus-io/milvus/issues/49981
//   - concurrent map writes end the process, https://github.com/vearne/gin-timeout/issues/10
//   - concurrent map read and map write, https://github.com/labstack/echo/issues/1761
//   - a header map is shared with an abandoned handler, https://github.com/kubernetes/kubernetes/issues/105759
func TestRaceAcrossTheDeadline(t *testing.T) {
	const requests = 200
	answer := func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("X-Answer", r.URL.Path+r.Host+r.Method)
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
	}
	everywhere(t, func(t *testing.T, v variant) {
		for _, cfg := range []timeout.Config{
			{Limit: limit},
			{Limit: limit, ErrorHandler: answer},
		} {
			t.Run(map[bool]string{false: "default", true: "ErrorHandler"}[cfg.ErrorHandler != nil], func(t *testing.T) {
				var running sync.WaitGroup
				s := v.start(t, timeout.New(cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					running.Add(1)
					defer running.Done()
					over := make(chan struct{})
					time.AfterFunc(limit+time.Duration(rand.N(int64(limit))), func() { close(over) })
					meddle(w, r, r.URL.Query().Get("id"), over)
				})))
				s.Get(t, "/") // otherwise HTTP/2 dials two hundred times
				var clients sync.WaitGroup
				for i := range requests {
					clients.Go(func() {
						id := fmt.Sprintf("request-%06d", i)
						req := s.Request(t, http.MethodGet, "/", http.NoBody)
						req.URL.RawQuery = "id=" + id
						assertOwn(t, s.Do(req), id)
					})
				}
				clients.Wait()
				running.Wait()
				assert.NotContains(t, s.Log.String(), "panic")
			})
		}
	})
}

// assertOwn checks that nothing in a response belongs to another request.
func assertOwn(t *testing.T, g bulwarktest.Result, id string) {
	t.Helper()
	if seen := g.Header.Get("X-Id"); seen != "" {
		assert.Equal(t, id, seen)
	}
	if g.Status == http.StatusGatewayTimeout {
		assert.Empty(t, g.Header.Get("X-Id"), "a header of the success that was given up")
		assert.NotContains(t, g.Body, "request-")
		return
	}
	for line := range strings.Lines(g.Body) {
		assert.True(t, line == id+"\n" || strings.HasPrefix(id+"\n", line), "%q in the response of %s", line, id)
	}
}

// Fast and slow requests are mixed on the same connections. Each gets exactly its own
// body or its own 504, or is visibly cut.
//
// Reported elsewhere:
//   - a pooled context is reused while the handler runs, https://github.com/gin-contrib/timeout/issues/67
//   - a pooled buffer is reused while the handler writes to it, https://github.com/gin-contrib/timeout/issues/65
//   - one request's bytes in another's response, https://github.com/milvus-io/milvus/issues/49981
//   - response writers are mixed up between requests, https://github.com/algorand/indexer/issues/786
func TestRaceOfMixedRequests(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				id := r.URL.Query().Get("id")
				switch rand.N(4) {
				case 0:
					<-r.Context().Done()
				case 1:
					<-time.After(limit - time.Millisecond + time.Duration(rand.N(int64(2*time.Millisecond))))
				}
				w.Header().Set("X-Id", id)
				for range 8 {
					if _, err := io.WriteString(w, strings.Repeat(id+"\n", 64)); err != nil {
						return
					}
				}
			})))
		var clients sync.WaitGroup
		for c := range 20 {
			clients.Go(func() {
				for i := range 10 {
					id := fmt.Sprintf("request-%03d-%03d", c, i)
					req := s.Request(t, http.MethodGet, "/", http.NoBody)
					req.URL.RawQuery = "id=" + id
					g := s.Do(req)
					assertOwn(t, g, id)
					if g.Status == http.StatusOK && g.Err == nil {
						assert.Len(t, g.Body, 8*64*(len(id)+1), "a clean end is a whole one")
					}
				}
			})
		}
		clients.Wait()
	})
}

// Of everything that can end a request at the same moment, one thing does.
func TestRaceOfEndings(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, recovered(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				<-time.After(limit - time.Millisecond + time.Duration(rand.N(int64(2*time.Millisecond))))
				switch rand.N(6) {
				case 0:
					_, _ = timeout.Reset(r.Context(), time.Second)
				case 1:
					panic("boom")
				case 2:
					flush(w)
				case 3:
					_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
				case 4:
					_, cancel := context.WithCancel(r.Context())
					cancel()
				}
			}))))
		s.Get(t, "/")
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if rand.N(4) == 0 {
					time.AfterFunc(limit, leave)
				}
				g := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody).WithContext(ctx))
				assert.Contains(t, []int{0, http.StatusOK, http.StatusInternalServerError, http.StatusGatewayTimeout}, g.Status)
			})
		}
		clients.Wait()
	})
}

// A connection breaks while an informational response is sent. There is no data race,
// although net/http may still be writing the headers when the handler continues.
func TestRaceAfterAnInformationalResponse(t *testing.T) {
	enforced := timeout.New(timeout.Config{Limit: testhttp.Patience})
	logged := logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)})
	for _, tt := range []struct {
		desc string
		mw   func(http.Handler) http.Handler
		uses bool // the handler uses the header map
	}{
		{"a header of the handler", enforced, true},
		{"a request id", logged, false},
		{"a request id and a deadline", func(h http.Handler) http.Handler { return logged(enforced(h)) }, false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			raceAfterAnInformationalResponse(t, tt.mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i := 0; r.Context().Err() == nil; i++ {
					if tt.uses {
						w.Header().Set("X-Count", fmt.Sprint(i))
					}
					w.WriteHeader(http.StatusEarlyHints)
				}
			})))
		})
	}
}

func raceAfterAnInformationalResponse(t *testing.T, h http.Handler) {
	s := variants[1].start(t, h)
	tr := s.Client().Transport.(*http.Transport)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			var conn net.Conn
			own := tr.Clone()
			defer own.CloseIdleConnections()
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				GotConn:        func(c httptrace.GotConnInfo) { conn = c.Conn },
				Got1xxResponse: func(int, textproto.MIMEHeader) error { return conn.Close() },
			})
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
			if assert.NoError(t, err) {
				_, err = own.RoundTrip(req)
				assert.Error(t, err)
			}
		})
	}
	all.Wait()
}
