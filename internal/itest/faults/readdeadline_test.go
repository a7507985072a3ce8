//go:build wire

package faults_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestReadDeadlineOfABodilessRequest: net/http cancels the context of a request
// whose read deadline passes, though the client is there. Its answer is sent.
//
// https://github.com/golang/go/issues/70834
func TestReadDeadlineOfABodilessRequest(t *testing.T) {
	bare := stack{"without middleware", false, false, func(*raw.Records, timeout.Config) middleware { return bulwark.Chain() }}
	handlers := []struct {
		desc   string
		do     func(http.ResponseWriter, *http.Request)
		mapped bool
		status int
		body   string
		line   line
	}{
		{"nothing", func(http.ResponseWriter, *http.Request) {}, false, 200, "", line{Status: 200, Outcome: "ok"}},
		{"a body", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, false, 200, "hello", line{Status: 200, Outcome: "ok"}},
		{"a flushed body", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "hel")
			http.NewResponseController(w).Flush()
			io.WriteString(w, "lo")
		}, false, 200, "hello", line{Status: 200, Outcome: "ok"}},
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, false, 404, "", line{Status: 404, Outcome: "ok"}},
		{"an error", func(w http.ResponseWriter, r *http.Request) { errs.Write(w, r, errTeapot) }, true, 418, "errmap: I'm a teapot", line{Status: 418, Outcome: "ok"}},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("of the handler") }, true, 500, "errmap: Internal Server Error", line{Status: 500, Outcome: "panic"}},
	}
	for _, h := range handlers {
		for _, ahead := range []time.Duration{-time.Second, limit / 5} {
			name := h.desc
			if ahead < 0 {
				name += ", a deadline in the past"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				each(t, every, append([]stack{bare}, canceledStacks...), outsides, func(t *testing.T, proto string, s *stack, o *outside) {
					if h.mapped && s.desc == bare.desc {
						t.Skip("nothing maps it")
					}
					srv, records := serve(t, s, o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						assert.NoError(t, http.NewResponseController(w).SetReadDeadline(time.Now().Add(ahead)))
						select {
						case <-r.Context().Done():
						case <-time.After(limit / 2):
						}
						h.do(w, r)
					}))
					got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
					assert.Equal(t, [3]any{h.status, h.body, raw.Whole}, [3]any{got.Status, got.Body, got.End})
					if s.logs {
						assert.Equal(t, h.line, lineOf(records.Next(t)))
					}
				})
			})
		}
	}
}

// TestReadDeadlineIsKept: the handler's own read deadline counts, with any deadlines
// that the packages set.
func TestReadDeadlineIsKept(t *testing.T) {
	guards := []stack{
		whole,
		{"a rate", true, false, func(r *raw.Records, _ timeout.Config) middleware {
			return bulwark.Chain(logging.New(r.Config()), limits.New(limits.Config{MinBodyRate: 1, BodyGrace: time.Minute}))
		}},
		{"a rate and a deadline", true, false, func(r *raw.Records, c timeout.Config) middleware {
			return bulwark.Chain(logging.New(r.Config()), timeout.New(c), limits.New(limits.Config{MinBodyRate: 1, BodyGrace: time.Minute}))
		}},
	}
	for _, at := range []string{"before a Read", "between two", "before a form"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			each(t, every, guards, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				result := make(chan error, 1)
				srv, records := serve(t, s, o, timeout.Config{Limit: time.Minute}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if at == "between two" {
						_, err := r.Body.Read(make([]byte, 3))
						assert.NoError(t, err)
					}
					assert.NoError(t, http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit/2)))
					var err error
					if at == "before a form" {
						err = r.ParseForm()
					} else {
						_, err = io.ReadAll(r.Body)
					}
					result <- err
					http.Error(w, "stalled", 400)
				}))
				got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{
					Method: "POST", Header: []string{"Content-Type: application/x-www-form-urlencoded"}, Body: "a=b", Length: 10, Stalls: true,
				})
				assert.Equal(t, [3]any{400, "stalled\n", raw.Whole}, [3]any{got.Status, got.Body, got.End})
				assert.ErrorIs(t, <-result, os.ErrDeadlineExceeded)
				assert.Equal(t, line{Status: 400, Outcome: "ok"}, lineOf(records.Next(t)))
			})
		})
	}
}

// TestReadTimeoutInTheTrailers: net/http reports a ReadTimeout that passes in the
// trailers of a request as a malformed trailer, and cancels the context as if the client
// had left. The client is there.
func TestReadTimeoutInTheTrailers(t *testing.T) {
	for _, tt := range []struct {
		desc   string
		stuck  bool // until the deadline
		status int
		line   line
	}{
		{"the handler answers", false, 200, line{Status: 200, Outcome: "ok"}},
		{"the deadline answers", true, 504, line{Status: 504, Outcome: "deadline", Abandoned: true}},
	} {
		for _, trailer := range []string{"0\r\n", "0\r\nX-Su"} {
			t.Run(tt.desc+", "+strings.TrimSpace(trailer[1:]), func(t *testing.T) {
				t.Parallel()
				each(t, []string{"1.1"}, stacks[1:4], outsides, func(t *testing.T, proto string, s *stack, o *outside) {
					records, release := raw.NewRecords(), make(latch)
					srv := raw.Start(t, &http.Server{
						ReadTimeout: limit,
						Handler: o.mw(s.build(records, timeout.Config{Limit: 2 * limit})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							_, err := io.Copy(io.Discard, r.Body)
							assert.Error(t, err)
							if tt.stuck {
								<-release
							}
							io.WriteString(w, "done")
						}))),
					})
					t.Cleanup(release.open)
					c := raw.DialHTTP1(t, srv.Addr, proto)
					c.Send(t, &raw.Request{Method: "POST", Body: "body", Length: -1, Stalls: true})
					c.Text(t, trailer)
					got := c.Receive(t)
					assert.Equal(t, [2]any{tt.status, raw.Whole}, [2]any{got.Status, got.End})
					assert.Equal(t, tt.line, lineOf(records.Next(t)))
					alone(t, records)
				})
			})
		}
	}
}
