package handlers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/config"
	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
	"github.com/bulwark-go/bulwark/examples/service/internal/handlers"
	"github.com/bulwark-go/bulwark/examples/service/internal/reputation"
	"github.com/bulwark-go/bulwark/examples/service/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is everything that the handlers need.
type fake struct {
	user   func(context.Context) error
	create func(key string, n domain.NewUser) error
	score  error
	ping   error
}

func (f fake) User(ctx context.Context, id int64) (domain.User, error) {
	if f.user != nil {
		if err := f.user(ctx); err != nil {
			return domain.User{}, err
		}
	}
	return domain.User{ID: id}, nil
}

func (f fake) Create(_ context.Context, key string, n domain.NewUser) (domain.User, error) {
	return domain.User{ID: 7}, f.create(key, n)
}

func (f fake) Score(context.Context, string) (float64, error) { return 0.5, f.score }

func (f fake) Ping(context.Context) error { return f.ping }

// log is what a handler logged, in lines.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.buf.String(), "\n"), "\n")
}

type service struct {
	url    string
	health *handlers.Health
	log    *log
}

var limits = config.Request{Timeout: time.Minute, MaxBodyBytes: 200, MaxInFlight: 1}

// rate is more than the tests need.
var rate = config.Quota{Requests: 1_000_000, Per: time.Second, Burst: 1_000_000}

func serve(t *testing.T, f fake, cfg config.Request) service {
	t.Helper()
	s := service{health: &handlers.Health{Ping: f.Ping}, log: &log{}}
	logger := slog.New(slog.NewJSONHandler(s.log, nil))
	srv := httptest.NewServer(handlers.New(config.Config{Request: cfg, Quota: rate}, nil, logger, telemetry.NewMetrics(), nil, s.health, handlers.API{Users: f, Creator: f, Reputation: f}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func (s service) ask(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	http.DefaultClient.CloseIdleConnections()
	return res, string(b)
}

// TestLookup is the contract of GET /users/{id}.
func TestLookup(t *testing.T) {
	for _, tc := range []struct {
		desc, id string
		err      error
		status   int
		body     string
	}{
		{"found", "123", nil, 200, `{"message":"User 123"}`},
		{"not found", "404", fmt.Errorf("%w: 404", domain.ErrNotFound), 404, `{"error":"not found"}`},
		{"malformed", "boom", nil, 400, `{"error":"invalid id"}`},
		{"negative", "-1", nil, 400, `{"error":"invalid id"}`},
		{"too large", "9223372036854775808", nil, 400, `{"error":"invalid id"}`},
		{"unavailable", "1", fmt.Errorf("%w: dial", domain.ErrUnavailable), 503, `{"error":"unavailable"}`},
		{"deadline", "1", fmt.Errorf("query: %w", context.DeadlineExceeded), 504, `{"error":"timeout"}`},
		{"anything else", "1", errors.New("password authentication failed for svc"), 500, `{"error":"internal"}`},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			s := serve(t, fake{user: func(context.Context) error { return tc.err }}, limits)
			res, body := s.ask(t, "GET", "/users/"+tc.id, "")
			assert.Equal(t, tc.status, res.StatusCode)
			assert.Equal(t, tc.body, strings.TrimSpace(body))
			assert.Equal(t, "application/json", res.Header.Get("Content-Type"))
		})
	}
}

func TestTimeout(t *testing.T) {
	cfg := limits
	cfg.Timeout = 20 * time.Millisecond
	s := serve(t, fake{user: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}, cfg)
	res, body := s.ask(t, "GET", "/users/1", "")
	assert.Equal(t, 504, res.StatusCode)
	assert.JSONEq(t, `{"error":"timeout"}`, body)
}

func TestCreate(t *testing.T) {
	const valid = `{"name":"Ada","email":"ada@example.org"}`
	for _, tc := range []struct {
		desc, body string
		header     []string
		err        error
		status     int
		answer     string
	}{
		{"created", valid, nil, nil, 201, `{"message":"User 7"}`},
		{"with a key", valid, []string{"Idempotency-Key", "k"}, nil, 201, `{"message":"User 7"}`},
		{"empty key", valid, []string{"Idempotency-Key", ""}, nil, 400, `{"error":"invalid idempotency key"}`},
		{"long key", valid, []string{"Idempotency-Key", strings.Repeat("k", 256)}, nil, 400, `{"error":"invalid idempotency key"}`},
		{"two keys", valid, []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, nil, 400, `{"error":"invalid idempotency key"}`},
		{"key of another", valid, []string{"Idempotency-Key", "k"}, domain.ErrKeyReused, 422, `{"error":"idempotency key was used for another user"}`},
		{"taken", valid, nil, domain.ErrEmailTaken, 409, `{"error":"e-mail address is taken"}`},
		{"invalid", `{}`, nil, nil, 422, `{"error":"invalid user","errors":[{"pointer":"/name","detail":"is required"},{"pointer":"/email","detail":"is not an e-mail address"}]}`},
		{"no JSON", `{`, nil, nil, 400, `{"error":"The body ends before the JSON does.","errors":[{"pointer":"","detail":"The body ends before the JSON does."}]}`},
		{"more than JSON", valid + "x", nil, nil, 400, `{"error":"The body has more than one JSON value.","errors":[{"pointer":"","detail":"The body has more than one JSON value."}]}`},
		{"too large", valid + strings.Repeat(" ", 200), nil, nil, 413, `{"error":"request entity too large"}`},
		{"another type", valid, []string{"Content-Type", "text/plain"}, nil, 415, `{"error":"The Content-Type must be application/json."}`},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			s := serve(t, fake{create: func(key string, n domain.NewUser) error {
				if len(tc.header) > 0 {
					assert.Equal(t, tc.header[1], key)
				}
				assert.Equal(t, domain.NewUser{Name: "Ada", Email: "ada@example.org"}, n)
				return tc.err
			}}, limits)
			if len(tc.header) > 0 && tc.header[0] == "Content-Type" {
				req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/users", strings.NewReader(tc.body))
				require.NoError(t, err)
				req.Header.Set("Content-Type", tc.header[1])
				res, err := http.DefaultClient.Do(req)
				require.NoError(t, err)
				res.Body.Close()
				http.DefaultClient.CloseIdleConnections()
				assert.Equal(t, tc.status, res.StatusCode)
				return
			}
			res, body := s.ask(t, "POST", "/users", tc.body, tc.header...)
			assert.Equal(t, tc.status, res.StatusCode)
			assert.Equal(t, tc.answer, strings.TrimSpace(body))
			if tc.status == 201 {
				assert.Equal(t, "/users/7", res.Header.Get("Location"))
			}
		})
	}
}

