package limits_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The connection is closed through any number of wrapped writers, around the middleware
// and inside it.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(wrapped{wrapped{w}}, r)
	})
}

// 413 reaches a client that stalls, through wrapped writers, with
// Connection: close, and the connection ends although the client never does.
//
// Reported elsewhere:
//   - the connection stays open below a wrapped writer, https://github.com/golang/go/issues/73754
//   - a 413 breaks the next request, https://github.com/dotnet/aspnetcore/issues/31169
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
			s := testhttp.HTTP1.Start(t, stack.h(reading(make(chan read, len(stalling)))))
			clients := make([]*testhttp.Conn, len(stalling))
			for i, tc := range stalling {
				clients[i] = s.Dial(t)
				clients[i].Send(t, "POST / HTTP/1.1\r\nHost: a\r\n"+tc.head+"\r\n"+tc.body)
			}
			for i, tc := range stalling {
				res, _ := clients[i].Response(t)
				assert.Equal(t, 413, res.StatusCode, "%s: and not 100", tc.desc)
				assert.True(t, res.Close, "%s: Connection: close", tc.desc)
			}
			for _, c := range clients {
				c.Closed(t)
			}
		})
	}
}

// stalling are requests of clients that stop sending.
var stalling = []struct{ desc, head, body string }{
	{"declared, nothing sent", "Content-Length: 5000\r\n", ""},
	{"declared, some sent", "Content-Length: 5000\r\n", xs(10)},
	{"declared, huge", "Content-Length: 50000000\r\n", xs(10)},
	{"declared, expecting", "Content-Length: 5000\r\nExpect: 100-continue\r\n", ""},
	{"chunked", "Transfer-Encoding: chunked\r\n", "7d0\r\n" + xs(1500)},
}

// 413 reaches a client that writes everything before it reads anything,
// although the server stops reading.
//
// Reported elsewhere: a reset overtakes the 413, https://github.com/rwf2/Rocket/issues/2783
func TestRefusalReachesAClientThatIsSending(t *testing.T) {
	t.Parallel()
	saw := make(chan read, 10)
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 1000})(reading(saw)))
	for _, size := range []int{2_000, 200_000} {
		for _, chunked := range []bool{false, true} {
			c := s.Dial(t)
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
			res, _ := c.Response(t)
			assert.Equal(t, 413, res.StatusCode)
			assert.True(t, res.Close)
			c.Closed(t)
		}
	}
}

// The rest of a refused body is never parsed as the next request.
//
// Reported elsewhere: a 413 breaks the next request, https://github.com/dotnet/aspnetcore/issues/31169
func TestLeftoverBodyIsNotARequest(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 10)
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 10})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path
		_, _ = io.Copy(io.Discard, r.Body)
	})))
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	c := s.Dial(t)
	c.Send(t, "POST /declared HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\n"+smuggled+smuggled)
	res, _ := c.Response(t)
	assert.Equal(t, 413, res.StatusCode)
	c.Closed(t)
	c = s.Dial(t)
	c.Send(t, "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n"+smuggled+"\r\n0\r\n\r\n"+smuggled)
	res, _ = c.Response(t)
	assert.True(t, res.Close)
	c.Closed(t)
	assert.Equal(t, "/chunked", testhttp.Await(t, requests))
	assert.Empty(t, requests)
}

// A response that has begun before the body goes over its limit arrives,
// and the connection closes after it.
//
// Reported elsewhere: a limit and a response that streams, https://github.com/golang/go/issues/46826
func TestStreamingResponse(t *testing.T) {
	t.Parallel()
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 100})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		assert.NoError(t, rc.EnableFullDuplex())
		_, _ = io.WriteString(w, "begun ")
		assert.NoError(t, rc.Flush())
		n, err := io.Copy(io.Discard, r.Body)
		assert.Error(t, err)
		assert.EqualValues(t, 100, n)
		_, _ = io.WriteString(w, "ended")
	})))
	c := s.Dial(t)
	c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n"+xs(500))
	res, body := c.Response(t)
	assert.Equal(t, 200, res.StatusCode)
	assert.Equal(t, "begun ended", body)
	c.Closed(t)
}

// A connection is closed soon after a refusal, even if the client never stops
// sending.
//
// Reported elsewhere: a reset overtakes the 413, https://github.com/rwf2/Rocket/issues/2783
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 10})(never(t)))
	c := s.Dial(t)
	c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n")
	res, _ := c.Response(t)
	assert.Equal(t, 413, res.StatusCode)
	began := time.Now()
	for { // until the server stops reading
		if _, err := c.Write(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	assert.Less(t, time.Since(began), testhttp.Patience/2)
}
