package bulwarkprometheus_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/timeout"
)

// half sends the beginning of a response.
func half(w http.ResponseWriter) {
	_, _ = io.WriteString(w, "half")
	_ = http.NewResponseController(w).Flush()
}

// endings is a handler for each way that a request can end.
func endings(s *service) http.Handler {
	deadline := timeout.Override(30 * time.Millisecond)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ann") })
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /cut", func(w http.ResponseWriter, _ *http.Request) { half(w); panic(http.ErrAbortHandler) })
	mux.HandleFunc("GET /nothing", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("GET /short", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "10"); half(w) })
	mux.Handle("GET /late", s.errs.Handler(func(w http.ResponseWriter, _ *http.Request) error { half(w); return errors.New("late") }))
	mux.Handle("GET /stuck", deadline(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-s.late })))
	mux.Handle("GET /slow", deadline(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
	mux.Handle("GET /stream", deadline(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { half(w); <-r.Context().Done() })))
	mux.Handle("POST /upload", deadline(s.errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	})))
	return mux
}

func TestOutcomeIsInTheLabels(t *testing.T) {
	for _, tt := range []struct {
		method, path                            string
		body, route, status, errorType, outcome string
		abandoned, truncated                    int
	}{
		{"GET", "/users/7", "", "/users/{id}", "200", "", "", 0, 0},
		{"GET", "/.env", "", "", "404", "", "", 0, 0},
		{"POST", "/users/7", "", "", "405", "", "", 0, 0},
		{"GET", "/broken", "", "/broken", "502", "502", "error", 0, 0},
		{"GET", "/panic", "", "/panic", "500", "panic", "panic", 0, 0},
		{"GET", "/cut", "", "/cut", "200", "aborted", "aborted", 0, 1},
		{"GET", "/nothing", "", "/nothing", "", "aborted", "aborted", 0, 0},
		{"GET", "/short", "", "/short", "200", "short_body", "short_body", 0, 1},
		{"GET", "/late", "", "/late", "200", "error", "error", 0, 1},
		{"GET", "/slow", "", "/slow", "504", "deadline", "deadline", 0, 0},
		{"GET", "/stuck", "", "/stuck", "504", "deadline", "deadline", 1, 0},
		{"GET", "/stream", "", "/stream", "200", "deadline", "deadline", 0, 1},
		{"POST", "/upload", strings.Repeat("x", 2000), "", "413", "", "refused", 0, 0},
	} {
		t.Run(tt.path, func(t *testing.T) {
			both(t, func(t *testing.T, h2 bool) {
				s := start(t, h2, endings)
				s.do(t, tt.method, tt.path, strings.NewReader(tt.body))
				scheme, proto := "http", "1.1"
				if h2 {
					scheme, proto = "https", "2"
				}
				assert.Equal(t, []string{fmt.Sprintf(
					"http_server_request_duration_seconds_count{bulwark_outcome=%q,error_type=%q,http_request_method=%q,http_response_status_code=%q,http_route=%q,network_protocol_version=%q,url_scheme=%q} 1",
					tt.outcome, tt.errorType, tt.method, tt.status, tt.route, proto, scheme)},
					s.series(t, "http_server_request_duration_seconds_count"))
				assert.Equal(t, []string{
					fmt.Sprintf("bulwark_server_abandoned_handlers_total{http_route=%q} %d", tt.route, tt.abandoned),
					fmt.Sprintf("bulwark_server_truncated_responses_total{http_route=%q} %d", tt.route, tt.truncated),
					fmt.Sprintf("http_server_active_requests{http_request_method=%q,url_scheme=%q} 0", tt.method, scheme),
				}, s.series(t, "bulwark_server_abandoned", "bulwark_server_truncated", "http_server_active"))
			})
		})
	}
}

// A client that stalls in its body is at fault, and gets a 408.
func TestStalledUploadIsNotAServerError(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		s := start(t, h2, endings)
		body, w := io.Pipe()
		defer w.Close()
		assert.Equal(t, http.StatusRequestTimeout, s.do(t, http.MethodPost, "/upload", body))
		count := s.series(t, "http_server_request_duration_seconds_count")
		require.Len(t, count, 1)
		assert.Contains(t, count[0], `{bulwark_outcome="deadline",error_type="",http_request_method="POST",http_response_status_code="408",http_route="/upload",`)
	})
}

