package limits_test

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
)

func TestOverride(t *testing.T) {
	saw := make(chan read, 1)
	for _, tc := range []struct {
		desc              string
		limit, ceil, over int64
		size              int
		chunked           bool
		want              int
	}{
		{"lower", 100, 0, 10, 50, false, 413},
		{"lower, chunked", 100, 0, 10, 50, true, 413},
		{"higher without a ceiling", 100, 0, 1000, 500, false, 413},
		{"higher", 100, 1000, 500, 500, false, 200},
		{"higher, chunked", 100, 1000, 500, 500, true, 200},
		{"over it", 100, 1000, 500, 501, false, 413},
		{"no higher than the ceiling", 100, 1000, 5000, 1001, true, 413},
		{"nothing to change", 100, 1000, 0, 101, false, 413},
		{"no limit around it", 0, 0, 10, 11, false, 413},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			h := limits.New(limits.Config{MaxBodyBytes: tc.limit, BodyCeiling: max(tc.ceil, tc.limit)})(
				wrap(limits.Override(limits.Config{MaxBodyBytes: tc.over})(reading(saw))))
			var body io.Reader = strings.NewReader(xs(tc.size))
			if tc.chunked {
				body = chunks{body}
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/", body))
			assert.Equal(t, tc.want, w.Code)
			select {
			case got := <-saw:
				assert.LessOrEqual(t, got.n, max(tc.over, tc.limit))
			default:
				assert.Equal(t, 413, w.Code)
			}
		})
	}
}

// Between the limit and the ceiling a declared length is refused at the first
// Read, and nothing invites the client to send.
func TestDeclaredUnderTheCeiling(t *testing.T) {
	t.Parallel()
	saw := make(chan read, 1)
	s := serve(t, limits.New(limits.Config{MaxBodyBytes: 10, BodyCeiling: 100})(reading(saw)))
	c := dial(t, s)
	c.send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\n")
	res, _ := c.response(t)
	assert.Equal(t, 413, res.StatusCode)
	assert.Zero(t, within(t, saw).n)
}
