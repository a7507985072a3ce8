package limits_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
)

// echoes are the ways in which a handler copies its body into the response so that
// the response's ReadFrom reads the body.
var echoes = []struct {
	desc string
	copy func(http.ResponseWriter, io.Reader) (int64, error)
}{
	{"io.Copy", func(w http.ResponseWriter, r io.Reader) (int64, error) { return io.Copy(w, r) }},
	{"io.CopyN", func(w http.ResponseWriter, r io.Reader) (int64, error) { return io.CopyN(w, r, 1<<40) }},
	{"a file's methods around the body", func(w http.ResponseWriter, r io.Reader) (int64, error) {
		f, err := os.Open(os.Args[0])
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if rf, ok := w.(io.ReaderFrom); ok {
			return rf.ReadFrom(disguised{f, r})
		}
		return io.Copy(w, r)
	}},
}

// disguised looks like a file on disk and reads something else.
type disguised struct {
	*os.File
	r io.Reader
}

func (d disguised) Read(p []byte) (int, error) { return d.r.Read(p) }

func gzipped(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(make([]byte, n))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// A body exceeds a limit while it is copied into the response: the read fails, and the
// handler returns. All that a limit does when a read fails works while the response's
// ReadFrom is running
// (https://github.com/golang/go/issues/74421).
func TestBodyErrorWhileItIsCopiedIntoTheResponse(t *testing.T) {
	tooLarge := func(t *testing.T, err error) {
		var e *http.MaxBytesError
		assert.ErrorAs(t, err, &e)
	}
	reason := func(want limits.Reason) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			var e *limits.Error
			if assert.ErrorAs(t, err, &e) {
				assert.Equal(t, want, e.Reason)
			}
		}
	}
	plain := func(s string) func(testing.TB) (io.Reader, string) {
		return func(testing.TB) (io.Reader, string) { return chunks{bytes.NewReader([]byte(s))}, "" }
	}
	for _, tc := range []struct {
		desc string
		cfg  limits.Config
		body func(testing.TB) (r io.Reader, encoding string)
		want func(*testing.T, error)

		small bool // the head is not out when the read fails, and can say that the connection ends
	}{
		{"wire limit", limits.Config{MaxBodyBytes: 100}, plain(xs(300)), tooLarge, true},
		{"wire limit, more than a piece", limits.Config{MaxBodyBytes: 100 << 10}, plain(xs(300 << 10)), tooLarge, false},
		{"declared length", limits.Config{MaxBodyBytes: 100, BodyCeiling: 1000}, func(testing.TB) (io.Reader, string) {
			return bytes.NewReader([]byte(xs(300))), ""
		}, tooLarge, true},
		{"decoded limit", limits.Config{MaxDecodedBytes: 100}, func(t testing.TB) (io.Reader, string) {
			return bytes.NewReader(gzipped(t, 300)), "gzip"
		}, tooLarge, true},
		{"ratio", limits.Config{MaxDecodedBytes: 1 << 30, MaxDecodeRatio: 2}, func(t testing.TB) (io.Reader, string) {
			return bytes.NewReader(gzipped(t, 5<<18)), "gzip"
		}, reason(limits.ReasonRatio), false},
		{"no gzip", limits.Config{MaxDecodedBytes: 100}, func(testing.TB) (io.Reader, string) {
			return bytes.NewReader([]byte(xs(64))), "gzip"
		}, reason(limits.ReasonCoding), true},
		{"rate", limits.Config{MinBodyRate: 1 << 20, BodyGrace: 50 * time.Millisecond}, func(t testing.TB) (io.Reader, string) {
			r, w := io.Pipe()
			go func() { _, _ = w.Write([]byte("x")) }()
			return struct {
				io.Reader
				io.Closer
			}{r, w}, ""
		}, reason(limits.ReasonRate), false},
	} {
		for _, p := range testhttp.Protocols {
			for _, echo := range echoes {
				for _, logged := range []bool{false, true} {
					if logged && echo.desc != echoes[0].desc {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/%s/logged=%v", tc.desc, p.String(), echo.desc, logged), func(t *testing.T) {
						saw := make(chan error, 1)
						h := limits.New(tc.cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if !tc.small { // or net/http stops reading once the response is out
								_ = http.NewResponseController(w).EnableFullDuplex()
							}
							_, err := echo.copy(w, r.Body)
							saw <- err
						}))
						if logged {
							h = logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)})(h)
						}
						s := p.Start(t, h)
						body, encoding := tc.body(t)
						req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
						require.NoError(t, err)
						if encoding != "" {
							req.Header.Set("Content-Encoding", encoding)
						}
						answered := make(chan error, 1)
						go func() {
							res, err := s.Client().Do(req)
							if err == nil {
								_, _ = io.Copy(io.Discard, res.Body)
								_ = res.Body.Close()
								if tc.small && res.ProtoMajor == 1 && !res.Close {
									err = errors.New("the connection is kept")
								}
							}
							answered <- err
						}()
						tc.want(t, testhttp.Await(t, saw))
						if c, ok := body.(io.Closer); ok {
							_ = c.Close() // or the client waits for the rest
						}
						err = testhttp.Await(t, answered)
						if tc.cfg.MinBodyRate == 0 { // there the client may fail at its own write
							assert.NoError(t, err)
						}
					})
				}
			}
		}
	}
}

