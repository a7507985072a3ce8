package limits_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/timeout"
)

// A body fails on one goroutine while the handler sets headers on another, as with a
// ReverseProxy whose upstream responds early. There is no data race, and the response
// still ends the connection.
func TestBodyFailsWhileTheHandlerSetsHeaders(t *testing.T) {
	for _, p := range testhttp.Protocols {
		t.Run(p.String(), func(t *testing.T) {
			s := p.Start(t, limits.New(limits.Config{MaxBodyBytes: 100})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				failed := make(chan struct{})
				go func() {
					defer close(failed)
					_, err := io.Copy(io.Discard, r.Body)
					assert.Error(t, err)
				}()
				for done := false; !done; {
					select {
					case <-failed:
						done = true
					default:
						w.Header().Set("X-Mine", "1")
					}
				}
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			})))
			for range 20 {
				res, _ := post(t, s, chunks{strings.NewReader(xs(300))})
				assert.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
				assert.Equal(t, res.ProtoMajor == 1, res.Close, "Connection: close")
			}
		})
	}
}

// A goroutine that kept the request reads its body after the handler has returned.
func TestRequestKeptAfterTheHandler(t *testing.T) {
	for _, p := range testhttp.Protocols {
		t.Run(p.String(), func(t *testing.T) {
			var kept sync.WaitGroup
			h := limits.New(limits.Config{MaxBodyBytes: 100})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				kept.Go(func() {
					for end := time.Now().Add(5 * time.Millisecond); time.Now().Before(end); {
						_, _ = r.Body.Read(make([]byte, 1))
					}
				})
			}))
			s := p.Start(t, timeout.New(timeout.Config{Limit: testhttp.Patience})(h))
			for range 20 {
				post(t, s, chunks{strings.NewReader(xs(50))})
			}
			kept.Wait()
		})
	}
}

// Two readers of one body, one of which closes it, together get no more than the
// limit.
func TestTwoReadersOfOneBody(t *testing.T) {
	for _, tc := range []struct {
		desc, coding string
		cfg          limits.Config
		body         []byte
	}{
		{"plain", "", limits.Config{MaxBodyBytes: 1000}, []byte(xs(5000))},
		{"rate", "", limits.Config{MinBodyRate: 1, BodyGrace: testhttp.Patience}, []byte(xs(900))},
		{"gzip", "gzip", limits.Config{MaxDecodedBytes: 1000}, gzipped(t, 5000)},
	} {
		for _, p := range testhttp.Protocols {
			for _, closing := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/closing=%v", tc.desc, p.String(), closing), func(t *testing.T) {
					s := p.Start(t, limits.New(tc.cfg)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						assert.LessOrEqual(t, readByTwo(r.Body, closing), 1000)
					})))
					for range 5 {
						req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, bytes.NewReader(tc.body))
						require.NoError(t, err)
						req.Header.Set("Content-Encoding", tc.coding)
						res, err := s.Client().Do(req)
						require.NoError(t, err)
						require.NoError(t, res.Body.Close())
					}
				})
			}
		}
	}
}

// readByTwo reads a body on two goroutines and returns how much they got together. If
// closing is true, it closes the body while they read.
func readByTwo(body io.ReadCloser, closing bool) (total int) {
	var readers sync.WaitGroup
	var mu sync.Mutex
	for range 2 {
		readers.Go(func() {
			for err := error(nil); err == nil; {
				var n int
				n, err = body.Read(make([]byte, 7))
				mu.Lock()
				total += n
				mu.Unlock()
			}
		})
	}
	if closing {
		_ = body.Close()
	}
	readers.Wait()
	return total
}

// Two readers of the body of a response, and a Close while they read.
func TestTwoReadersOfAResponse(t *testing.T) {
	for _, p := range testhttp.Protocols {
		t.Run(p.String(), func(t *testing.T) {
			s := p.Start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, xs(5000))
				_ = http.NewResponseController(w).Flush()
			}))
			rt := timeout.NewTransport(timeout.TransportConfig{Limit: testhttp.Patience, Base: limits.NewTransport(
				limits.TransportConfig{MaxResponseBytes: 1000, Base: s.Client().Transport})})
			for i := range 20 {
				res, err := (&http.Client{Transport: rt}).Get(s.URL)
				require.NoError(t, err)
				total := readByTwo(res.Body, i%2 == 0)
				_ = res.Body.Close()
				assert.LessOrEqual(t, total, 1000)
			}
		})
	}
}

// A body that is printed, as by a mock that prints its arguments, shows nothing of the
// request, and is not read at the same time as a Read writes.
func TestPrintedBody(t *testing.T) {
	for _, p := range testhttp.Protocols {
		t.Run(p.String(), func(t *testing.T) {
			s := p.Start(t, limits.New(limits.Config{MaxBodyBytes: 100})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
					assert.Equal(t, "bulwark.Body", fmt.Sprintf(verb, r.Body), verb)
				}
			})))
			post(t, s, strings.NewReader(xs(50)))
		})
	}
}
