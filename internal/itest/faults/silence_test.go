//go:build wire

package faults_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestSlowReaderIsNotSilent: a client that reads a little all the time never counts as
// silent, however much the handler writes at once.
//
// https://github.com/netty/netty/issues/6150
func TestSlowReaderIsNotSilent(t *testing.T) {
	const size = 512 << 10
	payload := bytes.Repeat([]byte("x"), size)
	content := string(payload)
	writers := []struct {
		desc string
		do   func(w http.ResponseWriter) error
	}{
		{"one Write", func(w http.ResponseWriter) error { _, err := w.Write(payload); return err }},
		{"Writes of 64 KB", func(w http.ResponseWriter) error {
			for i := 0; i < size; i += 64 << 10 {
				if _, err := w.Write(payload[i : i+64<<10]); err != nil {
					return err
				}
			}
			return nil
		}},
		{"Writes of 1 KB", func(w http.ResponseWriter) error {
			for range size >> 10 {
				if _, err := w.Write(payload[:1<<10]); err != nil {
					return err
				}
			}
			return nil
		}},
		{"WriteString", func(w http.ResponseWriter) error { _, err := io.WriteString(w, content); return err }},
		{"ReadFrom", func(w http.ResponseWriter) error {
			_, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(payload)})
			return err
		}},
		{"ServeContent", func(w http.ResponseWriter) error {
			http.ServeContent(w, &http.Request{Method: "GET"}, "x.bin", time.Time{}, bytes.NewReader(payload))
			return nil
		}},
	}
	for _, h := range writers {
		t.Run(h.desc, func(t *testing.T) {
			t.Parallel()
			each(t, every, stacks[1:2], outsides[:1], func(t *testing.T, proto string, s *stack, _ *outside) {
				records, failed := raw.NewRecords(), make(chan error, 1)
				srv := raw.Start(t, &http.Server{
					Handler: s.build(records, timeout.Config{Limit: 2 * limit, Stream: time.Second})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						failed <- h.do(w)
					})),
					ConnContext: func(ctx context.Context, c net.Conn) context.Context {
						c.(*net.TCPConn).SetWriteBuffer(8 << 10)
						return ctx
					},
				})
				got := slowly(t, srv.Addr, proto, 5*time.Second/2)
				assert.Equal(t, [3]any{200, size, raw.Whole}, [3]any{got.Status, len(got.Body), got.End})
				assert.NoError(t, <-failed)
				assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(records.Next(t)))
			})
		})
	}
}

// slowly requests / and reads 1 KB every 40 ms for d, then the rest.
func slowly(t *testing.T, addr, proto string, d time.Duration) raw.Answer {
	t.Helper()
	const pause = 40 * time.Millisecond
	if proto == "2" {
		c := raw.DialHTTP2(t, addr, 1<<10)
		s, err := c.Open(&raw.Request{}, true)
		assert.NoError(t, err)
		for n := 1; time.Duration(n)*pause < d; n++ {
			a := s.Receive(func(_, received int) bool { return received < n<<10 })
			if a.End != raw.Left {
				return a
			}
			time.Sleep(pause)
			assert.NoError(t, s.Ask(1<<10))
		}
		assert.NoError(t, s.Ask(1<<20))
		return s.Receive(nil)
	}
	c := raw.DialSmall(t, addr, proto)
	c.Throttle(d, 1<<10, pause)
	return raw.Do(t, c, &raw.Request{})
}

// TestSilenceAfterReset: a deadline that a stream's handler has moved counts until it
// comes. After it silence counts again.
func TestSilenceAfterReset(t *testing.T) {
	const stream, moved = limit, 4 * limit
	write := func(t *testing.T, w http.ResponseWriter) {
		t.Helper()
		io.WriteString(w, "x")
		assert.NoError(t, http.NewResponseController(w).Flush())
	}
	t.Run("within it", func(t *testing.T) {
		t.Parallel()
		each(t, every, stacks[1:2], outsides, func(t *testing.T, proto string, s *stack, o *outside) {
			srv, records := serve(t, s, o, timeout.Config{Limit: limit, Stream: stream}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				write(t, w)
				_, err := reset(r.Context(), moved)
				assert.NoError(t, err)
				time.Sleep(2 * stream)
				assert.NoError(t, r.Context().Err())
				write(t, w)
			}))
			got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
			assert.Equal(t, [3]any{200, "xx", raw.Whole}, [3]any{got.Status, got.Body, got.End})
			assert.Equal(t, line{Status: 200, Outcome: "ok"}, lineOf(records.Next(t)))
		})
	})
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		each(t, every, stacks[1:2], outsides, func(t *testing.T, proto string, s *stack, o *outside) {
			lasted := make(chan time.Duration, 1)
			srv, records := serve(t, s, o, timeout.Config{Limit: limit, Stream: stream}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				write(t, w)
				_, err := reset(r.Context(), moved)
				began := time.Now()
				assert.NoError(t, err)
				<-r.Context().Done()
				lasted <- time.Since(began)
			}))
			got := raw.Do(t, raw.Dial(t, srv.Addr, proto), &raw.Request{})
			assert.Equal(t, [2]any{200, "x"}, [2]any{got.Status, got.Body})
			assert.NotEqual(t, raw.Whole, got.End)
			assert.GreaterOrEqual(t, <-lasted, moved-moved/20)
			l := lineOf(records.Next(t))
			l.Abandoned = false
			assert.Equal(t, line{Status: 200, Outcome: "deadline"}, l)
		})
	})
}
