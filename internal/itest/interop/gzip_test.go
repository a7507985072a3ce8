package interop_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// compressor is gzhttp with a typical configuration.
func compressor(h http.Handler) http.Handler { return gzhttp.GzipHandler(h) }

// TestGzipSizes: the logged size is what passes through the exchange. With gzip inside
// that is the size on the wire. With gzip outside it is the size that the handler
// wrote.
func TestGzipSizes(t *testing.T) {
	for _, tc := range []struct {
		at   place
		wire bool // the size on the wire is logged
	}{
		{outside, false},
		{behind, true},
		{inside, true},
	} {
		t.Run(string(tc.at), func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				s := stack{at: tc.at, mw: []wrapper{compressor}}.serve(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					_, _ = io.WriteString(w, big)
				}))
				res := s.get(t, "/", "Accept-Encoding: gzip").whole(t) // because the header is set by hand, the client does not decompress it
				require.Equal(t, "gzip", res.header.Get("Content-Encoding"))
				assert.Contains(t, res.header.Values("Vary"), "Accept-Encoding")
				assert.Equal(t, big, gunzip(t, res.body))
				l := s.logged(t, 200, logging.OutcomeOK)
				if tc.wire {
					assert.EqualValues(t, len(res.body), l.Out)
				} else {
					assert.EqualValues(t, len(big), l.Out)
				}
			})
		})
	}
}

func gunzip(t *testing.T, body string) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(plain)
}

// TestGzipErrors: a response of Bulwark never has a wrong Content-Encoding, also if the
// handler's compressed response was about to be sent.
func TestGzipErrors(t *testing.T) {
	each(t, places, func(t *testing.T, at place) {
		each(t, protocols, func(t *testing.T, p protocol) {
			st := stack{errs: mapper(), at: at, mw: []wrapper{compressor}}
			s := st.serve(t, p, st.errs.Handler(func(w http.ResponseWriter, _ *http.Request) error {
				w.Header().Set("Content-Encoding", "gzip")
				w.Header().Set("Content-Length", "7")
				w.Header().Set("Etag", `"of the success"`)
				return errNotFound
			}))
			res := s.get(t, "/", "Accept-Encoding: gzip").whole(t)
			assert.Equal(t, 404, res.status)
			assert.Empty(t, res.header.Get("Content-Encoding"))
			assert.Empty(t, res.header.Get("Etag"))
			assert.JSONEq(t, `{"title":"Not Found","status":404,"detail":"no such user"}`, res.body)
			s.logged(t, 404, logging.OutcomeOK)
		})
	})
}

// TestGzipBroken: gzhttp ends its stream when the handler ends in any way. What it still
// holds then must not make a broken response look complete: neither the trailer of gzip,
// nor the bytes that it had kept to see whether they are worth compressing.
func TestGzipBroken(t *testing.T) {
	for _, tc := range []struct {
		desc    string
		text    string
		flushed bool
	}{
		{"compressed", big, true},
		{"compressed, not flushed", big, false},
		{"kept back", "too short", false},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			each(t, places, func(t *testing.T, at place) {
				each(t, protocols, func(t *testing.T, p protocol) {
					s := stack{at: at, mw: []wrapper{compressor}}.serve(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						_, _ = io.WriteString(w, tc.text)
						if tc.flushed {
							_ = http.NewResponseController(w).Flush()
						}
						panic("boom")
					}))
					res := s.get(t, "/")
					require.Error(t, res.err)
					assert.True(t, strings.HasPrefix(tc.text, res.body))
					if tc.flushed {
						assert.Len(t, res.body, len(tc.text), "what was flushed")
					}
					s.logged(t, res.status, logging.OutcomePanic)
				})
			})
		})
	}
}

// TestGzipStream: flushed data reaches the client, compressed or not, and a stream is
// bounded by its silence.
func TestGzipStream(t *testing.T) {
	each(t, places, func(t *testing.T, at place) {
		each(t, protocols, func(t *testing.T, p protocol) {
			goOn := make(chan struct{})
			s := stack{at: at, mw: []wrapper{compressor}, timeout: timeout.Config{Limit: ample, Stream: ample}}.
				serve(t, p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					flush(w, half)
					<-goOn
					flush(w, half)
				}))
			res, err := s.client.Do(s.request(t, http.MethodGet, "/", nil))
			require.NoError(t, err)
			defer res.Body.Close()
			first := make([]byte, len(half))
			_, err = io.ReadFull(res.Body, first)
			require.NoError(t, err)
			assert.Equal(t, half, string(first))
			s.quiet(t)
			close(goOn)
			rest, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			assert.Equal(t, half, string(rest))
			s.logged(t, 200, logging.OutcomeOK)
		})
	})
}

// TestGzipRequests: limits decodes requests, and gzhttp encodes responses.
func TestGzipRequests(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, big)
	require.NoError(t, w.Close())
	for _, tc := range []struct {
		desc   string
		limit  int64
		status int
	}{
		{"within the limit", int64(len(big)), 200},
		{"over it", int64(len(big)) - 1, 413},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			st := stack{errs: mapper(), at: inside, mw: []wrapper{
				limits.New(limits.Config{MaxDecodedBytes: tc.limit}), compressor,
			}}
			s := st.serve(t, http1, st.errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return err
				}
				_, err = w.Write(body)
				return err
			}))
			res := s.post(t, "/", bytes.NewReader(packed.Bytes()), "Content-Encoding: gzip").whole(t)
			assert.Equal(t, tc.status, res.status)
			l := s.logged(t, tc.status, logging.OutcomeOK)
			if tc.status == 200 {
				same(t, big, res.body)
				assert.Less(t, l.Out, int64(len(big)))
			} else {
				assert.Contains(t, l.Error, "request body too large")
			}
		})
	}
}
