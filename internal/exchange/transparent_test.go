package exchange_test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// stacks are an exchange alone, and one with a deadline armed, where the handler
// works on headers of its own.
var stacks = []struct {
	desc string
	mw   func(http.Handler) http.Handler
}{
	{"exchange", entering(nil)},
	{"deadline", timeout.New(timeout.Config{Limit: watchdog})},
	{"deadline, in place", func(h http.Handler) http.Handler {
		return entering(nil)(http.StripPrefix("", timeout.New(timeout.Config{Limit: watchdog})(h)))
	}},
	{"stream", timeout.New(timeout.Config{Limit: watchdog, Stream: watchdog})},
}

// transparent runs h bare and under each stack, on each protocol.
func transparent(t *testing.T, h http.HandlerFunc, f func(t *testing.T, s *server, major int)) {
	t.Helper()
	everywhere(t, func(t *testing.T, major int) {
		t.Run("bare", func(t *testing.T) { f(t, start(t, major, h), major) })
		for _, st := range stacks {
			t.Run(st.desc, func(t *testing.T) { f(t, start(t, major, st.mw(h)), major) })
		}
	})
}

func TestResponseController(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		assert.NoError(t, rc.SetReadDeadline(time.Now().Add(watchdog)))
		assert.NoError(t, rc.SetWriteDeadline(time.Now().Add(watchdog)))
		if r.ProtoMajor == 1 {
			assert.NoError(t, rc.EnableFullDuplex())
		}
		_, _ = io.WriteString(w, "one")
		assert.NoError(t, rc.Flush())
		_, err := w.Write([]byte("two"))
		assert.NoError(t, err)
	}, func(t *testing.T, s *server, _ int) {
		_, body, err := s.do(t, http.MethodGet, http.NoBody)
		assert.NoError(t, err)
		assert.Equal(t, "onetwo", body)
	})
}

// Informational responses reach the client, each with the headers of its
// moment, and do not commit.
func TestInformational(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Add("Link", "</b.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "done")
	}, func(t *testing.T, s *server, _ int) {
		var hints []int
		req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				assert.Equal(t, http.StatusEarlyHints, code)
				hints = append(hints, len(h["Link"]))
				return nil
			},
		}), http.MethodGet, s.URL, http.NoBody)
		require.NoError(t, err)
		res, err := s.Client().Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		assert.Equal(t, []int{1, 2}, hints)
		assert.Equal(t, http.StatusCreated, res.StatusCode)
		assert.Len(t, res.Header["Link"], 2)
	})
}

// Trailers, declared or by prefix, set before or after the body.
func TestTrailers(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Declared")
		_, _ = io.WriteString(w, "body")
		flushIt(w)
		w.Header().Set("X-Declared", "1")
		w.Header().Set(http.TrailerPrefix+"X-Prefixed", "2")
		_, _ = io.ReadAll(r.Body)
		w.Header().Set("X-Echo", r.Trailer.Get("X-Request"))
		w.Header().Set(http.TrailerPrefix+"X-Echo", r.Trailer.Get("X-Request"))
	}, func(t *testing.T, s *server, _ int) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, io.MultiReader(strings.NewReader("x")))
		require.NoError(t, err)
		req.Trailer = http.Header{"X-Request": {"3"}}
		res, err := s.Client().Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		require.NoError(t, err)
		assert.Equal(t, "1", res.Trailer.Get("X-Declared"))
		assert.Equal(t, "2", res.Trailer.Get("X-Prefixed"))
		assert.Equal(t, "3", res.Trailer.Get("X-Echo"))
	})
}

func flushIt(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

func TestHEAD(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, _ *http.Request) {
		n, err := io.WriteString(w, "not sent")
		if err != nil {
			assert.ErrorIs(t, err, http.ErrBodyNotAllowed)
		} else {
			assert.Equal(t, 8, n)
		}
	}, func(t *testing.T, s *server, _ int) {
		res, body, err := s.do(t, http.MethodHead, http.NoBody)
		require.NoError(t, err)
		assert.Empty(t, body)
		assert.Equal(t, "8", res.Header.Get("Content-Length"))
	})
}

