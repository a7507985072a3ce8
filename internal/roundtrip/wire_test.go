package roundtrip_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
)

var errBoom = errors.New("boom")

// A trailer that was not announced is in the response once the body has ended,
// as grpc-status is (https://github.com/connectrpc/conformance/issues/769).
func TestTrailersOfTheResponse(t *testing.T) {
	wire(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Announced")
		_, _ = io.WriteString(w, "body")
		_ = http.NewResponseController(w).Flush()
		w.Header().Set("Announced", "a")
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	}, func(t *testing.T, _ testhttp.Protocol, url string, rt http.RoundTripper) {
		res, body := get(t, rt, newRequest(t, http.MethodGet, url, nil))
		assert.Equal(t, "body", body)
		assert.Equal(t, http.Header{"Announced": {"a"}, "Grpc-Status": {"0"}}, res.Trailer)
	})
}

func TestUnannouncedTrailersAlone(t *testing.T) {
	wire(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "13")
	}, func(t *testing.T, p testhttp.Protocol, url string, rt http.RoundTripper) {
		if p == testhttp.HTTP1 {
			return // net/http sends none on HTTP/1 unless one is announced or the body is chunked
		}
		res, _ := get(t, rt, newRequest(t, http.MethodGet, url, nil))
		assert.Equal(t, http.Header{"Grpc-Status": {"13"}}, res.Trailer)
	})
}

// endBody calls end before it returns io.EOF, as callers do that learn their
// trailers only then.
type endBody struct {
	io.Reader
	end func()
}

func (b *endBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		b.end()
	}
	return n, err
}

func (*endBody) Close() error { return nil }

// The caller sets the values of a request's trailers in its map while the body is read.
func TestTrailersOfTheRequest(t *testing.T) {
	wire(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, string(b)+" "+r.Trailer.Get("Checksum"))
	}, func(t *testing.T, _ testhttp.Protocol, url string, rt http.RoundTripper) {
		req := newRequest(t, http.MethodPost, url, nil)
		req.Trailer = http.Header{"Checksum": nil}
		req.Body = &endBody{strings.NewReader("body"), func() { req.Trailer.Set("Checksum", "c") }}
		req.ContentLength = -1
		_, body := get(t, rt, req)
		assert.Equal(t, "body c", body)
	})
}

// A response without content may declare the length of another response. On HTTP/2
// reading its body fails.
func TestLengthWithoutContent(t *testing.T) {
	for _, tc := range []struct {
		method string
		status int
	}{{http.MethodHead, 200}, {http.MethodGet, 304}, {http.MethodHead, 304}, {http.MethodHead, 404}} {
		t.Run(tc.method+" "+http.StatusText(tc.status), func(t *testing.T) {
			for _, p := range testhttp.Protocols {
				t.Run(p.String(), func(t *testing.T) {
					s := p.StartUnencrypted(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						w.Header().Set("Content-Length", "1000000")
						w.WriteHeader(tc.status)
					}))
					url, base := s.URL, s.Transport()
					head := func(t *testing.T, tr transport) (status int, length int64) {
						res, err := tr.wrap(base).RoundTrip(newRequest(t, tc.method, url, nil))
						require.NoError(t, err)
						assert.NoError(t, res.Body.Close())
						return res.StatusCode, res.ContentLength
					}
					_, want := head(t, bare)
					each(t, func(t *testing.T, tr transport) {
						status, length := head(t, tr)
						assert.Equal(t, tc.status, status)
						assert.Equal(t, want, length)
					})
				})
			}
		})
	}
}

// A small body in memory is sent together with its header: the transports must not hide
// its type from net/http.
func TestSmallBodiesAreOneWrite(t *testing.T) {
	for _, tc := range []struct {
		desc string
		body func() io.Reader
	}{
		{"bytes.Reader", func() io.Reader { return bytes.NewReader([]byte("small")) }},
		{"bytes.Buffer", func() io.Reader { return bytes.NewBufferString("small") }},
		{"strings.Reader", func() io.Reader { return strings.NewReader("small") }},
		{"in a NopCloser", func() io.Reader { return io.NopCloser(strings.NewReader("small")) }},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			each(t, func(t *testing.T, tr transport) {
				s := testhttp.HTTP1.StartUnencrypted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
				url, base := s.URL, s.Transport()
				d := countingDialer{make(chan int, 10)}
				base.DialContext = d.dial
				req := newRequest(t, http.MethodPost, url, tc.body())
				req.ContentLength = 5
				_, body := get(t, tr.wrap(base), req)
				assert.Equal(t, "small", body)
				assert.Len(t, d.writes, 1)
			})
		})
	}
}

