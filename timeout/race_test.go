package timeout_test

import (
	"context"
	"fmt"
	"io"
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

	"github.com/bulwark-go/bulwark/timeout"
)

// meddle touches everything of a request and a response that a handler can,
// until some time after the deadline, in the name of its id.
func meddle(w http.ResponseWriter, r *http.Request, id string, until <-chan struct{}) {
	ctx := r.Context()
	for i := 0; ; i++ {
		select {
		case <-until:
			return
		case <-time.After(time.Millisecond): // or two hundred keep two cores from anything else
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

// Handlers that mutate headers, request and response across the deadline, two
// hundred at once: the race detector is silent, the process lives, and no
// client sees a byte that is another's.
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
				s.get(t) // or HTTP/2 dials two hundred times
				var clients sync.WaitGroup
				for i := range requests {
					clients.Go(func() {
						id := fmt.Sprintf("request-%06d", i)
						req := s.request(t, http.MethodGet, http.NoBody)
						req.URL.RawQuery = "id=" + id
						assertOwn(t, s.do(t, req), id)
					})
				}
				clients.Wait()
				running.Wait()
				assert.NotContains(t, s.log.String(), "panic")
			})
		}
	})
}

// assertOwn checks that nothing in a response belongs to another request.
func assertOwn(t *testing.T, g got, id string) {
	t.Helper()
	if seen := g.header.Get("X-Id"); seen != "" {
		assert.Equal(t, id, seen)
	}
	if g.status == http.StatusGatewayTimeout {
		assert.Empty(t, g.header.Get("X-Id"), "a header of the success that was given up")
		assert.NotContains(t, g.body, "request-")
		return
	}
	for line := range strings.Lines(g.body) {
		assert.True(t, line == id+"\n" || strings.HasPrefix(id+"\n", line), "%q in the response of %s", line, id)
	}
}

// Fast and slow requests mixed on the same connections: every one gets exactly
// its own body, or its own 504, or is visibly cut.
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
					req := s.request(t, http.MethodGet, http.NoBody)
					req.URL.RawQuery = "id=" + id
					g := s.do(t, req)
					assertOwn(t, g, id)
					if g.status == http.StatusOK && g.err == nil {
						assert.Len(t, g.body, 8*64*(len(id)+1), "a clean end is a whole one")
					}
				}
			})
		}
		clients.Wait()
	})
}

// Everything that can end a request, at the same moment: one of them does.
func TestRaceOfEndings(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		s := v.start(t, recovered(timeout.New(timeout.Config{Limit: limit})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				<-time.After(limit - time.Millisecond + time.Duration(rand.N(int64(2*time.Millisecond))))
				switch rand.N(6) {
				case 0:
					_, _ = timeout.Extend(r.Context(), time.Second)
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
		s.get(t)
		var clients sync.WaitGroup
		for range 100 {
			clients.Go(func() {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				if rand.N(4) == 0 {
					time.AfterFunc(limit, leave)
				}
				g := s.do(t, s.request(t, http.MethodGet, http.NoBody).WithContext(ctx))
				assert.Contains(t, []int{0, http.StatusOK, http.StatusInternalServerError, http.StatusGatewayTimeout}, g.status)
			})
		}
		clients.Wait()
	})
}

// A connection breaks while an informational response goes out: the race
// detector is silent, although net/http may still be writing the headers when the
// handler goes on.
func TestRaceAfterAnInformationalResponse(t *testing.T) {
	v := variants[1]
	s := v.start(t, timeout.New(timeout.Config{Limit: watchdog})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; r.Context().Err() == nil; i++ {
			w.Header().Set("X-Count", fmt.Sprint(i))
			w.WriteHeader(http.StatusEarlyHints)
		}
	})))
	tr := s.client.Transport.(*http.Transport)
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
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
			if assert.NoError(t, err) {
				_, err = own.RoundTrip(req)
				assert.Error(t, err)
			}
		})
	}
	all.Wait()
}
