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

	"github.com/bulwark-go/bulwark/timeout"
)

var streaming = timeout.New(timeout.Config{Limit: 10 * time.Second, Stream: 3 * time.Second})

// tick sends n events, a pause before each.
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

// A stream that goes on lives longer than Limit, by far.
func TestStreamOutlivesLimit(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		v.bubble(t, streaming(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			assert.NoError(t, tick(w, 100, 2900*time.Millisecond))
			assert.NoError(t, r.Context().Err())
		})), func(t *testing.T, s *server) {
			res := s.get(t)
			assert.NoError(t, res.err)
			assert.Equal(t, http.StatusOK, res.status)
			assert.Equal(t, 100, strings.Count(res.body, "tick"))
		})
	})
}

// Each event gets out as it is made, and not when the handler returns.
func TestStreamIsNotHeldBack(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		seen := make(chan struct{})
		s := v.start(t, streaming(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				_, _ = io.WriteString(w, "tick")
				w.(http.Flusher).Flush()
				receive(t, seen, "the client's sight of it")
			}
		})))
		res, err := s.client.Do(s.request(t, http.MethodGet, http.NoBody))
		require.NoError(t, err)
		defer res.Body.Close()
		for range 3 {
			_, err := io.ReadFull(res.Body, make([]byte, 4))
			require.NoError(t, err)
			seen <- struct{}{}
		}
	})
}

// Silence cuts it, counted from the last write.
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
				})), func(t *testing.T, s *server) {
					res := s.get(t)
					assert.Error(t, res.err)
					assert.Equal(t, http.StatusOK, res.status)
					assert.Equal(t, tc.ticks, strings.Count(res.body, "tick"))
					assert.Equal(t, tc.want, res.took)
				})
			})
		}
	})
}

// Until the first byte Limit counts: an Override longer, none and so on for it.
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
				v.bubble(t, chain(untilDone, tc.mws...), func(t *testing.T, s *server) {
					res := s.get(t)
					assert.Equal(t, http.StatusGatewayTimeout, res.status)
					assert.Equal(t, tc.want, res.took)
				})
			})
		}
	})
}

// A download lives for as long as the client takes something, however much the
// handler writes at once; a client that takes nothing is cut off.
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
				})), func(t *testing.T, s *server) {
					res, err := s.client.Do(s.request(t, http.MethodGet, http.NoBody))
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
				assert.Equal(t, 3*time.Second, time.Since(began))
			})), func(t *testing.T, s *server) {
				res, err := s.client.Do(s.request(t, http.MethodGet, http.NoBody))
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

// A stream of the handler's that the client left ends as such.
func TestStreamClientLeaves(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		causes := make(chan error, 1)
		s := v.start(t, timeout.New(timeout.Config{Limit: watchdog, Stream: watchdog})(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				flush(w)
				<-r.Context().Done()
				causes <- context.Cause(r.Context())
			})))
		res, err := s.client.Do(s.request(t, http.MethodGet, http.NoBody))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		err = receive(t, causes, "the handler's notice")
		assert.ErrorIs(t, err, timeout.ErrClientGone)
	})
}