func TestReputation(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		err    error
		status int
		body   string
	}{
		{"known", nil, 200, `{"score":0.5}`},
		{"failed", fmt.Errorf("%w: 401", reputation.ErrUnavailable), 502, `{"error":"bad gateway"}`},
		{"slow", context.DeadlineExceeded, 504, `{"error":"timeout"}`},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			res, body := serve(t, fake{score: tc.err}, limits).ask(t, "GET", "/users/1/reputation", "")
			assert.Equal(t, tc.status, res.StatusCode)
			assert.Equal(t, tc.body, strings.TrimSpace(body))
		})
	}
}

// TestFull: a service that is full refuses requests, and still answers health checks.
func TestFull(t *testing.T) {
	arrived, leave := make(chan struct{}), make(chan struct{})
	s := serve(t, fake{user: func(context.Context) error { close(arrived); <-leave; return nil }}, limits)
	var first sync.WaitGroup
	first.Go(func() {
		res, _ := s.ask(t, "GET", "/users/1", "")
		assert.Equal(t, 200, res.StatusCode)
	})
	<-arrived
	res, body := s.ask(t, "GET", "/users/1", "")
	assert.Equal(t, 503, res.StatusCode)
	assert.NotEmpty(t, res.Header.Get("Retry-After"))
	assert.JSONEq(t, `{"error":"service unavailable"}`, body)
	for _, path := range []string{"/livez", "/readyz"} {
		res, _ := s.ask(t, "GET", path, "")
		assert.Equal(t, 200, res.StatusCode, path)
	}
	_, metrics := s.ask(t, "GET", "/metrics", "")
	assert.Contains(t, metrics, `bulwark_server_refusals_total{bulwark_policy="",bulwark_reason="in_flight",bulwark_shadow="false",http_route="/"} 1`)
	assert.Contains(t, metrics, `http_server_active_requests{http_request_method="GET",url_scheme="http"} 2`, "the first and this one")
	close(leave)
	first.Wait()
}

// TestHealth: health checks are logged only if they fail.
func TestHealth(t *testing.T) {
	s := serve(t, fake{}, limits)
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		res, _ := s.ask(t, "GET", path, "")
		assert.Equal(t, 200, res.StatusCode, path)
	}
	s.health.End()
	res, body := s.ask(t, "GET", "/readyz", "")
	assert.Equal(t, 503, res.StatusCode)
	assert.JSONEq(t, `{"error":"not ready"}`, body)
	res, _ = s.ask(t, "GET", "/livez", "")
	assert.Equal(t, 200, res.StatusCode)
	require.Len(t, s.log.lines(), 1)
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(s.log.lines()[0]), &line))
	assert.Equal(t, "/readyz", line["url.path"])
	assert.Equal(t, "shutting down", line["error.message"])
}

func TestNotReady(t *testing.T) {
	s := serve(t, fake{ping: fmt.Errorf("%w: connection refused", domain.ErrUnavailable)}, limits)
	res, _ := s.ask(t, "GET", "/readyz", "")
	assert.Equal(t, 503, res.StatusCode)
	assert.Contains(t, s.log.lines()[0], "connection refused")
	res, _ = s.ask(t, "GET", "/livez", "")
	assert.Equal(t, 200, res.StatusCode)
}

func TestPanic(t *testing.T) {
	s := serve(t, fake{user: func(context.Context) error { panic("nil map") }}, limits)
	res, body := s.ask(t, "GET", "/users/1", "")
	assert.Equal(t, 500, res.StatusCode)
	assert.JSONEq(t, `{"error":"internal"}`, body)
	require.Len(t, s.log.lines(), 1)
	assert.Contains(t, s.log.lines()[0], "nil map")
}
