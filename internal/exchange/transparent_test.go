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
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// stacks are an exchange alone, and one with a deadline, where the handler has its own
// header map.
var stacks = []struct {
	desc string
	mw   func(http.Handler) http.Handler
}{
	{"exchange", entering(nil)},
	{"deadline", timeout.New(timeout.Config{Limit: testhttp.Patience})},
	{"deadline, in place", func(h http.Handler) http.Handler {
		return entering(nil)(http.StripPrefix("", timeout.New(timeout.Config{Limit: testhttp.Patience})(h)))
	}},
	{"stream", timeout.New(timeout.Config{Limit: testhttp.Patience, Stream: testhttp.Patience})},
}

// transparent runs h bare and under each stack, on each protocol.
func transparent(t *testing.T, h http.HandlerFunc, f func(t *testing.T, s *testhttp.Server, p testhttp.Protocol)) {
	t.Helper()
	testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
		t.Run("bare", func(t *testing.T) { f(t, p.Start(t, h), p) })
		for _, st := range stacks {
			t.Run(st.desc, func(t *testing.T) { f(t, p.Start(t, st.mw(h)), p) })
		}
	})
}

func TestResponseController(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		assert.NoError(t, rc.SetReadDeadline(time.Now().Add(testhttp.Patience)))
		assert.NoError(t, rc.SetWriteDeadline(time.Now().Add(testhttp.Patience)))
		if r.ProtoMajor == 1 {
			assert.NoError(t, rc.EnableFullDuplex())
		}
		_, _ = io.WriteString(w, "one")
		assert.NoError(t, rc.Flush())
		_, err := w.Write([]byte("two"))
		assert.NoError(t, err)
	}, func(t *testing.T, s *testhttp.Server, _ testhttp.Protocol) {
		got := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody))
		assert.NoError(t, got.Err)
		assert.Equal(t, "onetwo", got.Body)
	})
}

// Informational responses reach the client, each with the headers that were set by
// then, and do not commit the response.
func TestInformational(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Add("Link", "</b.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "done")
	}, func(t *testing.T, s *testhttp.Server, _ testhttp.Protocol) {
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
	}, func(t *testing.T, s *testhttp.Server, _ testhttp.Protocol) {
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
	}, func(t *testing.T, s *testhttp.Server, _ testhttp.Protocol) {
		got := s.Do(s.Request(t, http.MethodHead, "/", http.NoBody))
		require.NoError(t, got.Err)
		assert.Empty(t, got.Body)
		assert.Equal(t, "8", got.Header.Get("Content-Length"))
	})
}

// More bytes than declared are refused, as by net/http. Fewer abort the transfer.
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
			}, func(t *testing.T, s *testhttp.Server, _ testhttp.Protocol) {
				err := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody)).Err
				assert.Equal(t, tc.desc == "exact", err == nil, "%v", err)
			})
		})
	}
}

// A source that has more than was declared fills the response, and the rest is refused,
// as the server's ReadFrom does from Go 1.27 on.
func TestReadFromMoreThanDeclared(t *testing.T) {
	const declared = 600 // more than the server writes at first
	for _, tc := range []struct {
		desc  string
		src   func() io.Reader
		begun bool
		want  error
	}{
		{"too long", func() io.Reader { return strings.NewReader(strings.Repeat("a", 2*declared)) }, false, http.ErrContentLength},
		{"too long, begun", func() io.Reader { return strings.NewReader(strings.Repeat("a", 2*declared)) }, true, http.ErrContentLength},
		{"too long, limited", func() io.Reader {
			return io.LimitReader(strings.NewReader(strings.Repeat("a", 2*declared)), 2*declared)
		}, false, http.ErrContentLength},
		{"exact", func() io.Reader { return strings.NewReader(strings.Repeat("a", declared)) }, false, nil},
		{"exact by its limit", func() io.Reader {
			return io.LimitReader(strings.NewReader(strings.Repeat("a", 2*declared)), declared)
		}, false, nil},
	} {
		for _, st := range stacks {
			t.Run(tc.desc+", "+st.desc, func(t *testing.T) {
				s := testhttp.HTTP1.Start(t, st.mw(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Length", strconv.Itoa(declared))
					if tc.begun {
						w.WriteHeader(http.StatusOK)
					}
					n, err := w.(io.ReaderFrom).ReadFrom(tc.src())
					assert.EqualValues(t, declared, n)
					assert.Equal(t, tc.want, err)
				})))
				got := s.Get(t, "/")
				require.NoError(t, got.Err)
				assert.Len(t, got.Body, declared)
			})
		}
	}
}

// A superfluous WriteHeader is reported with the caller that made it.
func TestSuperfluousWriteHeader(t *testing.T) {
	transparent(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
	}, func(t *testing.T, s *testhttp.Server, p testhttp.Protocol) {
		got := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody))
		require.NoError(t, got.Err)
		assert.Equal(t, http.StatusTeapot, got.Status)
		if p == testhttp.HTTP2 {
			assert.Empty(t, s.Log.String(), "net/http passes it over there")
			return
		}
		assert.Contains(t, s.Log.String(), "superfluous response.WriteHeader call from "+
			"github.com/bulwark-go/bulwark/internal/exchange_test.TestSuperfluousWriteHeader")
		assert.Contains(t, s.Log.String(), "(transparent_test.go:")
	})
}

// Headers of outer middleware are visible and deletable inside.
func TestHeadersOfOuterMiddleware(t *testing.T) {
	for _, st := range stacks {
		t.Run(st.desc, func(t *testing.T) {
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				h := st.mw(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					assert.Equal(t, "1", w.Header().Get("X-Kept"))
					w.Header().Del("X-Deleted")
					w.Header().Set("X-Own", "2")
				}))
				s := p.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("X-Kept", "1")
					w.Header().Set("X-Deleted", "1")
					h.ServeHTTP(w, r)
					w.Header().Set("X-Afterwards", w.Header().Get("X-Own"))
				}))
				got := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody))
				require.NoError(t, got.Err)
				assert.Equal(t, "1", got.Header.Get("X-Kept"))
				assert.Empty(t, got.Header.Get("X-Deleted"))
				assert.Equal(t, "2", got.Header.Get("X-Own"))
				assert.Equal(t, "2", got.Header.Get("X-Afterwards"), "an empty response is still open to outer middleware")
			})
		})
	}
}

// sendfile is used: a file reaches the server's ReadFrom in a form that package net
// recognizes, behind one LimitedReader at most, also with a deadline.
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