// A disconnect is not an error, and no status was sent. Until the client disconnects its
// request is active.
func TestDisconnectIsNotAServerError(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		arrived := make(chan struct{})
		s := start(t, h2, func(*service) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /report", func(w http.ResponseWriter, r *http.Request) {
				close(arrived)
				<-r.Context().Done()
				w.WriteHeader(http.StatusInternalServerError)
			})
			return mux
		})
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/report", nil)
		require.NoError(t, err)
		left := make(chan error, 1)
		go func() {
			_, err := s.Client().Do(req)
			left <- err
		}()
		<-arrived
		active := s.series(t, "http_server_active_requests")
		leave()
		require.ErrorIs(t, <-left, context.Canceled)
		s.next(t)
		require.Len(t, active, 1)
		assert.True(t, strings.HasSuffix(active[0], " 1"), active[0])
		assert.True(t, strings.HasSuffix(s.series(t, "http_server_active_requests")[0], " 0"))
		count := s.series(t, "http_server_request_duration_seconds_count")
		require.Len(t, count, 1)
		assert.Contains(t, count[0], `{bulwark_outcome="client_gone",error_type="",http_request_method="GET",http_response_status_code="",http_route="/report",`)
	})
}

func TestDurationIsInSecondsAndTheAdvisedBuckets(t *testing.T) {
	s := start(t, false, endings)
	s.get(t, "/slow")
	var les []string
	for _, line := range s.series(t, "http_server_request_duration_seconds_bucket") {
		_, le, _ := strings.Cut(line, `le="`)
		les = append(les, strings.Replace(le, `"}`, "", 1))
	}
	require.Len(t, les, 15)
	assert.Equal(t, []string{"0.005 0", "0.01 0", "0.025 0"}, les[:3], "it took 30 ms")
	assert.Equal(t, []string{"10 1", "+Inf 1"}, les[13:])
}

func TestTheTimeInTheQueue(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	s := start(t, false, func(*service) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			inside <- struct{}{}
			<-release
		})
	}, func(_ *bulwarkprometheus.Config, c *bulwark.Config) {
		c.Limits = limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: 30 * time.Millisecond, QueueTarget: 30 * time.Millisecond}
	})
	var wg sync.WaitGroup
	wg.Go(func() { s.get(t, "/") })
	<-inside
	assert.Empty(t, s.series(t, "bulwark_server_queue"), "it did not wait")
	assert.Equal(t, http.StatusServiceUnavailable, s.get(t, "/"))
	close(release)
	wg.Wait()
	assert.Equal(t, []string{
		`bulwark_server_queue_wait_seconds_bucket{bulwark_outcome="refused",le="0.005"} 0`,
		`bulwark_server_queue_wait_seconds_bucket{bulwark_outcome="refused",le="0.01"} 0`,
		`bulwark_server_queue_wait_seconds_bucket{bulwark_outcome="refused",le="0.025"} 0`,
	}, s.series(t, "bulwark_server_queue_wait_seconds_bucket")[:3])
	assert.Equal(t, []string{`bulwark_server_queue_wait_seconds_count{bulwark_outcome="refused"} 1`}, s.series(t, "bulwark_server_queue_wait_seconds_count"))
	assert.Equal(t, []string{`bulwark_server_refusals_total{bulwark_policy="",bulwark_reason="in_flight",bulwark_shadow="false",http_route=""} 1`},
		s.series(t, "bulwark_server_refusals"))
}

func TestConfiguredSchemeAndBuckets(t *testing.T) {
	buckets := []float64{.25, 1}
	s := start(t, false, endings, func(c *bulwarkprometheus.Config, _ *bulwark.Config) {
		c.Scheme, c.Buckets = "https", buckets
	})
	buckets[0] = 7 // the slice belongs to the caller again
	s.get(t, "/users/7")
	got := s.series(t, "http_server_request_duration_seconds_bucket")
	require.Len(t, got, 3)
	assert.Contains(t, got[0], `url_scheme="https",le="0.25"} 1`)
	assert.Contains(t, s.series(t, "http_server_active_requests")[0], `url_scheme="https"} 0`)
}
