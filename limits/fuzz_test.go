package limits_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scattered returns a body in pieces as a network might, sometimes with its end in the
// last piece.
type scattered struct {
	b     []byte
	dice  *rand.Rand
	taken int
}

func (s *scattered) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b[:1+s.dice.IntN(len(s.b))])
	s.b, s.taken = s.b[n:], s.taken+n
	if len(s.b) == 0 && s.dice.IntN(2) == 0 {
		return n, io.EOF
	}
	return n, nil
}

// model is a simple implementation that has the whole body in memory.
type model struct {
	body    []byte // decoded, if possible
	sizes   []int  // of the wire and after each coding
	invalid bool
}

func modelOf(wire []byte, codings []string) model {
	m := model{body: wire, sizes: []int{len(wire)}}
	for i := len(codings) - 1; i >= 0 && !m.invalid; i-- {
		m.body, m.invalid = undo(m.body, codings[i])
		m.sizes = append(m.sizes, len(m.body))
	}
	return m
}

func undo(b []byte, coding string) (out []byte, invalid bool) {
	src := bytes.NewReader(b)
	var r io.Reader
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(src)
	case "deflate":
		r, err = zlib.NewReader(src)
	case "raw":
		r = flate.NewReader(src)
	}
	if err != nil {
		return nil, true
	}
	out, err = io.ReadAll(r)
	return out, err != nil || src.Len() > 0
}

// FuzzGuard compares the guard with the model, for bodies that are sent and read in
// any pieces, encoded and corrupted, with any limits.
//
// Reported elsewhere: a reader gets more than the limit, https://github.com/labstack/echo/issues/3071
func FuzzGuard(f *testing.F) {
	f.Add([]byte("hello"), uint64(1), uint16(5), uint16(5), uint8(0), uint16(0))
	f.Add([]byte("hello"), uint64(2), uint16(4), uint16(5), uint8(1), uint16(0))
	f.Add(bytes.Repeat([]byte("abc"), 1000), uint64(3), uint16(100), uint16(3000), uint8(4), uint16(0))
	f.Add(bytes.Repeat([]byte("abc"), 1000), uint64(4), uint16(5000), uint16(2999), uint8(2), uint16(0))
	f.Add(bytes.Repeat([]byte("abc"), 1000), uint64(5), uint16(5000), uint16(3000), uint8(3), uint16(20))
	f.Add(bytes.Repeat([]byte("abc"), 1000), uint64(6), uint16(5000), uint16(3000), uint8(5), uint16(65535))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, maxWire, maxDecoded uint16, how uint8, spoil uint16) {
		if maxWire == 0 || maxDecoded == 0 {
			t.Skip("not enforced")
		}
		codings := [][]string{nil, {"gzip"}, {"deflate"}, {"raw"}, {"gzip", "deflate"}, {"raw", "gzip"}, {"gzip", "gzip", "raw"}}[how%7]
		wire := encode(t, data, codings...)
		if spoil > 0 && len(wire) > 0 && len(codings) > 0 {
			wire = bytes.Clone(wire)
			wire[int(spoil)%len(wire)] ^= byte(1 + spoil>>8)
		}
		check(t, wire, codings, rand.New(rand.NewPCG(seed, 0)), int(maxWire), int(maxDecoded))
	})
}

func check(t *testing.T, wire []byte, codings []string, dice *rand.Rand, maxWire, maxDecoded int) {
	t.Helper()
	src := &scattered{b: wire, dice: dice}
	var got []byte
	var err error
	h := limits.New(limits.Config{MaxBodyBytes: int64(maxWire), MaxDecodedBytes: int64(maxDecoded)})(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			for err == nil {
				p := make([]byte, 1+dice.IntN(700))
				var n int
				n, err = r.Body.Read(p)
				got = append(got, p[:n]...)
			}
			n, again := r.Body.Read(make([]byte, 10))
			assert.Zero(t, n)
			assert.Equal(t, err, again, "the error stays")
		}))
	r := httptest.NewRequest("POST", "/", src)
	r.Header.Set("Content-Encoding", strings.ReplaceAll(strings.Join(codings, ","), "raw", "deflate"))
	h.ServeHTTP(httptest.NewRecorder(), r)

	limit := maxDecoded
	if len(codings) == 0 {
		limit = maxWire
	}
	require.LessOrEqual(t, len(got), limit)
	require.LessOrEqual(t, src.taken, maxWire+4<<10, "no more is read than is needed to know")
	m := modelOf(wire, codings)
	tooLarge, isTooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case !m.invalid && m.within(maxWire, maxDecoded):
		require.Equal(t, io.EOF, err)
		require.True(t, bytes.Equal(m.body, got))
	case !m.invalid:
		require.True(t, isTooLarge, "%v", err)
		require.Contains(t, []int64{int64(maxWire), int64(maxDecoded)}, tooLarge.Limit)
		require.True(t, bytes.HasPrefix(m.body, got))
	case err == io.EOF:
		// a corrupt zlib header makes it a bare stream, which the model does not try
		require.Contains(t, codings, "deflate")
	}
}

// within reports whether no limit is exceeded anywhere.
func (m model) within(maxWire, maxDecoded int) bool {
	for i, size := range m.sizes {
		if i == 0 && size > maxWire || i > 0 && size > maxDecoded {
			return false
		}
	}
	return true
}
