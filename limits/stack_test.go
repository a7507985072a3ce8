package limits_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each refusal behind the other packages: the client and the log record agree, the
// response is errmap's, and there is one record.
//
// Reported elsewhere: a binder turns 413 into 400, https://github.com/labstack/echo/issues/977
func TestWithTheOtherPackages(t *testing.T) {
	errs := errmap.New(errmap.Config{})
	lossy := errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadAll(r.Body); err != nil {
			return errors.New("decoding failed") // the error of some JSON libraries
		}
		return nil
	})
	for _, tc := range []struct {
		desc    string
		cfg     limits.Config
		body    io.Reader
		status  int
		outcome logging.Outcome
		header  string
	}{
		{"declared", limits.Config{MaxBodyBytes: 3}, strings.NewReader("12345"), 413, "refused", "Connection"},
		{"chunked", limits.Config{MaxBodyBytes: 3}, chunks{strings.NewReader("12345")}, 413, "ok", "Connection"},
		{"decoded", limits.Config{MaxDecodedBytes: 3}, strings.NewReader(string(encode(t, []byte("12345"), "gzip"))), 413, "ok", "Connection"},
		{"malformed", limits.Config{MaxDecodedBytes: 3}, strings.NewReader("12345"), 400, "ok", ""},
		{"target", limits.Config{MaxURIBytes: 3}, nil, 414, "refused", ""},
		{"header", limits.Config{MaxHeaderBytes: 3}, nil, 431, "refused", ""},
		{"fine", limits.Config{MaxBodyBytes: 3}, strings.NewReader("123"), 200, "ok", ""},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			var rec logging.Record
			tc.cfg.ErrorHandler = errs.Write
			h := logging.New(logging.Config{
				Logger:   slog.New(slog.DiscardHandler),
				OnRecord: func(_ context.Context, r logging.Record) { rec = r },
			})(limits.New(tc.cfg)(lossy))
			r := httptest.NewRequest("POST", "/path", tc.body)
			if tc.cfg.MaxDecodedBytes > 0 {
				r.Header.Set("Content-Encoding", "gzip")
			}
			r.Header.Set("Accept", "application/problem+json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, tc.status, w.Code)
			assert.Equal(t, tc.status, rec.Status)
			assert.Equal(t, tc.outcome, rec.Outcome)
			if tc.status == 200 {
				require.NoError(t, rec.Cause)
				return
			}
			require.Error(t, rec.Cause)
			assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			assert.NotContains(t, w.Body.String(), "limits:")
			if tc.header != "" {
				assert.NotEmpty(t, w.Header().Get(tc.header))
			}
		})
	}
}

// Refusals under Shadow are in the record, so that metrics can count them.
func TestShadowInTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec logging.Record
		h := logging.New(logging.Config{
			Logger:   slog.New(slog.DiscardHandler),
			OnRecord: func(_ context.Context, r logging.Record) { rec = r },
		})(limits.New(limits.Config{
			MaxBodyBytes: 3, MaxURIBytes: 3, MinBodyRate: 1000, BodyGrace: time.Second, Shadow: true,
		})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			assert.Equal(t, "12345", string(b))
		})))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/path", &slowly{strings.NewReader("12345")}))
		assert.Equal(t, 200, rec.Status)
		assert.Equal(t, logging.OutcomeOK, rec.Outcome)
		var reasons []limits.Reason
		for _, err := range rec.Remarks {
			if e, ok := errors.AsType[*limits.Error](err); assert.True(t, ok || errors.As(err, new(*http.MaxBytesError)), "%v", err) && ok {
				reasons = append(reasons, e.Reason)
			}
		}
		assert.Len(t, rec.Remarks, 3)
		assert.ElementsMatch(t, []limits.Reason{limits.ReasonURI, limits.ReasonRate}, reasons)
	})
}

// slowly is a body whose every byte takes two seconds.
type slowly struct{ r io.Reader }

func (s *slowly) Read(p []byte) (int, error) {
	time.Sleep(2 * time.Second)
	return s.r.Read(p[:1])
}

// Over the wire, with the log record.
func TestQueuedRequestLeavesOverTheWire(t *testing.T) {
	for _, p := range testhttp.Protocols {
		records, arrived := make(chan logging.Record, 3), make(chan struct{}, 3)
		inner := newHeld()
		queue := limits.New(limits.Config{MaxInFlight: 1, MaxQueue: 1, MaxWait: testhttp.Patience})(inner)
		s := p.Start(t, logging.New(logging.Config{
			Logger:   slog.New(slog.DiscardHandler),
			OnRecord: func(_ context.Context, r logging.Record) { records <- r },
		})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			queue.ServeHTTP(w, r)
		})))
		get := func(ctx context.Context, path string) {
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
			if res, err := s.Client().Do(r); err == nil {
				res.Body.Close()
			}
		}
		go get(t.Context(), "/first")
		testhttp.Await(t, inner.started)
		testhttp.Await(t, arrived)
		ctx, leave := context.WithCancel(t.Context())
		go get(ctx, "/gone")
		testhttp.Await(t, arrived)
		leave()
		rec := testhttp.Await(t, records)
		assert.Equal(t, "/gone", rec.Path)
		assert.Equal(t, logging.OutcomeClientGone, rec.Outcome)
		assert.Equal(t, 499, rec.Status)
		assert.Equal(t, 503, rec.StatusIntended)
		assert.False(t, rec.Abandoned)
		go get(t.Context(), "/second") // the place is free
		testhttp.Await(t, arrived)
		close(inner.release)
		assert.Equal(t, "/second", testhttp.Await(t, inner.started))
		assert.Equal(t, 200, testhttp.Await(t, records).Status)
		assert.Equal(t, 200, testhttp.Await(t, records).Status)
	}
}

// The route is set in the request that limits got, and so in the log record, whether
// the body is limited or not. Middleware in between that passes on a copy of the
// request sees the route in its copy.
func TestRouteIsKnownOutside(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users/{id}", func(http.ResponseWriter, *http.Request) {})
	for _, cfg := range []limits.Config{{MaxURIBytes: 100}, {MaxBodyBytes: 100}, {MaxDecodedBytes: 100}} {
		next := limits.New(cfg)(mux)
		for _, own := range []bool{false, true} {
			var route string
			var rec logging.Record
			h := logging.New(logging.Config{
				Logger:   slog.New(slog.DiscardHandler),
				OnRecord: func(_ context.Context, r logging.Record) { rec = r },
			})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if own {
					r = r.WithContext(context.WithValue(r.Context(), ctxKey{}, "span"))
				}
				next.ServeHTTP(w, r)
				route = r.Pattern
			}))
			r := httptest.NewRequest(http.MethodPost, "/users/7", strings.NewReader(string(encode(t, []byte("1"), "gzip"))))
			r.Header.Set("Content-Encoding", "gzip")
			h.ServeHTTP(httptest.NewRecorder(), r)
			assert.Equal(t, "POST /users/{id}", route, "%+v", cfg)
			if !own {
				assert.Equal(t, "/users/{id}", rec.Route, "%+v", cfg)
			}
		}
	}
}

type ctxKey struct{}