// A write that hangs because the client does not read does not delay the error of a
// body that another goroutine reads.
func TestBodyErrorWhileAWriteHangs(t *testing.T) {
	for _, tc := range []struct {
		desc string
		cfg  limits.Config
		send string
	}{
		{"wire limit", limits.Config{MaxBodyBytes: 100}, "12c\r\n" + xs(300) + "\r\n"},
		{"rate", limits.Config{MinBodyRate: 1 << 20, BodyGrace: 50 * time.Millisecond}, "1\r\nx\r\n"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			saw, begun := make(chan error, 1), make(chan struct{})
			var writing atomic.Bool
			s := testhttp.HTTP1.Start(t, limits.New(tc.cfg)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !assert.NoError(t, http.NewResponseController(w).EnableFullDuplex()) {
					return
				}
				written := make(chan struct{})
				go func() {
					defer close(written)
					writing.Store(true)
					_, _ = w.Write(make([]byte, 64<<20)) // more than any socket holds
					writing.Store(false)
				}()
				testhttp.Await(t, begun)
				_, err := io.Copy(io.Discard, r.Body)
				assert.True(t, writing.Load(), "the write hangs")
				saw <- err
				<-written
			})))
			c := s.Dial(t)
			c.Send(t, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
			_, err := c.In.Peek(1) // the write is under way
			require.NoError(t, err)
			close(begun)
			c.Send(t, tc.send)
			assert.Error(t, testhttp.Await(t, saw))
			_ = c.Close()
		})
	}
}

// A source that writes to the same response while it is read.
func TestSourceThatWritesToTheResponse(t *testing.T) {
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 1 << 20})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		_, err := io.Copy(w, readerFunc(func(p []byte) (int, error) {
			if n++; n > 2 {
				return 0, io.EOF
			}
			_, err := io.WriteString(w, "between ")
			return copy(p, "read "), err
		}))
		assert.NoError(t, err)
	})))
	_, body := post(t, s, nil)
	assert.Equal(t, "between read between read ", body)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A source that fails before its first byte does not commit the response, as with
// net/http's own ReadFrom.
func TestSourceThatFailsAtOnceCommitsNothing(t *testing.T) {
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 100, BodyCeiling: 1000})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(w, r.Body)
		assert.Error(t, err)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	})))
	res, _ := post(t, s, bytes.NewReader([]byte(xs(300))))
	assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	assert.True(t, res.Close, "Connection: close")
}

// taking is a writer that records the argument of its ReadFrom.
type taking struct {
	*httptest.ResponseRecorder
	files int
}

func (w *taking) ReadFrom(r io.Reader) (int64, error) {
	w.files++
	return io.Copy(struct{ io.Writer }{w.ResponseRecorder}, r)
}

// Only an *os.File is passed to the server's own ReadFrom, which uses sendfile.
func TestReadFromOfFilesAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte("of a file"), 0o600))
	for _, tc := range []struct {
		desc string
		src  func(*os.File) io.Reader
		want int
	}{
		{"*os.File", func(f *os.File) io.Reader { return f }, 1},
		{"a part of one", func(f *os.File) io.Reader { return io.LimitReader(f, 2) }, 1},
		{"an http.File", func(f *os.File) io.Reader { return http.File(f) }, 1},
		{"a type that embeds one", func(f *os.File) io.Reader { return disguised{f, bytes.NewReader([]byte("no file"))} }, 0},
		{"a part of that", func(f *os.File) io.Reader {
			return io.LimitReader(disguised{f, bytes.NewReader([]byte("no file"))}, 2)
		}, 0},
		{"memory", func(*os.File) io.Reader { return struct{ io.Reader }{bytes.NewReader([]byte("memory"))} }, 0},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			w := &taking{ResponseRecorder: httptest.NewRecorder()}
			src := tc.src(f)
			limits.New(limits.Config{MaxBodyBytes: 1})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if _, ok := src.(disguised); ok {
					src = struct { // or its WriteTo, which is the file's, would be taken
						io.Reader
					}{src}
				}
				_, err := io.Copy(w, src)
				assert.NoError(t, err)
			})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
			assert.Equal(t, tc.want, w.files)
		})
	}
}
