package limits_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encode applies codings, the first one first. "raw" is deflate without zlib's
// header.
func encode(t testing.TB, b []byte, codings ...string) []byte {
	t.Helper()
	for _, coding := range codings {
		var buf bytes.Buffer
		var w io.WriteCloser
		switch coding {
		case "gzip":
			w, _ = gzip.NewWriterLevel(&buf, gzip.BestSpeed)
		case "deflate":
			w, _ = zlib.NewWriterLevel(&buf, zlib.BestSpeed)
		case "raw":
			w, _ = flate.NewWriter(&buf, flate.BestSpeed)
		}
		_, err := w.Write(b)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		b = buf.Bytes()
	}
	return b
}

// decoded returns what a handler behind mw reads from an encoded body.
func decoded(mw func(http.Handler) http.Handler, body []byte, coding ...string) (got []byte, err error, status int) { //nolint:revive,staticcheck // in that order
	h := mw(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, err = io.ReadAll(r.Body)
	}))
	r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
	r.Header["Content-Encoding"] = coding
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return got, err, w.Code
}

func TestDecoding(t *testing.T) {
	mw := limits.New(limits.Config{MaxBodyBytes: 1 << 20, MaxDecodedBytes: 1 << 20})
	text := []byte(strings.Repeat("The body as it was. ", 100))
	two := append(encode(t, text[:1000], "gzip"), encode(t, text[1000:], "gzip")...)
	for _, tc := range []struct {
		desc   string
		body   []byte
		header []string
	}{
		{"not at all", text, nil},
		{"identity", text, []string{"identity"}},
		{"gzip", encode(t, text, "gzip"), []string{"gzip"}},
		{"any case", encode(t, text, "gzip"), []string{" GZip "}},
		{"x-gzip", encode(t, text, "gzip"), []string{"x-gzip"}},
		{"several members", two, []string{"gzip"}},
		{"deflate", encode(t, text, "deflate"), []string{"deflate"}},
		{"deflate without zlib", encode(t, text, "raw"), []string{"Deflate"}},
		{"stored, without zlib", []byte("\x01\x03\x00\xfc\xffabc"), []string{"deflate"}},
		{"two", encode(t, text, "gzip", "deflate"), []string{"gzip, deflate"}},
		{"two fields", encode(t, text, "deflate", "gzip"), []string{"deflate", "gzip"}},
		{"three", encode(t, text, "gzip", "gzip", "raw"), []string{"gzip,, gzip , identity,deflate"}},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			got, err, status := decoded(mw, tc.body, tc.header...)
			require.NoError(t, err)
			assert.Equal(t, 200, status)
			want := string(text)
			if tc.desc == "stored, without zlib" {
				want = "abc"
			}
			assert.Equal(t, want, string(got))
		})
	}
}

func TestMalformed(t *testing.T) {
	mw := limits.New(limits.Config{MaxDecodedBytes: 1 << 20})
	text := []byte(strings.Repeat("The body as it was. ", 100))
	spoiled := encode(t, text, "gzip")
	spoiled[len(spoiled)-6] ^= 1
	for _, tc := range []struct {
		desc, coding string
		body         []byte
		want         error
	}{
		{"trailing garbage", "gzip", append(encode(t, text, "gzip"), "garbage and more"...), gzip.ErrHeader},
		{"trailing zeros", "gzip", append(encode(t, text, "gzip"), make([]byte, 512)...), gzip.ErrHeader},
		{"trailing garbage, deflate", "deflate", append(encode(t, text, "deflate"), 'g'), nil},
		{"trailing garbage, raw", "deflate", append(encode(t, text, "raw"), 'g'), nil},
		{"garbage under two", "gzip, gzip", encode(t, append(encode(t, text, "gzip"), "g"...), "gzip"), nil},
		{"truncated", "gzip", encode(t, text, "gzip")[:50], io.ErrUnexpectedEOF},
		{"one byte short", "gzip", encode(t, text, "gzip")[:len(encode(t, text, "gzip"))-1], io.ErrUnexpectedEOF},
		{"truncated deflate", "deflate", encode(t, text, "deflate")[:20], io.ErrUnexpectedEOF},
		{"a single byte", "deflate", []byte("x"), io.ErrUnexpectedEOF},
		{"nothing but a header", "gzip", encode(t, text, "gzip")[:10], io.ErrUnexpectedEOF},
		{"checksum", "gzip", spoiled, gzip.ErrChecksum},
		{"not encoded at all", "gzip", text, gzip.ErrHeader},
		{"a dictionary", "deflate", []byte("\x78\xbb\x00\x00\x00\x00"), zlib.ErrDictionary},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			_, err, _ := decoded(mw, tc.body, tc.coding)
			var e *limits.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, limits.ReasonCoding, e.Reason)
			assert.Equal(t, 400, e.StatusCode())
			if tc.want != nil {
				assert.ErrorIs(t, err, tc.want)
			}
		})
	}
}

