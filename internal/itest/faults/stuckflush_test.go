//go:build wire

package faults_test

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestLastFlushOnHTTP2: a client that reads nothing does not keep the stream of a
// handler that has returned open without a limit.
//
// https://nvd.nist.gov/vuln/detail/CVE-2020-12604
func TestLastFlushOnHTTP2(t *testing.T) {
	const large = 100 << 10
	handlers := []struct {
		desc, method string
		do           func(http.ResponseWriter)
		want         raw.Answer
		line         line
	}{
		{desc: "a word", do: func(w http.ResponseWriter) { w.Write([]byte("hello")) }},
		{desc: "a word of declared length", do: func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "5")
			w.Write([]byte("hello"))
		}},
		{desc: "a flushed head, then a word", do: func(w http.ResponseWriter) {
			w.WriteHeader(200)
			http.NewResponseController(w).Flush()
			w.Write([]byte("hello"))
		}},
		{desc: "more than is buffered", do: func(w http.ResponseWriter) { w.Write(make([]byte, large)) }},
		{desc: "little by little", do: func(w http.ResponseWriter) {
			for range large / 100 {
				if _, err := w.Write(make([]byte, 100)); err != nil {
					return
				}
			}
		}},
		{desc: "with trailers", do: func(w http.ResponseWriter) {
			w.Header().Set("Trailer", "X-End")
			w.Write([]byte("hello"))
			w.Header().Set("X-End", "true")
		}},
		{desc: "nothing", do: func(http.ResponseWriter) {}, want: raw.Answer{Status: 200, End: raw.Whole}, line: line{Status: 200, Outcome: "ok"}},
		{desc: "HEAD", method: "HEAD", do: func(w http.ResponseWriter) { w.Write([]byte("hello")) }, want: raw.Answer{Status: 200, End: raw.Whole}, line: line{Status: 200, Outcome: "ok"}},
		{desc: "204", do: func(w http.ResponseWriter) { w.WriteHeader(204) }, want: raw.Answer{Status: 204, End: raw.Whole}, line: line{Status: 204, Outcome: "ok"}},
	}
	for _, h := range handlers {
		if h.want.Status == 0 {
			h.want, h.line = raw.Answer{Status: 200, End: raw.Reset}, line{Status: 200, Outcome: "deadline"}
		}
		for _, c := range []timeout.Config{{Limit: limit}, {Limit: time.Minute, Stream: limit}} {
			name := h.desc
			if c.Stream > 0 {
				name += ", a stream"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				each(t, http2, stacks, outsides, func(t *testing.T, _ string, s *stack, o *outside) {
					srv, records := serve(t, s, o, c, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { h.do(w) }))
					client := raw.DialHTTP2(t, srv.Addr, 0)
					got := raw.Do(t, client, &raw.Request{Method: h.method})
					assert.Equal(t, [3]any{h.want.Status, h.want.Body, h.want.End}, [3]any{got.Status, got.Body, got.End})
					assert.False(t, client.GoneAway(), "GOAWAY")
					if s.logs {
						l := lineOf(records.Next(t))
						l.Abandoned = false // a handler that is stuck in its write may count as abandoned
						if h.line.Outcome == "deadline" && l.Outcome == "ok" {
							l.Outcome = "deadline" // the server sends the end, and does not report it
						}
						assert.Equal(t, h.line, l)
						alone(t, records)
					}
				})
			})
		}
	}
}

// TestAnswerToAClientThatDoesNotRead: the answer at the deadline is bounded, too.
func TestAnswerToAClientThatDoesNotRead(t *testing.T) {
	for _, h := range lateHandlers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, http2, stacks, outsides, func(t *testing.T, _ string, s *stack, o *outside) {
				release := make(latch)
				srv, records := serve(t, s, o, timeout.Config{Limit: limit}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					h.wait(r.Context(), release)
				}))
				t.Cleanup(release.open)
				got := raw.Do(t, raw.DialHTTP2(t, srv.Addr, 0), &raw.Request{})
				assert.Equal(t, [3]any{504, "", raw.Reset}, [3]any{got.Status, got.Body, got.End})
				if s.logs {
					assert.Equal(t, line{Status: 504, Outcome: "deadline"}, h.line(records.Next(t)))
				}
			})
		})
	}
}

// TestLastFlushOnHTTP1: a client that does not read does not keep the connection of a
// handler that has returned, however much of the response the buffers between the two
// hold. What the client reads afterwards agrees with the record.
//
// https://github.com/varnishcache/varnish-cache/issues/2549
func TestLastFlushOnHTTP1(t *testing.T) {
	for size := 1 << 10; size <= 64<<10; size += 1500 {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			each(t, http1, []stack{stacks[1], whole}, outsides[:1], func(t *testing.T, proto string, s *stack, _ *outside) {
				records, over := raw.NewRecords(), make(chan struct{}, 10)
				h := s.build(records, timeout.Config{Limit: limit})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					for left := size; left > 0; left -= 500 {
						if _, err := w.Write([]byte(strings.Repeat("x", min(500, left)))); err != nil {
							return
						}
					}
				}))
				srv := raw.Start(t, &http.Server{
					Handler: h,
					ConnContext: func(ctx context.Context, c net.Conn) context.Context {
						assert.NoError(t, c.(*net.TCPConn).SetWriteBuffer(1))
						return ctx
					},
					ConnState: func(_ net.Conn, s http.ConnState) {
						if s != http.StateNew && s != http.StateActive {
							over <- struct{}{}
						}
					},
				})
				c := raw.DialSmall(t, srv.Addr, proto)
				c.Send(t, &raw.Request{})
				await(t, over, "the end of the response")
				r := records.Next(t)
				got := c.Receive(t)
				if r.Outcome == "ok" {
					assert.Equal(t, [3]any{200, size, raw.Whole}, [3]any{got.Status, len(got.Body), got.End})
					assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(r))
					return
				}
				if proto != "1.0" { // a reset does not arrive while the client's window is closed
					assert.NotEqual(t, raw.Whole, got.End, "%d bytes of %d", len(got.Body), size)
				}
				l := lineOf(r)
				l.Abandoned = false
				assert.Equal(t, line{Status: got.Status, Outcome: "deadline"}, l)
			})
		})
	}
}
