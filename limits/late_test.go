package limits_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/stretchr/testify/assert"
)

const stoppable = "LIMITS_TEST_STOPPABLE" // set: the test binary is the server below

// serveStoppable is a process that a test can stop. It says where it listens, and
// when a handler is about to read.
func serveStoppable() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	h := limits.New(limits.Config{MinBodyRate: 1000, BodyGrace: 500 * time.Millisecond})(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			one := make([]byte, 1)
			_, _ = io.ReadFull(r.Body, one)
			fmt.Println("reading")
			answering(nil).ServeHTTP(w, r)
		}))
	s := &http.Server{Handler: h, Protocols: new(http.Protocols), ReadHeaderTimeout: testhttp.Patience}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	panic(s.Serve(l))
}

// A grace near the largest duration does not overflow with what the client earns.
func TestLongestGrace(t *testing.T) {
	for _, grace := range []time.Duration{1<<63 - 1, 1 << 62} {
		s := testhttp.HTTP1.Start(t, limits.New(limits.Config{MinBodyRate: 1, BodyGrace: grace})(answering(nil)))
		res, _ := post(t, s, chunks{strings.NewReader(xs(100_000))})
		assert.Equal(t, http.StatusOK, res.StatusCode)
	}
}