// More than was declared is refused, as by net/http; less ends the transfer.
func TestContentLengthMismatch(t *testing.T) {
	for _, tc := range []struct {
		desc, body string
		want       error
	}{
		{"more", "123456", http.ErrContentLength},
		{"less", "123", nil},
		{"exact", "12345", nil},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			transparent(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "5")
				_, err := w.Write([]byte(tc.body))
				if r.ProtoMajor == 1 { // HTTP/2 notices it later, in its buffer
					assert.Equal(t, tc.want, err)
				}
			}, func(t *testing.T, s *server, _ int) {
				_, _, err := s.do(t, http.MethodGet, http.NoBody)
				assert.Equal(t, tc.desc == "exact", err == nil, "%v", err)
			})
		})
	}
}

// A superfluous WriteHeader is reported with the caller that made it.
func TestSuperfluousWriteHeader(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
	}, func(t *testing.T, s *server, major int) {
		res, _, err := s.do(t, http.MethodGet, http.NoBody)
		require.NoError(t, err)
		assert.Equal(t, http.StatusTeapot, res.StatusCode)
		if major == 2 {
			assert.Empty(t, s.log.String(), "net/http passes it over there")
			return
		}
		assert.Contains(t, s.log.String(), "superfluous response.WriteHeader call from "+
			"github.com/bulwark-go/bulwark/internal/exchange_test.TestSuperfluousWriteHeader")
		assert.Contains(t, s.log.String(), "(transparent_test.go:")
	})
}

// Headers of outer middleware are visible and deletable inside.
func TestHeadersOfOuterMiddleware(t *testing.T) {
	for _, st := range stacks {
		t.Run(st.desc, func(t *testing.T) {
			everywhere(t, func(t *testing.T, major int) {
				h := st.mw(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					assert.Equal(t, "1", w.Header().Get("X-Kept"))
					w.Header().Del("X-Deleted")
					w.Header().Set("X-Own", "2")
				}))
				s := start(t, major, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Kept", "1")
					w.Header().Set("X-Deleted", "1")
					h.ServeHTTP(w, r)
					w.Header().Set("X-Afterwards", w.Header().Get("X-Own"))
				}))
				res, _, err := s.do(t, http.MethodGet, http.NoBody)
				require.NoError(t, err)
				assert.Equal(t, "1", res.Header.Get("X-Kept"))
				assert.Empty(t, res.Header.Get("X-Deleted"))
				assert.Equal(t, "2", res.Header.Get("X-Own"))
				assert.Equal(t, "2", res.Header.Get("X-Afterwards"), "an empty response is still open to outer middleware")
			})
		})
	}
}

// sendfile is kept: a file reaches the server's ReadFrom as what package net
// recognises, behind one LimitedReader at most, also with a deadline armed.
func TestSendfile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte("content"), 0o600))
	for _, st := range stacks {
		t.Run(st.desc, func(t *testing.T) {
			for how, send := range map[string]http.HandlerFunc{
				"ServeFile": func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) },
				"io.Copy": func(w http.ResponseWriter, _ *http.Request) {
					f, err := os.Open(name)
					assert.NoError(t, err)
					defer f.Close()
					n, err := io.Copy(w, f)
					assert.NoError(t, err)
					assert.EqualValues(t, len("content"), n)
				},
			} {
				rec := httptest.NewRecorder()
				inner := &readerFromSpy{ResponseWriter: rec}
				st.mw(send).ServeHTTP(inner, httptest.NewRequest(http.MethodGet, "/file", http.NoBody))
				assert.Equal(t, "content", rec.Body.String(), how)
				if lr, ok := inner.src.(*io.LimitedReader); ok {
					inner.src = lr.R
				}
				assert.Implements(t, (*interface {
					Stat() (fs.FileInfo, error)
					syscall.Conn
				})(nil), inner.src, how)
			}
		})
	}
}

type readerFromSpy struct {
	http.ResponseWriter
	src io.Reader
}

func (s *readerFromSpy) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *readerFromSpy) ReadFrom(src io.Reader) (int64, error) {
	s.src = src
	return io.Copy(s.ResponseWriter, src)
}
