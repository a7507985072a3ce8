package errmap_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// compress is a middleware that buffers what is written.
func compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		z := &zipped{ResponseWriter: w, buf: bufio.NewWriterSize(nil, 1<<20)}
		z.zip = gzip.NewWriter(w)
		z.buf.Reset(z.zip)
		defer z.close()
		next.ServeHTTP(z, r)
	})
}

type zipped struct {
	http.ResponseWriter
	buf  *bufio.Writer
	zip  *gzip.Writer
	code int
}

func (z *zipped) Unwrap() http.ResponseWriter { return z.ResponseWriter }
func (z *zipped) WriteHeader(code int)        { z.code = code }
func (z *zipped) Write(p []byte) (int, error) { return z.buf.Write(p) }

func (z *zipped) close() {
	z.Header().Set("Content-Encoding", "gzip")
	if z.code != 0 {
		z.ResponseWriter.WriteHeader(z.code)
	}
	_ = z.buf.Flush()
	_ = z.zip.Close()
}

// Bytes that a wrapper between the exchange and the handler buffers count as sent.
func TestBehindACompressor(t *testing.T) {
	fetch := func(t *testing.T, h http.Handler) (status int, body string, err error) {
		t.Helper()
		srv := testhttp.HTTP1.Start(t, h)
		res, err := srv.Client().Get(srv.URL)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, string(b), err
	}
	s := newSpy()
	t.Run("nothing written", func(t *testing.T) {
		status, body, err := fetch(t, s.wrap(compress(errorJSON().Handler(fails(errSecret)))))
		require.NoError(t, err)
		assert.Equal(t, 500, status)
		assert.Equal(t, `{"error":"internal"}`, body)
		<-s.ended
	})
	for desc, h := range map[string]http.Handler{
		"a success begun": errorJSON().Handler(after(200, 10, errSecret)),
		"a panic after it": errorJSON().Recover(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = after(200, 10, nil)(w, r)
			panic("boom")
		})),
		"a deeper Handler": errorJSON().Recover(errorJSON().Handler(after(200, 10, errSecret))),
		"Write by a handler inside": errorJSON().Recover(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			errorJSON().Write(struct{ plainWriter }{plainWriter{w}}, r, after(201, 10, errSecret)(w, r))
		})),
	} {
		t.Run(desc, func(t *testing.T) {
			_, _, err := fetch(t, s.wrap(compress(h)))
			require.Error(t, err)
			e := <-s.ended
			assert.True(t, e.Cut)
			assert.Equal(t, 500, e.Intended)
		})
	}
	t.Run("an error response begun", func(t *testing.T) {
		status, body, err := fetch(t, s.wrap(compress(errorJSON().Handler(func(w http.ResponseWriter, _ *http.Request) error {
			http.Error(w, "mine", 418)
			return errSecret
		}))))
		require.NoError(t, err)
		assert.Equal(t, 418, status)
		assert.Equal(t, "mine\n", body)
		e := <-s.ended
		assert.ErrorIs(t, e.Cause, errSecret)
	})
}

// plainWriter wraps a writer and has no optional interface but Unwrap.
type plainWriter struct{ w http.ResponseWriter }

func (p plainWriter) Header() http.Header         { return p.w.Header() }
func (p plainWriter) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p plainWriter) WriteHeader(status int)      { p.w.WriteHeader(status) }
func (p plainWriter) Unwrap() http.ResponseWriter { return p.w }

type (
	flushing  struct{ plainWriter }
	hijacking struct{ plainWriter }
	pushing   struct{ plainWriter }
)

func (flushing) Flush() {}
func (hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("no connection")
}
func (pushing) Push(string, *http.PushOptions) error { return nil }

// The tracking writer has the optional interfaces of the writer that it wraps, and no
// others.
func TestTrackerIsTransparent(t *testing.T) {
	for desc, wrap := range map[string]func(plainWriter) http.ResponseWriter{
		"none":   func(p plainWriter) http.ResponseWriter { return p },
		"flush":  func(p plainWriter) http.ResponseWriter { return flushing{p} },
		"hijack": func(p plainWriter) http.ResponseWriter { return hijacking{p} },
		"push":   func(p plainWriter) http.ResponseWriter { return pushing{p} },
		"flush hijack": func(p plainWriter) http.ResponseWriter {
			return struct {
				plainWriter
				http.Flusher
				http.Hijacker
			}{p, flushing{}, hijacking{}}
		},
		"flush push": func(p plainWriter) http.ResponseWriter {
			return struct {
				plainWriter
				http.Flusher
				http.Pusher
			}{p, flushing{}, pushing{}}
		},
		"hijack push": func(p plainWriter) http.ResponseWriter {
			return struct {
				plainWriter
				http.Hijacker
				http.Pusher
			}{p, hijacking{}, pushing{}}
		},
		"flush hijack push": func(p plainWriter) http.ResponseWriter {
			return struct {
				plainWriter
				http.Flusher
				http.Hijacker
				http.Pusher
			}{p, flushing{}, hijacking{}, pushing{}}
		},
	} {
		t.Run(desc, func(t *testing.T) {
			var got []string
			h := mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
				if f, ok := w.(http.Flusher); ok {
					got = append(got, "flush")
					f.Flush()
				}
				if h, ok := w.(http.Hijacker); ok {
					got = append(got, "hijack")
					_, _, err := h.Hijack()
					assert.ErrorContains(t, err, "no connection")
				}
				if p, ok := w.(http.Pusher); ok {
					got = append(got, "push")
					assert.NoError(t, p.Push("/", nil))
				}
				return nil
			})
			serve(newSpy().wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(wrap(plainWriter{w}), r)
			})), get())
			assert.Equal(t, desc, strings.Join(append(got, []string{"none"}[min(len(got), 1):]...), " "))
		})
	}
}

// A flush through the tracking writer begins the response, but not if it is not
// supported.
func TestTrackerFlush(t *testing.T) {
	s := newSpy()
	flush := mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
		_ = http.NewResponseController(w).Flush()
		return errSecret
	})
	through := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(plainWriter{w}, r) })
	}
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() { serve(s.wrap(through(flush)), below(get())) })
	assert.True(t, (<-s.ended).Cut)
	w := &discard{header: make(http.Header)}
	s.wrap(through(flush)).ServeHTTP(w, get())
	assert.Equal(t, 500, w.status)
}
