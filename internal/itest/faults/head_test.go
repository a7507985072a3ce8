//go:build wire

package faults_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestSwitchingProtocolsOnHTTP2: on HTTP/2 net/http sends a 101 as it sends a 103. The
// response follows with the handler's headers, and the deadline applies.
func TestSwitchingProtocolsOnHTTP2(t *testing.T) {
	each(t, []string{"2"}, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		release := make(latch)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			if r.URL.Path == "/late" {
				<-release
			}
			w.Header().Set("X-Own", "x")
			io.WriteString(w, "body")
		}))
		t.Cleanup(release.open)
		c := raw.Dial(t, srv.Addr, proto)
		got := raw.Do(t, c, &raw.Request{})
		assert.Equal(t, []any{[]int{101}, 200, "x", "body", raw.Whole}, []any{got.Early, got.Status, got.Field("X-Own"), got.Body, got.End})
		late := raw.Do(t, c, &raw.Request{Path: "/late"})
		assert.Equal(t, []any{[]int{101}, 504}, []any{late.Early, late.Status})
		if s.logs {
			assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(records.Next(t)))
			assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
		}
	})
}

// TestTrailersWithoutTheirAnnouncement: trailers were announced with the head, and the
// handler then removes the announcement from its map.
func TestTrailersWithoutTheirAnnouncement(t *testing.T) {
	each(t, raw.Protocols[1:], stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		srv, _ := serve(t, s, o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			io.WriteString(w, "body")
			http.NewResponseController(w).Flush()
			w.Header().Del("Trailer")
			w.Header().Set("X-Sum", "1")
		}))
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
		assert.Equal(t, []any{"body", "1", raw.Whole}, []any{got.Body, got.Trailer.Get("X-Sum"), got.End})
	})
}

// TestLengthOfAnUnwrittenBody: the handler declares a length and writes nothing. The
// client's response is broken, and the record says so.
func TestLengthOfAnUnwrittenBody(t *testing.T) {
	each(t, raw.Protocols, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		srv, records := serve(t, s, o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
		}))
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{}) // on HTTP/2 the stream ends before 5 bytes
		head := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{Method: http.MethodHead})
		assert.Equal(t, []any{"5", "", "5", raw.Whole}, []any{got.Field("Content-Length"), got.Body, head.Field("Content-Length"), head.End})
		if s.logs {
			assert.Equal(t, line{Status: 200, Outcome: "short_body"}, lineOf(records.Next(t)))
			assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(records.Next(t)))
		}
	})
}

// TestHeadAfterTheWriteDeadline: a write deadline that the handler has set resets the
// HTTP/2 stream before the head is sent, and the record has no status.
func TestHeadAfterTheWriteDeadline(t *testing.T) {
	each(t, []string{"2"}, stacks, outsides[:1], func(t *testing.T, proto string, s *stack, o *outside) {
		srv, records := serve(t, s, o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
			io.WriteString(w, "body")
		}))
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{Method: http.MethodHead})
		assert.Equal(t, []any{0, raw.Reset}, []any{got.Status, got.End})
		if s.logs {
			l := lineOf(records.Next(t))
			l.Intended = 0
			assert.Equal(t, line{Outcome: "write_timeout"}, l)
		}
	})
}

// TestTrailersThatAreMissing: the whole body was sent, but not the trailers that were
// announced. HTTP/2 sends them after a body with a length, too, so the response is
// broken, whether a deadline or an error ends it.
func TestTrailersThatAreMissing(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusNoContent} {
		for _, returns := range []bool{true, false} {
			each(t, []string{"2"}, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				release := make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Trailer", "X-Sum")
					if status == http.StatusOK {
						w.Header().Set("Content-Length", "4")
					}
					w.WriteHeader(status)
					io.WriteString(w, "body")
					if r.URL.Path == "/failed" {
						errs.Write(w, r, errUnknown)
						return
					}
					<-r.Context().Done()
					if !returns {
						<-release
					}
				}))
				t.Cleanup(release.open)
				c := raw.Dial(t, srv.Addr, proto)
				for path, outcome := range map[string]logging.Outcome{"/late": "deadline", "/failed": "error"} {
					got := raw.Do(t, c, &raw.Request{Path: path})
					assert.Equal(t, []any{status, raw.Reset}, []any{got.Status, got.End}, path)
					if s.logs {
						r := recordOf(t, records, path)
						assert.Equal(t, []any{status, outcome, true}, []any{r.Status, r.Outcome, r.Truncated}, path)
					}
				}
				head := raw.Do(t, c, &raw.Request{Method: http.MethodHead, Path: "/failed"})
				assert.Equal(t, []any{status, raw.Whole}, []any{head.Status, head.End}, "nothing follows the head")
			})
		}
	}
}

// TestHeadersOfMiddlewareBetween: middleware between logging and timeout gets the
// header map before the handler runs, and sets a header or a trailer in it afterwards.
func TestHeadersOfMiddlewareBetween(t *testing.T) {
	between := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Trailer", "Server-Timing")
			next.ServeHTTP(w, r)
			h.Set("Server-Timing", "total;dur=1")
		})
	}
	s := stack{"logging, middleware, timeout", true, false, func(r *raw.Records, c timeout.Config) middleware {
		return bulwark.Chain(logging.New(r.Config()), between, timeout.New(c))
	}}
	each(t, raw.Protocols[1:], []stack{s}, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		srv, _ := serve(t, s, o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Own", "x")
			if r.URL.Path == "/written" {
				io.WriteString(w, "body")
				http.NewResponseController(w).Flush()
			}
		}))
		c := raw.Dial(t, srv.Addr, proto)
		got := raw.Do(t, c, &raw.Request{})
		assert.Equal(t, []string{"x", "total;dur=1"}, []string{got.Field("X-Own"), got.Field("Server-Timing")})
		written := raw.Do(t, c, &raw.Request{Path: "/written"})
		assert.Equal(t, []string{"x", "total;dur=1"}, []string{written.Field("X-Own"), written.Trailer.Get("Server-Timing")})
	})
}

// TestHeadersWhileAPartHasADeadline: a handler serves parts of a request at the same
// time, each with a deadline. As long as one of them can still answer, the answer does
// not have the headers of the handler.
func TestHeadersWhileAPartHasADeadline(t *testing.T) {
	s := stack{"logging", true, false, func(r *raw.Records, _ timeout.Config) middleware { return logging.New(r.Config()) }}
	until := timeout.New(timeout.Config{Limit: limit})
	each(t, raw.Protocols[1:], []stack{s}, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		srv, records := serve(t, s, o, timeout.Config{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begun, second, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(returned)
				until(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
					close(begun)
					<-second
				})).ServeHTTP(httptest.NewRecorder(), r)
			}()
			<-begun
			until(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				close(second)
				<-returned
				w.Header().Set("X-Own", "x")
				<-r.Context().Done()
			})).ServeHTTP(httptest.NewRecorder(), r)
		}))
		got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
		assert.Equal(t, []any{504, ""}, []any{got.Status, got.Field("X-Own")})
		assert.Equal(t, logging.OutcomeDeadline, records.Next(t).Outcome)
	})
}
