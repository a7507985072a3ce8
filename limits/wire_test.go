package limits_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// L4: the connection is closed through any stack of wrapped writers, around the
// middleware and inside of it.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(wrapped{wrapped{w}}, r)
	})
}

// L4, L11, L12: 413 reaches a client that stalls, through wrapped writers, with
// Connection: close, and the connection ends although the client never does.
func TestRefusalReachesAClientThatStalls(t *testing.T) {
	t.Parallel()
	limit := limits.New(limits.Config{MaxBodyBytes: 1000})
	for _, stack := range []struct {
		name string
		h    func(http.Handler) http.Handler
	}{
		{"bare", limit},
		{"wrapped", func(h http.Handler) http.Handler { return wrap(limit(wrap(h))) }},
		{"nested", func(h http.Handler) http.Handler { return wrap(limit(wrap(limit(h)))) }},
	} {
		t.Run(stack.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, stack.h(reading(make(chan read, len(stalling)))))
			clients := make([]*raw, len(stalling))
			for i, tc := range stalling {
				clients[i] = dial(t, s)
				clients[i].send(t, "POST / HTTP/1.1\r\nHost: a\r\n"+tc.head+"\r\n"+tc.body)
			}
			for i, tc := range stalling {
				res, _ := clients[i].response(t)
				assert.Equal(t, 413, res.StatusCode, "%s: and not 100", tc.desc)
				assert.True(t, res.Close, "%s: Connection: close", tc.desc)
			}
			for _, c := range clients {
				c.closed(t)
			}
		})
	}
}

// stalling are requests of clients that fall silent.
var stalling = []struct{ desc, head, body string }{
	{"declared, nothing sent", "Content-Length: 5000\r\n", ""},
	{"declared, some sent", "Content-Length: 5000\r\n", xs(10)},
	{"declared, huge", "Content-Length: 50000000\r\n", xs(10)},
	{"declared, expecting", "Content-Length: 5000\r\nExpect: 100-continue\r\n", ""},
	{"chunked", "Transfer-Encoding: chunked\r\n", "7d0\r\n" + xs(1500)},
}

// L12: 413 reaches a client that writes everything before it reads anything,
// although the server stops reading.
func TestRefusalReachesAClientThatIsSending(t *testing.T) {
	t.Parallel()
	saw := make(chan read, 10)
	s := serve(t, limits.New(limits.Config{MaxBodyBytes: 1000})(reading(saw)))
	for _, size := range []int{2_000, 200_000} {
		for _, chunked := range []bool{false, true} {
			c := dial(t, s)
			var b bytes.Buffer
			req, err := http.NewRequest("POST", s.URL, strings.NewReader(xs(size)))
			require.NoError(t, err)
			if chunked {
				req.ContentLength, req.TransferEncoding = -1, []string{"chunked"}
			}
			require.NoError(t, req.Write(&b))
			for b.Len() > 0 {
				_, err := c.Write(b.Next(10_000))
				require.NoError(t, err)
			}
			res, _ := c.response(t)
			assert.Equal(t, 413, res.StatusCode)
			assert.True(t, res.Close)
			c.closed(t)
		}
	}
}

// L11: what is left of a refused body is never parsed as the next request.
func TestLeftoverIsNoRequest(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 10)
	s := serve(t, limits.New(limits.Config{MaxBodyBytes: 10})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path
		_, _ = io.Copy(io.Discard, r.Body)
	})))
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	c := dial(t, s)
	c.send(t, "POST /declared HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n"+smuggled+smuggled)
	res, _ := c.response(t)
	assert.Equal(t, 413, res.StatusCode)
	c.closed(t)
	c = dial(t, s)
	c.send(t, "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n"+smuggled+"\r\n0\r\n\r\n"+smuggled)
	res, _ = c.response(t)
	assert.True(t, res.Close)
	c.closed(t)
	assert.Equal(t, "/chunked", within(t, requests))
	assert.Empty(t, requests)
}

// L5: a response that has begun before the body goes over its limit arrives,
// and the connection closes after it.
func TestStreamingResponse(t *testing.T) {
	t.Parallel()
	s := serve(t, limits.New(limits.Config{MaxBodyBytes: 100})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		assert.NoError(t, rc.EnableFullDuplex())
		_, _ = io.WriteString(w, "begun ")
		assert.NoError(t, rc.Flush())
		n, err := io.Copy(io.Discard, r.Body)
		assert.Error(t, err)
		assert.EqualValues(t, 100, n)
		_, _ = io.WriteString(w, "ended")
	})))
	c := dial(t, s)
	c.send(t, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n"+xs(500))
	res, body := c.response(t)
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "begun ended", body)
	c.closed(t)
}

// A connection is given up soon after a refusal, also where the client sends
// on for ever.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, limits.New(limits.Config{MaxBodyBytes: 10})(never(t)))
	c := dial(t, s)
	c.send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n")
	res, _ := c.response(t)
	assert.Equal(t, 413, res.StatusCode)
	began := time.Now()
	for { // until the server has had enough
		if _, err := c.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	assert.Less(t, time.Since(began), patience/2)
}
