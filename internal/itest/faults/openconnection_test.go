//go:build wire

package faults_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// stuckHandler is what a handler does before it is stuck until its release.
type stuckHandler struct {
	desc    string
	request raw.Request
	status  int
	do      func(http.ResponseWriter, *http.Request)
}

var stuckHandlers = []stuckHandler{
	{"nothing done", raw.Request{}, 504, func(http.ResponseWriter, *http.Request) {}},
	{"HEAD", raw.Request{Method: "HEAD"}, 504, func(http.ResponseWriter, *http.Request) {}},
	{"headers set", raw.Request{}, 504, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", "12345")
		w.Header().Set("X-Handler", "stuck")
	}},
	{"a body read", raw.Request{Method: "POST", Body: "12345"}, 504, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}},
	{"a body unread", raw.Request{Method: "POST", Body: "12345"}, 504, func(http.ResponseWriter, *http.Request) {}},
	{"a body unread and withheld", raw.Request{Method: "POST", Body: "1", Length: 5, Stalls: true}, 504, func(http.ResponseWriter, *http.Request) {}},
	{"a body unread and asked for", raw.Request{Method: "POST", Header: []string{"Expect: 100-continue"}, Length: 5, Stalls: true}, 504, func(http.ResponseWriter, *http.Request) {}},
	{"a body waited for", raw.Request{Method: "POST", Body: "1", Length: 5, Stalls: true}, 408, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}},
	{"a chunked body waited for", raw.Request{Method: "POST", Body: "1", Length: -1, Stalls: true}, 408, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
	}},
}

// TestAnswerEndsTheConnection: a client that reads to the end of the connection, as an
// HTTP/1.0 client has to, sees that end after the answer, not when the handler
// returns.
//
// https://github.com/ninenines/cowboy/issues/64
// https://github.com/urllib3/urllib3/issues/1524
func TestAnswerEndsTheConnection(t *testing.T) {
	for _, h := range stuckHandlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, http1, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				if proto == "1.0" && (h.request.Length < 0 || len(h.request.Header) > 0) {
					t.Skip("HTTP/1.0 has neither chunks nor Expect")
				}
				release := make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					h.do(w, r)
					<-release
				}))
				t.Cleanup(release.open)
				c := raw.Dial(t, srv.Addr, proto)
				got := raw.Do(t, c, &h.request)
				got.Early = nil // if the handler reads the body, the client gets a 100 Continue
				assert.Equal(t, s.lateAnswer(proto, h.request.Method, h.status), got.Stable())
				assert.NoError(t, c.Ended(), "the end of the connection")
				if s.logs {
					assert.Equal(t, line{Status: h.status, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
				}
			})
		})
	}
}

// TestPipelinedRequestAfterTheAnswer: the connection ends all the same, and the second
// request is not served.
func TestPipelinedRequestAfterTheAnswer(t *testing.T) {
	each(t, []string{"1.1"}, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
		release := make(latch)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		t.Cleanup(release.open)
		c := raw.Dial(t, srv.Addr, proto)
		c.Send(t, &raw.Request{})
		c.Send(t, &raw.Request{Path: "/second"})
		assert.Equal(t, s.lateAnswer(proto, "GET", 504), c.Receive(t).Stable())
		assert.NoError(t, c.Ended(), "the end of the connection")
		if s.logs {
			assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
			release.open()
			srv.Close()
			alone(t, records)
		}
	})
}

// TestAnswerToAClientThatSends: a client that reads while it sends a long body gets the
// complete answer. A client that reads only afterwards does not wait until the handler
// returns.
func TestAnswerToAClientThatSends(t *testing.T) {
	const length = 64 << 20
	for _, reads := range []bool{true, false} {
		name := "reads at the end"
		if reads {
			name = "reads"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, http1, stacks, outsides, func(t *testing.T, proto string, s *stack, o *outside) {
				release := make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
				t.Cleanup(release.open)
				c := raw.DialHTTP1(t, srv.Addr, proto)
				c.Send(t, &raw.Request{Method: "POST", Length: length, Stalls: true})
				sent := make(chan error, 1)
				go func() {
					c.SetWriteDeadline(time.Now().Add(raw.Patience))
					piece := make([]byte, 64<<10)
					for range length / len(piece) {
						if _, err := c.Write(piece); err != nil {
							sent <- err
							return
						}
					}
					sent <- nil
				}()
				if reads {
					assert.Equal(t, s.lateAnswer(proto, "POST", 504), c.Receive(t).Stable())
				}
				err := <-sent
				if nerr, ok := err.(net.Error); ok { //nolint:errorlint // as Write returns it
					assert.False(t, nerr.Timeout(), "the client still sends when its patience ends")
				}
				if s.logs {
					assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
				}
			})
		})
	}
}

// TestAnswerBehindAnOpaqueWriter: if the connection cannot be taken over, the answer is
// complete and announces that the connection will be closed.
func TestAnswerBehindAnOpaqueWriter(t *testing.T) {
	flushing := []outside{{"a writer without Unwrap", func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(struct {
				http.ResponseWriter
				http.Flusher
			}{w, w.(http.Flusher)}, r)
		})
	}, true}}
	each(t, http1, stacks, flushing, func(t *testing.T, proto string, s *stack, o *outside) {
		release := make(latch)
		srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		t.Cleanup(release.open)
		c := raw.DialHTTP1(t, srv.Addr, proto)
		want := s.lateAnswer(proto, "GET", 504)
		got := raw.Do(t, c, &raw.Request{}).Stable()
		if proto == "1.0" { // it may announce it
			want.Header.Del("Connection")
			got.Header.Del("Connection")
		}
		assert.Equal(t, want, got)
		if s.logs {
			assert.Equal(t, line{Status: 504, Outcome: "deadline", Abandoned: true}, lineOf(records.Next(t)))
		}
		release.open()
		assert.NoError(t, c.Ended(), "the end of the connection")
	})
}
