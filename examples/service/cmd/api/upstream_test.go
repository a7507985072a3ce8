//go:build unix

package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// thirdParty answers as configured, and counts what it could send.
type thirdParty struct {
	*httptest.Server
	mode atomic.Pointer[http.HandlerFunc]
	sent atomic.Int64
}

func startThirdParty(t *testing.T) *thirdParty {
	t.Helper()
	u := &thirdParty{}
	u.be(u.well)
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*u.mode.Load())(w, r) }))
	t.Cleanup(u.Close)
	return u
}

func (u *thirdParty) be(f http.HandlerFunc) { u.mode.Store(&f) }

func (u *thirdParty) well(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `{"score":0.5}`)
}

func (u *thirdParty) hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func (u *thirdParty) fail(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "stack trace of theirs", http.StatusInternalServerError)
}

// endless sends 10 GiB, or as much as the client reads.
func (u *thirdParty) endless(w http.ResponseWriter, _ *http.Request) {
	chunk := make([]byte, 64<<10)
	for i := range chunk {
		chunk[i] = ' ' // the JSON continues
	}
	for left := int64(10 << 30); left > 0; left -= int64(len(chunk)) {
		n, err := w.Write(chunk)
		u.sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// TestThirdParty: if it fails in any way, requests that need it get a 502 or 504 within
// their budget, others are answered as before, and when it works again the service does,
// too.
func TestThirdParty(t *testing.T) {
	third := startThirdParty(t)
	p := serve(t, []string{"API_REPUTATION_URL=" + third.URL}, "-request.timeout", "20s", "-reputation.timeout", "1s", "-reputation.retries", "1")
	for _, tc := range []struct {
		desc string
		mode http.HandlerFunc
		want reply
	}{
		{"hanging", third.hang, tooSlow},
		{"10 GiB", third.endless, badGateway},
		{"500", third.fail, badGateway},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			recovered(t, p)
			third.be(tc.mode)
			assert.Equal(t, tc.want, p.get(t, "/users/123/reputation").reply)
			others := make(chan reply, 40)
			for i := range cap(others) {
				go func() {
					path := "/users/123"
					if i%2 == 0 {
						path += "/reputation"
					}
					a, err := p.do(p.request(http.MethodGet, path, ""))
					assert.NoError(t, err)
					others <- a.reply
				}()
			}
			n := map[reply]int{}
			for range cap(others) {
				n[<-others]++
			}
			assert.Equal(t, 20, n[reply{200, `{"message":"User 123"}`}], "%v", n)
			// Some come while the breaker is open, and this machine may be slow.
			assert.Equal(t, 20, n[tooSlow]+n[badGateway], "%v", n)
			third.be(third.well)
		})
	}
	recovered(t, p)
	assert.Less(t, third.sent.Load(), int64(21*(64<<20)), "of each 10 GiB only what the sockets hold was taken")
	metrics := p.get(t, "/metrics").body
	assert.Contains(t, metrics, `http_client_request_duration_seconds_count{bulwark_outcome="",error_type="",http_request_method="GET",http_response_status_code="200",`)
	assert.Contains(t, metrics, `http_client_request_duration_seconds_count{bulwark_outcome="deadline",error_type="deadline",`)
	p.stop(t)
	assert.Zero(t, p.count(func(l line) bool { return l.Level == "WARN" }), "a body that was not closed")
}

func recovered(t *testing.T, p *process) {
	t.Helper()
	require.Eventually(t, func() bool { return p.get(t, "/users/123/reputation").body == `{"score":0.5}` }, patience, 50*time.Millisecond)
}

// TestThirdPartyAway: it refuses connections.
func TestThirdPartyAway(t *testing.T) {
	p := serve(t, []string{"API_REPUTATION_URL=http://127.0.0.1:1"})
	assert.Equal(t, badGateway, p.get(t, "/users/123/reputation").reply)
	assert.Equal(t, 200, p.get(t, "/readyz").status)
	p.stop(t)
}
