package timeout_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

var streaming = timeout.New(timeout.Config{Limit: 10 * time.Second, Stream: 3 * time.Second})

// tick sends n events, with a pause before each.
func tick(w http.ResponseWriter, n int, pause time.Duration) error {
	for range n {
		<-time.After(pause)
		if _, err := io.WriteString(w, "data: tick\n\n"); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
	}
	return nil
}

// A stream that is not idle may take much longer than Limit.
//
// Reported elsewhere:
//   - no Flusher, so no server-sent events, https://github.com/golang/go/issues/74021
//   - a write deadline that stays set resets a stream, https://github.com/caddyserver/caddy/issues/8118
func TestStreamOutlivesLimit(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, streaming(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			assert.NoError(t, tick(w, 100, 2900*time.Millisecond))
			assert.NoError(t, r.Context().Err())
		})), func(t *testing.T, s *testhttp.Server) {
			res := s.Get(t, "/")
			assert.NoError(t, res.Err)
			assert.Equal(t, http.StatusOK, res.Status)
			assert.Equal(t, 100, strings.Count(res.Body, "tick"))
		})
	})
}

// Each event is sent when it is made, and not when the handler returns.
//
// Reported elsewhere:
//   - Flush panics, https://github.com/labstack/echo/issues/2592
//   - no Flusher, so no server-sent events, https://github.com/golang/go/issues/74021
//   - the whole response is buffered, https://github.com/golang/go/issues/47899
//   - a wrapper delays every event to the end, https://github.com/bluenviron/mediamtx/issues/6126
func TestStreamIsNotHeldBack(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		seen := make(chan struct{})
		s := v.start(t, streaming(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, "tick")
				w.(http.Flusher).Flush()
				testhttp.Await(t, seen, "the client's sight of it")
			}
		})))
		res, err := s.Client().Do(s.Request(t, http.MethodGet, "/", http.NoBody))
		require.NoError(t, err)
		defer res.Body.Close()
		for range 3 {
			_, err := io.ReadFull(res.Body, make([]byte, 4))
			require.NoError(t, err)
			seen <- struct{}{}
		}
	})
}

// Silence aborts the stream, counted from the last write.
func TestStreamSilenceCuts(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range []struct {
			desc  string
			ticks int
			want  time.Duration
		}{
			{"after the first byte", 1, 5 * time.Second},
			{"after a while", 50, 103 * time.Second},
		} {
			t.Run(tc.desc, func(t *testing.T) {
				v.bubble(t, streaming(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					assert.NoError(t, tick(w, tc.ticks, 2*time.Second))
					<-r.Context().Done()
					assert.Equal(t, &timeout.Error{Limit: 3 * time.Second, Elapsed: tc.want, Phase: timeout.PhaseResponse}, context.Cause(r.Context()))
					_, err := io.WriteString(w, "late")
					assert.ErrorIs(t, err, http.ErrHandlerTimeout)
				})), func(t *testing.T, s *testhttp.Server) {
					res := s.Get(t, "/")
					assert.Error(t, res.Err)
					assert.Equal(t, http.StatusOK, res.Status)
					assert.Equal(t, tc.ticks, strings.Count(res.Body, "tick"))
					assert.Equal(t, tc.want, res.Took)
				})
			})
		}
	})
}

// Until the first byte Limit counts, and Override changes it.
func TestStreamFirstByte(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range []struct {
			desc string
			mws  []func(http.Handler) http.Handler
			want time.Duration
		}{
			{"Limit", mws(streaming), 10 * time.Second},
			{"Override", mws(streaming, timeout.Override(time.Minute)), time.Minute},
		} {
			t.Run(tc.desc, func(t *testing.T) {
				v.bubble(t, chain(untilDone, tc.mws...), func(t *testing.T, s *testhttp.Server) {
					res := s.Get(t, "/")
					assert.Equal(t, http.StatusGatewayTimeout, res.Status)
					assert.Equal(t, tc.want, res.Took)
				})
			})
		}
	})
}

// A download may take as long as the client keeps reading, however much the handler
// writes at once. If the client stops reading, it is aborted.
//
// Reported elsewhere: streams are stuck in Write, https://github.com/launchdarkly/eventsource/issues/78
func TestStreamDownload(t *testing.T) {
	const size = 1 << 20
	file := filepath.Join(t.TempDir(), "download")
	require.NoError(t, os.WriteFile(file, make([]byte, size), 0o600))
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range []struct {
			desc  string
			write func(io.Writer) error
		}{
			{"one Write", func(w io.Writer) error { _, err := w.Write(make([]byte, size)); return err }},
			{"one WriteString", func(w io.Writer) error { _, err := io.WriteString(w, strings.Repeat("x", size)); return err }},
			{"io.Copy of a file", func(w io.Writer) error {
				f, err := os.Open(file)
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = io.Copy(w, f)
				return err
			}},
			{"io.Copy", func(w io.Writer) error {
				_, err := io.Copy(w, struct{ io.Reader }{bytes.NewReader(make([]byte, size))})
				return err
			}},
		} {
			t.Run(tc.desc+", slow client", func(t *testing.T) {
				v.bubble(t, streaming(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					assert.NoError(t, tc.write(w))
				})), func(t *testing.T, s *testhttp.Server) {
					res, err := s.Client().Do(s.Request(t, http.MethodGet, "/", http.NoBody))
					require.NoError(t, err)
					defer res.Body.Close()
					n := 0
					for ; err == nil; n++ {
						<-time.After(time.Second)
						_, err = io.ReadFull(res.Body, make([]byte, 32<<10))
					}
					assert.Equal(t, io.EOF, err, "after %d of 32 KiB", n)
				})
			})
		}
		t.Run("client that stops", func(t *testing.T) {
			v.bubble(t, streaming(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				began := time.Now()
				_, err := io.Copy(w, endlessZeros{})
				assert.Error(t, err)
				assert.InDelta(t, 3*time.Second, time.Since(began), float64(10*time.Millisecond), "a write under way has a moment to finish")
			})), func(t *testing.T, s *testhttp.Server) {
				res, err := s.Client().Do(s.Request(t, http.MethodGet, "/", http.NoBody))
				require.NoError(t, err)
				defer res.Body.Close()
				<-time.After(time.Minute)
				_, err = io.Copy(io.Discard, res.Body)
				assert.Error(t, err)
			})
		})
	})
}

type endlessZeros struct{}

func (endlessZeros) Read(p []byte) (int, error) { return len(p), nil }

// If the client disconnects, the stream ends for that reason.
func TestStreamClientLeaves(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		causes := make(chan error, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: testhttp.Patience, Stream: testhttp.Patience})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				flush(w)
				<-r.Context().Done()
				causes <- context.Cause(r.Context())
			})))
		res, err := s.Client().Do(s.Request(t, http.MethodGet, "/", http.NoBody))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		err = testhttp.Await(t, causes, "the handler's notice")
		assert.ErrorIs(t, err, timeout.ErrClientGone)
	})
}
