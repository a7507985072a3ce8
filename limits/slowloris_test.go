package limits_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A thousand clients that send slowly do not slow down the others, and all of them are
// cut off.
func TestSlowloris(t *testing.T) {
	const many = 1000
	reading := make(chan struct{}, many)
	s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MaxBodyBytes: 1 << 20, MinBodyRate: 1 << 10, BodyGrace: time.Second})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/drip" {
				reading <- struct{}{}
			}
			answering(nil).ServeHTTP(w, r)
		})))
	alone := latency(t, s)

	tricklers := make([]*testhttp.Conn, many)
	for i := range tricklers {
		tricklers[i] = s.Dial(t)
		tricklers[i].Send(t, "POST /drip HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
	}
	for range many {
		testhttp.Await(t, reading)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		dripAll(tricklers, stop)
	}()
	beside := latency(t, s)
	for _, c := range tricklers {
		res, err := http.ReadResponse(c.In, nil)
		require.NoError(t, err)
		res.Body.Close()
		require.Equal(t, http.StatusRequestTimeout, res.StatusCode)
	}
	close(stop)
	<-stopped
	t.Logf("median alone %v, beside %d tricklers %v", alone, many, beside)
	assert.Less(t, beside, 10*alone+10*time.Millisecond)
}

// dripAll sends a byte on each connection ten times a second.
func dripAll(clients []*testhttp.Conn, stop <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		for _, c := range clients {
			_, _ = io.WriteString(c, "x")
		}
	}
}

// latency returns the median for ordinary requests.
func latency(t *testing.T, s *testhttp.Server) time.Duration {
	t.Helper()
	took := make([]time.Duration, 51)
	for i := range took {
		began := time.Now()
		res, _ := post(t, s, strings.NewReader(xs(1000)))
		took[i] = time.Since(began)
		require.Equal(t, 200, res.StatusCode)
	}
	slices.Sort(took)
	return took[len(took)/2]
}