// Reported elsewhere: decompression bombs, https://github.com/looplj/axonhub/issues/1688
func TestUnknownCoding(t *testing.T) {
	mw := limits.New(limits.Config{MaxDecodedBytes: 1 << 20})
	for _, coding := range []string{"zstd", "br", "gzip, br", "gzip;q=1", strings.Repeat("gzip, ", 4)} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", strings.NewReader("x"))
		r.Header.Set("Content-Encoding", coding)
		mw(never(t)).ServeHTTP(w, r)
		assert.Equal(t, 415, w.Code, coding)
		assert.Equal(t, "gzip, deflate", w.Header().Get("Accept-Encoding"))
	}
	got, err, status := decoded(limits.New(limits.Config{MaxBodyBytes: 1 << 20}), []byte("as it is"), "zstd")
	require.NoError(t, err)
	assert.Equal(t, 200, status, "without MaxDecodedBytes it is the handler's business")
	assert.Equal(t, "as it is", string(got))
}

// The request's header and ContentLength describe the decoded body.
func TestDecodedRequest(t *testing.T) {
	var mine http.Header
	h := limits.New(limits.Config{MaxDecodedBytes: 100})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.EqualValues(t, -1, r.ContentLength)
		assert.Empty(t, r.Header.Values("Content-Encoding"))
		assert.Empty(t, r.Header.Values("Content-Length"))
		assert.Equal(t, "kept", r.Header.Get("X-Other"))
	}))
	r := httptest.NewRequest("POST", "/", bytes.NewReader(encode(t, []byte("hello"), "gzip")))
	r.Header.Set("Content-Encoding", "gzip")
	r.Header.Set("X-Other", "kept")
	mine = r.Header
	h.ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, "gzip", mine.Get("Content-Encoding"), "the outer request is left alone")
}

func TestMaxDecodedBytes(t *testing.T) {
	const limit = 10_000
	mw := limits.New(limits.Config{MaxBodyBytes: 1 << 20, MaxDecodedBytes: limit})
	for _, codings := range [][]string{{"gzip"}, {"deflate"}, {"raw"}, {"gzip", "deflate"}} {
		for _, size := range []int{limit - 1, limit, limit + 1, 10 * limit} {
			body := encode(t, make([]byte, size), codings...)
			header := strings.ReplaceAll(strings.Join(codings, ","), "raw", "deflate")
			got, err, _ := decoded(mw, body, header)
			assert.Len(t, got, min(size, limit))
			if size <= limit {
				require.NoError(t, err)
				continue
			}
			var tooLarge *http.MaxBytesError
			require.ErrorAs(t, err, &tooLarge)
			assert.EqualValues(t, limit, tooLarge.Limit)
		}
	}
}

// The limit on the wire also holds below the decoder, and its error is not taken for an
// error of the decoder.
func TestEncodedTooLarge(t *testing.T) {
	var got error
	h := limits.New(limits.Config{MaxBodyBytes: 100, MaxDecodedBytes: 1 << 20})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, got = io.ReadAll(r.Body)
	}))
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(i * i >> 3)
	}
	r := httptest.NewRequest("POST", "/", chunks{bytes.NewReader(encode(t, noise, "gzip"))})
	r.Header.Set("Content-Encoding", "gzip")
	h.ServeHTTP(httptest.NewRecorder(), r)
	var tooLarge *http.MaxBytesError
	require.ErrorAs(t, got, &tooLarge)
	assert.EqualValues(t, 100, tooLarge.Limit)
}

