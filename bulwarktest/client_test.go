package bulwarktest_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/bulwarktest"
)

// slowBody answers 408 with the part of a stalled body that it has read.
var slowBody = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestTimeout)
	}
	_, _ = w.Write(b)
})

func TestStallSendsTheFirstBytesOnly(t *testing.T) {
	onEach(t, slowBody, func(t *testing.T, c bulwarktest.Client, url string) {
		for _, length := range []int64{0, -1} {
			r := request(t, "POST", url, "0123456789")
			r.ContentLength += length * 11 // -1: in chunks
			res := c.Stall(t, r, 4)
			assert.NoError(t, res.Err)
			assert.Equal(t, http.StatusRequestTimeout, res.Status)
			assert.Equal(t, "0123", res.Body)
		}
	})
}

func TestTrickleSendsOneByteAtATime(t *testing.T) {
	const every = 5 * time.Millisecond
	onEach(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for p := make([]byte, 100); ; {
			n, err := r.Body.Read(p)
			_, _ = w.Write(p[:n])
			if err != nil {
				return
			}
		}
	}), func(t *testing.T, c bulwarktest.Client, url string) {
		for _, length := range []int64{0, -1} {
			r := request(t, "POST", url, "0123456789")
			r.ContentLength += length * 11
			res := c.Trickle(t, r, every)
			assert.NoError(t, res.Err)
			assert.Equal(t, "0123456789", res.Body)
			assert.GreaterOrEqual(t, res.Took, 9*every)
		}
	})
}

// If the server responds before it has the body, the client stops sending.
func TestTrickleEndsWithTheResponse(t *testing.T) {
	onEach(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusForbidden)
	}), func(t *testing.T, c bulwarktest.Client, url string) {
		res := c.Trickle(t, request(t, "POST", url, "0123456789"), time.Hour)
		assert.NoError(t, res.Err)
		assert.Equal(t, http.StatusForbidden, res.Status)
	})
}

func TestVanishEndsTheContextOfTheRequest(t *testing.T) {
	leave, gone := make(chan struct{}, 1), make(chan string, 1)
	onEach(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		leave <- struct{}{}
		<-r.Context().Done()
		gone <- string(b)
	}), func(t *testing.T, c bulwarktest.Client, url string) {
		c.Vanish(t, request(t, "POST", url, "all of it"), leave)
		assert.Equal(t, "all of it", <-gone)
	})
}

// A reset of the connection may overtake the request, except on plain HTTP/1. A
// handler that has begun ends: the server's Close waits for it.
func TestVanishAtOnce(t *testing.T) {
	ended := make(chan struct{}, len(protocols))
	onEach(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		ended <- struct{}{}
	}), func(t *testing.T, c bulwarktest.Client, url string) {
		c.Vanish(t, request(t, "GET", url, ""), nil)
		if !c.HTTP2 && c.TLS == nil {
			<-ended
		}
	})
}

func TestReadSlowlyMakesTheServerWait(t *testing.T) {
	const size = 16 << 20
	wrote := make(chan error, 1)
	onEach(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		_, err := w.Write(make([]byte, size))
		wrote <- err
	}), func(t *testing.T, c bulwarktest.Client, url string) {
		res := c.ReadSlowly(t, request(t, "GET", url, ""), 16<<10, 2*time.Millisecond)
		assert.Error(t, <-wrote, "the client took everything")
		assert.Error(t, res.Err)
		assert.Less(t, len(res.Body), size)
	})
}

// net/http ends the context when the client has closed its side. The response
// still reaches it.
func TestHalfCloseStillReads(t *testing.T) {
	for _, p := range []struct {
		desc string
		tls  bool
	}{{"TCP", false}, {"TLS", true}} {
		t.Run(p.desc, func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				_, _ = io.WriteString(w, "still here")
			}))
			var c bulwarktest.Client
			if p.tls {
				s.StartTLS()
				c.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			res := c.HalfClose(t, request(t, "GET", s.URL, ""))
			assert.NoError(t, res.Err)
			assert.Equal(t, "still here", res.Body)
		})
	}
}

func TestHTTP10(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.(http.Flusher).Flush() // no Content-Length: the end of the connection ends the body
		_, _ = io.WriteString(w, r.Proto+" "+string(b))
	}))
	t.Cleanup(s.Close)
	res := bulwarktest.Client{}.HTTP10(t, request(t, "POST", s.URL, "body"))
	assert.NoError(t, res.Err)
	assert.Equal(t, "HTTP/1.0 body", res.Body)
}

