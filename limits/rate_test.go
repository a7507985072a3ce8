package limits_test

import (
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answering reads the body and responds as an error mapper would.
func answering(saw chan<- read) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if saw != nil {
			saw <- read{n, err}
		}
		if e, ok := errors.AsType[interface {
			error
			StatusCode() int
		}](err); ok {
			w.WriteHeader(e.StatusCode())
		} else if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
}

// drip sends a byte a second until the connection ends.
func drip(c *testhttp.Conn) {
	for {
		if _, err := io.WriteString(c, "x"); err != nil {
			return
		}
		time.Sleep(time.Second) // in a bubble
	}
}

func TestTricklerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saw := make(chan read, 1)
		connect := piped(t, limits.New(limits.Config{MinBodyRate: 100, BodyGrace: 10 * time.Second})(answering(saw)))
		c := connect()
		began := time.Now()
		c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
		var wg sync.WaitGroup
		wg.Go(func() { drip(c) })
		res, _ := c.Response(t)
		assert.Equal(t, http.StatusRequestTimeout, res.StatusCode)
		assert.True(t, res.Close)
		assert.InDelta(t, 10, time.Since(began).Seconds(), 0.2, "the grace, and a hundredth of a second for each byte")
		c.Closed(t)
		wg.Wait()
		var e *limits.Error
		require.ErrorAs(t, (<-saw).err, &e)
		assert.Equal(t, limits.ReasonRate, e.Reason)
		assert.EqualValues(t, 100, e.Limit)
		assert.EqualValues(t, 1, e.Got)
		assert.Equal(t, "limits: body too slow, in bytes per second: 1, limit 100", e.Error())
	})
}

// The same if the client sends nothing, and if it sends Expect: 100-continue.
func TestSilentClientIsCutOff(t *testing.T) {
	for _, head := range []string{"Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 10\r\nExpect: 100-continue\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			connect := piped(t, limits.New(limits.Config{MinBodyRate: 100})(answering(nil)))
			c := connect()
			began := time.Now()
			c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\n"+head+"\r\n")
			res, _ := c.Response(t)
			if res.StatusCode == http.StatusContinue {
				res, _ = c.Response(t)
			}
			assert.Equal(t, http.StatusRequestTimeout, res.StatusCode)
			assert.Equal(t, 5*time.Second, time.Since(began), "the default grace")
			c.Closed(t)
		})
	}
}

func TestHourLongUploadPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saw := make(chan read, 1)
		connect := piped(t, limits.New(limits.Config{MinBodyRate: 100, BodyGrace: time.Second})(answering(saw)))
		c := connect()
		c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 396000\r\n\r\n")
		for range 3600 {
			c.Send(t, xs(110))
			time.Sleep(time.Second)
		}
		res, _ := c.Response(t)
		assert.Equal(t, 200, res.StatusCode)
		assert.Equal(t, read{396000, nil}, <-saw)
	})
}

// A handler that reads slowly, or works for a long time between two reads or after the
// last, is not the client's fault, and its context is not canceled.
func TestSlowHandlerIsNotTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connect := piped(t, limits.New(limits.Config{MinBodyRate: 1000, BodyGrace: time.Second})(http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				p := make([]byte, 1)
				for range 10 {
					time.Sleep(time.Hour)
					_, err := io.ReadFull(r.Body, p)
					assert.NoError(t, err)
				}
				_, err := r.Body.Read(p)
				assert.Equal(t, io.EOF, err)
				time.Sleep(time.Hour)
				assert.NoError(t, r.Context().Err())
			})))
		c := connect()
		for range 2 { // the second shows that no timer is left
			c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789")
			res, _ := c.Response(t)
			assert.Equal(t, 200, res.StatusCode)
		}
	})
}

// If a handler does not read, the time to drain the body is bounded, whatever the client
// does.
func TestUnreadBodyIsDrainedInBoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		connect := piped(t, limits.New(limits.Config{MinBodyRate: 1000})(http.HandlerFunc(
			func(http.ResponseWriter, *http.Request) {})))
		c := connect()
		began := time.Now()
		c.Send(t, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01")
		res, _ := c.Response(t)
		assert.Equal(t, 200, res.StatusCode)
		assert.Less(t, time.Since(began), 2*time.Second)
		c.Closed(t)
	})
}

// No size overflows: bytes times nanoseconds would at 8.6 GiB.
func TestRateArithmetic(t *testing.T) {
	for _, rate := range []int64{1, 1 << 20, math.MaxInt64} {
		synctest.Test(t, func(t *testing.T) {
			h := limits.New(limits.Config{MinBodyRate: rate, BodyGrace: time.Second})(http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) {
					p := make([]byte, 1<<10)
					for range 20 {
						_, err := r.Body.Read(p)
						assert.NoError(t, err)
					}
				}))
			r := httptest.NewRequest("POST", "/", boastful{})
			h.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
}

// boastful claims to have read far more than a test could send.
type boastful struct{}

func (boastful) Read([]byte) (int, error) { return 1 << 30, nil }

func TestTricklerOnHTTP2(t *testing.T) {
	saw := make(chan read, 2)
	s := testhttp.HTTP2.Start(t, limits.New(limits.Config{MinBodyRate: 1000, BodyGrace: 50 * time.Millisecond})(answering(saw)))
	body, w := io.Pipe()
	defer w.Close()
	res, err := s.Client().Post(s.URL, "text/plain", body)
	require.NoError(t, err)
	res.Body.Close()
	assert.Equal(t, http.StatusRequestTimeout, res.StatusCode)
	var e *limits.Error
	require.ErrorAs(t, testhttp.Await(t, saw).err, &e)
	res, _ = post(t, s, strings.NewReader("ok"))
	assert.Equal(t, 200, res.StatusCode, "the connection lives")
}