// bomb is a few KiB that decode to size bytes: one member, repeated, and all of it
// compressed again.
func bomb(t testing.TB, size int) []byte {
	t.Helper()
	member := encode(t, make([]byte, 1<<20), "gzip")
	return encode(t, bytes.Repeat(member, size>>20), "gzip")
}

// A body of a few KiB that decodes to 512 MiB exceeds the ratio. If the ratio is
// allowed, decoding still takes no memory.
//
// Reported elsewhere: decompression bombs, https://github.com/looplj/axonhub/issues/1688
func TestBomb(t *testing.T) {
	body := bomb(t, 512<<20)
	require.Less(t, len(body), 16<<10)
	for _, tc := range []struct {
		desc     string
		cfg      limits.Config
		most     int64
		tooLarge bool
	}{
		{"ratio", limits.Config{MaxDecodedBytes: 1 << 40}, 3 << 20, false},
		{"size", limits.Config{MaxDecodedBytes: 1 << 20, MaxDecodeRatio: 1 << 30}, 1 << 20, true},
		{"allowed", limits.Config{MaxDecodedBytes: 16 << 20, MaxDecodeRatio: 1 << 30}, 16 << 20, true},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			var n int64
			var err error
			h := limits.New(tc.cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				n, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, 4<<10))
			}))
			r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
			r.Header.Set("Content-Encoding", "gzip, gzip")
			used := allocated(func() { h.ServeHTTP(httptest.NewRecorder(), r) })
			assert.LessOrEqual(t, n, tc.most)
			assert.Less(t, used, uint64(1<<20), "bytes of memory")
			if tc.tooLarge {
				var e *http.MaxBytesError
				require.ErrorAs(t, err, &e)
				return
			}
			var e *limits.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, limits.ReasonRatio, e.Reason)
			assert.Equal(t, 413, e.StatusCode())
		})
	}
}

// The output of an outer coding may be huge even if the inner one decodes it to
// nothing. Each coding has its own limit.
//
// Reported elsewhere: decompression bombs, https://github.com/looplj/axonhub/issues/1688
func TestBombOfEmptyMembers(t *testing.T) {
	empty := encode(t, nil, "gzip")
	body := encode(t, bytes.Repeat(empty, 3<<20/len(empty)), "gzip")
	_, err, _ := decoded(limits.New(limits.Config{MaxDecodedBytes: 2 << 20, MaxDecodeRatio: 1 << 30}), body, "gzip, gzip")
	var tooLarge *http.MaxBytesError
	require.ErrorAs(t, err, &tooLarge)
	_, err, _ = decoded(limits.New(limits.Config{MaxDecodedBytes: 1 << 30}), body, "gzip, gzip")
	var e *limits.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, limits.ReasonRatio, e.Reason)
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Over a real connection, nothing is read before the handler reads the body.
func TestDecodingOverTheWire(t *testing.T) {
	t.Parallel()
	for _, p := range testhttp.Protocols {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			saw := make(chan read, 1)
			s := p.Start(t, limits.New(limits.Config{MaxBodyBytes: 1 << 20, MaxDecodedBytes: 1000})(answering(saw)))
			for _, size := range []int{1000, 1001} {
				req, err := http.NewRequest("POST", s.URL, bytes.NewReader(encode(t, []byte(xs(size)), "gzip")))
				require.NoError(t, err)
				req.Header.Set("Content-Encoding", "gzip")
				res, err := s.Client().Do(req)
				require.NoError(t, err, fmt.Sprint(size))
				res.Body.Close()
				got := testhttp.Await(t, saw)
				assert.EqualValues(t, 1000, got.n)
				assert.Equal(t, size == 1000, got.err == nil)
			}
		})
	}
}