func TestPipeline(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abort" {
			panic(http.ErrAbortHandler)
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.URL.Path+" "+string(b))
	}))
	t.Cleanup(s.Close)
	res := bulwarktest.Client{}.Pipeline(t,
		request(t, "GET", s.URL+"/1", ""), request(t, "POST", s.URL+"/2", "body"), request(t, "HEAD", s.URL+"/3", ""),
		request(t, "GET", s.URL+"/abort", ""), request(t, "GET", s.URL+"/5", ""))
	require.Len(t, res, 5)
	assert.Equal(t, []string{"/1 ", "/2 body", "", "", ""}, []string{res[0].Body, res[1].Body, res[2].Body, res[3].Body, res[4].Body})
	for i, r := range res {
		assert.Equal(t, i >= 3, r.Err != nil, i)
		assert.Equal(t, i >= 3, r.Status == 0, i)
	}
}

// A response that breaks off never counts as a complete one.
func TestBrokenResponse(t *testing.T) {
	onEach(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), func(t *testing.T, c bulwarktest.Client, url string) {
		res := c.HalfClose(t, request(t, "GET", url, ""))
		assert.Error(t, res.Err)
		assert.Equal(t, "half", res.Body)
		assert.Equal(t, 200, res.Status)
	})
}

func TestPatienceEndsACall(t *testing.T) {
	onEach(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
		func(t *testing.T, c bulwarktest.Client, url string) {
			c.Patience = 50 * time.Millisecond
			if c.TLS != nil {
				c.Patience = 500 * time.Millisecond // bounds the handshake as well
			}
			res := c.Trickle(t, request(t, "GET", url, ""), 0)
			timeout, ok := errors.AsType[net.Error](res.Err)
			assert.True(t, ok && timeout.Timeout(), "%v", res.Err)
			assert.Zero(t, res.Status)
		})
}

func TestInformationalResponsesArePassedOver(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(s.Close)
	assert.Equal(t, http.StatusTeapot, bulwarktest.Client{}.HalfClose(t, request(t, "GET", s.URL, "")).Status)
}

func TestMisuseIsFatal(t *testing.T) {
	never := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler()) // without HTTP/2
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	impatient := bulwarktest.Client{Patience: 20 * time.Millisecond}
	for _, tc := range []struct {
		want string
		call func(testing.TB)
	}{
		{"Stall after 4 bytes needs a longer body than 4", func(t testing.TB) { bulwarktest.Client{}.Stall(t, request(t, "POST", s.URL, "1234"), 4) }},
		{"Stall after -1 bytes", func(t testing.TB) { bulwarktest.Client{}.Stall(t, request(t, "POST", s.URL, "1234"), -1) }},
		{"ReadSlowly of 0 bytes at a time", func(t testing.TB) { bulwarktest.Client{}.ReadSlowly(t, request(t, "GET", s.URL, ""), 0, 0) }},
		{"HTTP10 needs a Client without HTTP2", func(t testing.TB) { bulwarktest.Client{HTTP2: true}.HTTP10(t, request(t, "GET", s.URL, "")) }},
		{"Pipeline needs a Client without HTTP2", func(t testing.TB) { bulwarktest.Client{HTTP2: true}.Pipeline(t, request(t, "GET", s.URL, "")) }},
		{"Pipeline needs a request", func(t testing.TB) { bulwarktest.Client{}.Pipeline(t) }},
		{"Vanish: leave was not closed within Patience", func(t testing.TB) { impatient.Vanish(t, request(t, "GET", s.URL, ""), never) }},
		{"connection refused", func(t testing.TB) { bulwarktest.Client{}.HalfClose(t, request(t, "GET", "http://127.0.0.1:1", "")) }},
		{"dial tcp 127.0.0.1:1: connect: connection refused", func(t testing.TB) {
			bulwarktest.Client{HTTP2: true}.HalfClose(t, request(t, "GET", "http://127.0.0.1:1", ""))
		}},
		{"127.0.0.1:1", func(t testing.TB) {
			bulwarktest.Client{HTTP2: true}.Vanish(t, request(t, "GET", "https://127.0.0.1:1", ""), never)
		}},
		{"unsupported protocol scheme", func(t testing.TB) {
			bulwarktest.Client{HTTP2: true}.HalfClose(t, request(t, "GET", "ftp://127.0.0.1:1", ""))
		}},
		{"no application protocol", func(t testing.TB) { bulwarktest.Client{HTTP2: true}.HalfClose(t, request(t, "GET", secure.URL, "")) }},
		{"no complete response within Patience", func(t testing.TB) {
			silent := bulwarktest.Client{HTTP2: true, Patience: time.Millisecond, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}
			silent.HalfClose(t, request(t, "GET", s.URL, ""))
		}},
		{"reading the request body: EOF in the middle", func(t testing.TB) {
			r := request(t, "POST", s.URL, "")
			r.Body = io.NopCloser(io.MultiReader(strings.NewReader("a"), failing{}))
			bulwarktest.Client{}.HalfClose(t, r)
		}},
	} {
		t.Run(tc.want, func(t *testing.T) {
			r := recorded(t, tc.call)
			assert.True(t, r.fatal)
			require.Len(t, r.errors, 1)
			assert.Contains(t, r.errors[0], tc.want)
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("EOF in the middle") }