// CloseIdleConnections closes those of the transport below.
func TestCloseIdleConnections(t *testing.T) {
	wire(t, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, _ testhttp.Protocol, url string, rt http.RoundTripper) {
		c := &http.Client{Transport: rt}
		port := func() string {
			var local string
			res, err := c.Do(newRequest(t, http.MethodGet, url, nil).WithContext(withLocalAddr(t.Context(), &local)))
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			return local
		}
		first := port()
		assert.Equal(t, first, port(), "kept")
		c.CloseIdleConnections()
		assert.NotEqual(t, first, port(), "closed")
	})
}

// The body of a switched protocol is still a connection to write to.
func TestSwitchedProtocol(t *testing.T) {
	each(t, func(t *testing.T, tr transport) {
		s := testhttp.HTTP1.StartUnencrypted(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "echo")
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = io.Copy(conn, rw)
		}))
		url, base := s.URL, s.Transport()
		req := newRequest(t, http.MethodGet, url, nil)
		req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
		res, err := tr.wrap(base).RoundTrip(req)
		require.NoError(t, err)
		conn, ok := res.Body.(io.ReadWriteCloser)
		require.True(t, ok, "%T", res.Body)
		for range 3 {
			_, err = io.WriteString(conn, "hello")
			require.NoError(t, err)
			b := make([]byte, 5)
			_, err = io.ReadFull(conn, b)
			require.NoError(t, err)
			assert.Equal(t, "hello", string(b))
		}
		require.NoError(t, conn.Close())
	})
}

// Close ends a Read that waits, without a race, for any kind of body
// (https://github.com/golang/go/issues/9946).
func TestCloseDuringRead(t *testing.T) {
	wire(t, func(w http.ResponseWriter, r *http.Request) {
		out := io.Writer(w)
		if r.URL.Path == "/gzip" {
			w.Header().Set("Content-Encoding", "gzip")
			gz := gzip.NewWriter(w)
			defer func() { _ = gz.Flush() }()
			out = gz
		}
		_, _ = io.WriteString(out, "begun")
		if gz, ok := out.(*gzip.Writer); ok {
			_ = gz.Flush()
		}
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, func(t *testing.T, p testhttp.Protocol, url string, rt http.RoundTripper) {
		readers := 1 // all that closing ends on HTTP/2
		if p == testhttp.HTTP1 {
			readers = 2
		}
		for _, path := range []string{"/plain", "/gzip"} {
			res, err := rt.RoundTrip(newRequest(t, http.MethodGet, url+path, nil))
			require.NoError(t, err)
			_, err = io.ReadFull(res.Body, make([]byte, 5))
			require.NoError(t, err)
			ended := make(chan error)
			for range readers {
				go func() {
					_, err := res.Body.Read(make([]byte, 10))
					ended <- err
				}()
			}
			_ = res.Body.Close()
			for range readers {
				assert.Error(t, <-ended)
			}
		}
	})
}

// A cancellation has the same result as without the transports, from the context with
// and without a cause and from the deprecated Request.Cancel.
func TestCancellation(t *testing.T) {
	for _, tc := range []struct {
		desc string
		with func(*http.Request) (*http.Request, func())
	}{
		{"context", func(r *http.Request) (*http.Request, func()) {
			ctx, cancel := context.WithCancel(r.Context())
			return r.WithContext(ctx), cancel
		}},
		{"context with a cause", func(r *http.Request) (*http.Request, func()) {
			ctx, cancel := context.WithCancelCause(r.Context())
			return r.WithContext(ctx), func() { cancel(errBoom) }
		}},
		{"Request.Cancel", func(r *http.Request) (*http.Request, func()) {
			c := make(chan struct{})
			r.Cancel = c //nolint:staticcheck // callers still use it, http.Client among them
			return r, func() { close(c) }
		}},
	} {
		for _, part := range []string{"head", "body"} {
			t.Run(tc.desc+" "+part, func(t *testing.T) {
				for _, p := range testhttp.Protocols {
					t.Run(p.String(), func(t *testing.T) {
						asked := make(chan struct{}, 1)
						s := p.StartUnencrypted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if part == "body" {
								_ = http.NewResponseController(w).Flush()
							}
							asked <- struct{}{}
							<-r.Context().Done()
						}))
						url, base := s.URL, s.Transport()
						end := func(tr transport) error {
							req, cancel := tc.with(newRequest(t, http.MethodGet, url, nil))
							go func() {
								<-asked
								if part == "head" {
									cancel()
								}
							}()
							res, err := tr.wrap(base).RoundTrip(req)
							if err != nil {
								return err
							}
							cancel()
							_, err = io.ReadAll(res.Body)
							_ = res.Body.Close()
							return err
						}
						want := end(bare)
						require.Error(t, want)
						each(t, func(t *testing.T, tr transport) { assert.Equal(t, want, end(tr)) })
					})
				}
			})
		}
	}
}
