package bulwarkotel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/quota"
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
	mux.HandleFunc("GET /users/{id}", func(_ http.ResponseWriter, r *http.Request) { logging.Logger(r.Context()).Info("cache miss") })
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /cut", func(w http.ResponseWriter, _ *http.Request) { half(w); panic(http.ErrAbortHandler) })
	mux.Handle("GET /late", s.errs.Handler(func(w http.ResponseWriter, _ *http.Request) error { half(w); return errors.New("late") }))
	mux.Handle("GET /slow", deadline(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
	mux.Handle("GET /stuck", deadline(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-s.late })))
	mux.Handle("GET /stream", deadline(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { half(w); <-r.Context().Done() })))
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, r *http.Request) {
		s.served <- struct{}{} // the client disconnects
		<-r.Context().Done()
		w.WriteHeader(http.StatusInternalServerError)
	})
	mux.Handle("POST /upload", deadline(s.errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	})))
	return mux
}

// leave requests /report and disconnects before the response.
func (s *service) leave(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-s.served
		cancel()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/report", nil)
	require.NoError(t, err)
	_, err = s.Client().Do(req)
	require.ErrorIs(t, err, context.Canceled)
	receive(t, s.records)
}

func TestOutcomeIsInTheAttributes(t *testing.T) {
	for _, tt := range []struct {
		path, want           string // without the protocol
		route                string
		abandoned, truncated int
	}{
		{"/users/7", "http.request.method=GET,http.response.status_code=200,http.route=/users/{id}", "/users/{id}", 0, 0},
		{"/.env", "http.request.method=GET,http.response.status_code=404", "", 0, 0},
		{"/broken", "bulwark.outcome=error,error.type=502,http.request.method=GET,http.response.status_code=502,http.route=/broken", "/broken", 0, 0},
		{"/panic", "bulwark.outcome=panic,error.type=panic,http.request.method=GET,http.response.status_code=500,http.route=/panic", "/panic", 0, 0},
		{"/cut", "bulwark.outcome=aborted,error.type=aborted,http.request.method=GET,http.response.status_code=200,http.route=/cut", "/cut", 0, 1},
		{"/late", "bulwark.outcome=error,error.type=error,http.request.method=GET,http.response.status_code=200,http.route=/late", "/late", 0, 1},
		{"/slow", "bulwark.outcome=deadline,error.type=deadline,http.request.method=GET,http.response.status_code=504,http.route=/slow", "/slow", 0, 0},
		{"/stuck", "bulwark.outcome=deadline,error.type=deadline,http.request.method=GET,http.response.status_code=504,http.route=/stuck", "/stuck", 1, 0},
		{"/stream", "bulwark.outcome=deadline,error.type=deadline,http.request.method=GET,http.response.status_code=200,http.route=/stream", "/stream", 0, 1},
		{"/report", "bulwark.outcome=client_gone,http.request.method=GET,http.route=/report", "/report", 0, 0},
	} {
		t.Run(tt.path, func(t *testing.T) {
			both(t, func(t *testing.T, h2 bool) {
				s := start(t, untraced, h2, endings)
				if tt.path == "/report" {
					s.leave(t)
				} else {
					s.do(t, http.MethodGet, tt.path, nil)
				}
				proto, scheme := "1.1", "http"
				if h2 {
					proto, scheme = "2", "https"
				}
				want := tt.want + ",network.protocol.version=" + proto + ",url.scheme=" + scheme
				assert.Equal(t, map[string]int{want: 1}, points(t, s.reader, "http.server.request.duration"))
				route := ""
				if tt.route != "" {
					route = "http.route=" + tt.route
				}
				assert.Equal(t, map[string]int{route: tt.abandoned}, points(t, s.reader, "bulwark.server.abandoned_handlers"))
				assert.Equal(t, map[string]int{route: tt.truncated}, points(t, s.reader, "bulwark.server.truncated_responses"))
				assert.Equal(t, map[string]int{"http.request.method=GET,url.scheme=" + scheme: 0}, points(t, s.reader, "http.server.active_requests"))
			})
		})
	}
}

// A request is active from its arrival on.
func TestActiveRequests(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	s := start(t, untraced, false, func(*service) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			close(inside)
			<-release
		})
	})
	go func() {
		<-inside
		assert.Equal(t, map[string]int{"http.request.method=_OTHER,url.scheme=http": 1}, points(t, s.reader, "http.server.active_requests"))
		close(release)
	}()
	s.do(t, "BREW", "/pot", nil)
	assert.Equal(t, map[string]int{"http.request.method=_OTHER,url.scheme=http": 0}, points(t, s.reader, "http.server.active_requests"))
}

// Two servers that share a Telemetry count together.
func TestActiveRequestsOfTwoServers(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	telemetry := bulwarkotel.New(bulwarkotel.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	for range 2 {
		telemetry.Server(logging.Config{}).OnStart(t.Context(), logging.Record{Method: http.MethodGet, Scheme: "http"})
	}
	assert.Equal(t, map[string]int{"http.request.method=GET,url.scheme=http": 2}, points(t, reader, "http.server.active_requests"))
}

// hooks are the hooks of a server and of a client, without either.
func hooks(t *testing.T, cfg bulwarkotel.Config) (logging.Config, logging.TransportConfig, sdkmetric.Reader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	cfg.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	telemetry := bulwarkotel.New(cfg)
	return telemetry.Server(logging.Config{}), telemetry.Client(logging.TransportConfig{}), reader
}

func TestRefusalsByReason(t *testing.T) {
	server, client, reader := hooks(t, bulwarkotel.Config{})
	cycle := &cyclic{}
	for _, r := range []logging.Record{
		{Cause: fmt.Errorf("x: %w", &limits.Error{Reason: limits.ReasonInFlight}), Outcome: logging.OutcomeRefused},
		{Cause: errors.Join(errors.New("x"), &http.MaxBytesError{}), Route: "/upload"},
		{Cause: &quota.Error{Policy: "client"}, Outcome: logging.OutcomeRefused},
		{Cause: &timeout.Error{Phase: timeout.PhaseBudget}, Outcome: logging.OutcomeRefused},
		{Remarks: []error{&limits.Error{Reason: limits.ReasonURI}, errors.New("x"), nil, &quota.Error{Policy: "day"}}},
		// These are not refusals of requests:
		{Cause: &timeout.Error{Phase: timeout.PhaseBudget}}, {Cause: &timeout.Error{Phase: timeout.PhaseHandler}},
		{Cause: &limits.Error{Reason: limits.ReasonResponse}}, {Cause: errors.New("x")}, {Cause: cycle}, {Cause: (*limits.Error)(nil)},
	} {
		server.OnRecord(t.Context(), r)
	}
	assert.Equal(t, map[string]int{
		"bulwark.reason=in_flight,bulwark.shadow=false":                   1,
		"bulwark.reason=body,bulwark.shadow=false,http.route=/upload":     1,
		"bulwark.policy=client,bulwark.reason=quota,bulwark.shadow=false": 1,
		"bulwark.reason=budget,bulwark.shadow=false":                      1,
		"bulwark.reason=uri,bulwark.shadow=true":                          1,
		"bulwark.policy=day,bulwark.reason=quota,bulwark.shadow=true":     1,
	}, points(t, reader, "bulwark.server.refusals"))

	for _, err := range []error{
		&limits.Error{Reason: limits.ReasonResponse}, fmt.Errorf("x: %w", &timeout.Error{Phase: timeout.PhaseBudget}),
		&limits.Error{Reason: limits.ReasonURI}, &timeout.Error{Phase: timeout.PhaseHandler}, errors.New("x"), cycle, nil,
	} {
		client.OnRecord(t.Context(), logging.Record{Cause: err, Server: "third.example", Port: 443})
	}
	assert.Equal(t, map[string]int{
		"bulwark.reason=response,server.address=third.example,server.port=443": 1,
		"bulwark.reason=budget,server.address=third.example,server.port=443":   1,
	}, points(t, reader, "bulwark.client.refusals"))
}

// cyclic is an error that is its own cause.
type cyclic struct{}

func (*cyclic) Error() string { return "cyclic" }

func (c *cyclic) Unwrap() error { return c }

func TestTheTimeInTheQueue(t *testing.T) {
	server, _, reader := hooks(t, bulwarkotel.Config{})
	server.OnRecord(t.Context(), logging.Record{Outcome: logging.OutcomeOK})
	assert.Empty(t, points(t, reader, "bulwark.server.queue.wait"), "it did not wait")
	server.OnRecord(t.Context(), logging.Record{Outcome: logging.OutcomeRefused, QueueWait: 1500 * time.Millisecond})
	data := metrics(t, reader)["bulwark.server.queue.wait"].Data.(metricdata.Histogram[float64])
	require.Len(t, data.DataPoints, 1)
	assert.Equal(t, 1.5, data.DataPoints[0].Sum)
	assert.Equal(t, map[string]int{"bulwark.outcome=refused": 1}, points(t, reader, "bulwark.server.queue.wait"))
}

func TestCalls(t *testing.T) {
	for _, tt := range []struct {
		record logging.Record
		want   string
	}{
		{logging.Record{Status: 200, Proto: "2", Outcome: logging.OutcomeOK}, "http.request.method=GET,http.response.status_code=200,network.protocol.version=2"},
		{logging.Record{Status: 404, Outcome: logging.OutcomeOK}, "error.type=404,http.request.method=GET,http.response.status_code=404"},
		{logging.Record{Status: 502, Outcome: logging.OutcomeError}, "bulwark.outcome=error,error.type=502,http.request.method=GET,http.response.status_code=502"},
		{logging.Record{Outcome: logging.OutcomeError}, "bulwark.outcome=error,error.type=error,http.request.method=GET"},
		{logging.Record{Status: 200, Outcome: logging.OutcomeDeadline}, "bulwark.outcome=deadline,error.type=deadline,http.request.method=GET,http.response.status_code=200"},
		{logging.Record{Status: 101, Outcome: logging.OutcomeUpgraded}, "bulwark.outcome=upgraded,http.request.method=GET,http.response.status_code=101"},
	} {
		_, client, reader := hooks(t, bulwarkotel.Config{})
		r := logging.Record{Method: "GET", Scheme: "https", Server: "third.example", Port: 443}
		client.OnStart(t.Context(), r)
		active := "http.request.method=GET,server.address=third.example,server.port=443"
		assert.Equal(t, map[string]int{active: 1}, points(t, reader, "http.client.active_requests"))
		r.Status, r.Proto, r.Outcome = tt.record.Status, tt.record.Proto, tt.record.Outcome
		client.OnRecord(t.Context(), r)
		assert.Equal(t, map[string]int{active: 0}, points(t, reader, "http.client.active_requests"))
		assert.Equal(t, map[string]int{tt.want + ",server.address=third.example,server.port=443": 1}, points(t, reader, "http.client.request.duration"))
	}
}

// The variable of the conventions replaces the known methods, unless KnownMethods is
// set. What cannot be a method is ignored, so that a typing error does not end the
// process.
func TestKnownMethodsOfTheEnvironment(t *testing.T) {
	for _, tt := range []struct {
		variable string
		field    []string
		want     map[string]string
	}{
		{"", nil, map[string]string{"GET": "GET", "PURGE": "_OTHER", "get": "_OTHER"}},
		{" , ,", nil, map[string]string{"GET": "GET", "PURGE": "_OTHER"}},
		{"GET, PURGE", nil, map[string]string{"GET": "GET", "PURGE": "PURGE", "POST": "_OTHER", "purge": "_OTHER"}},
		{"get,PUR GE,\"", nil, map[string]string{"GET": "_OTHER", "get": "get"}},
		{"PURGE", []string{"GET"}, map[string]string{"GET": "GET", "PURGE": "_OTHER"}},
	} {
		t.Run(tt.variable, func(t *testing.T) {
			t.Setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", tt.variable)
			telemetry := bulwarkotel.New(bulwarkotel.Config{MeterProvider: sdkmetric.NewMeterProvider()})
			var served, called string
			server := telemetry.Server(logging.Config{
				Logger: slog.New(slog.DiscardHandler), KnownMethods: tt.field,
				OnRecord: func(_ context.Context, r logging.Record) { served = r.Method },
			})
			h := logging.New(server)(http.NotFoundHandler())
			client := logging.NewTransport(telemetry.Client(logging.TransportConfig{
				Logger: slog.New(slog.DiscardHandler), KnownMethods: tt.field, Base: unreachable{},
				OnRecord: func(_ context.Context, r logging.Record) { called = r.Method },
			}))
			for method, want := range tt.want {
				r := httptest.NewRequest(method, "http://third.example/", nil)
				h.ServeHTTP(httptest.NewRecorder(), r)
				assert.Equal(t, want, served, method)
				res, err := client.RoundTrip(r)
				if err == nil {
					_ = res.Body.Close()
				}
				assert.Equal(t, want, called, method)
			}
		})
	}
}

// unreachable is a transport without a network.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func TestHostsBeyondMaxServersAreOne(t *testing.T) {
	_, client, reader := hooks(t, bulwarkotel.Config{MaxServers: 2})
	for i := range 5 {
		client.OnStart(t.Context(), logging.Record{Method: "GET", Server: fmt.Sprintf("host%d", i), Port: 80 + i})
	}
	assert.Equal(t, map[string]int{
		"http.request.method=GET,server.address=host0,server.port=80": 1,
		"http.request.method=GET,server.address=host1,server.port=81": 1,
		"http.request.method=GET,server.address=_OTHER":               3,
	}, points(t, reader, "http.client.active_requests"))
	for i := range 5 {
		client.OnRecord(t.Context(), logging.Record{Method: "GET", Server: fmt.Sprintf("host%d", i), Port: 80 + i})
	}
	for attrs, n := range points(t, reader, "http.client.active_requests") {
		assert.Zero(t, n, attrs)
	}
}

// No data of a client becomes a new attribute.
func TestClientsMakeNoSeries(t *testing.T) {
	both(t, func(t *testing.T, h2 bool) {
		s := start(t, untraced, h2, endings)
		for i := range 40 {
			random := fmt.Sprintf("x%dy", i)
			method := []string{"GET", "POST", "BREW" + strings.ToUpper(random)}[i%3]
			path := []string{"/users/" + random, "/" + random, "/users/7?" + random}[i/3%3]
			s.do(t, method, path, nil, "X-Request-Id", random, "User-Agent", random, "X-Forwarded-Proto", random, "Forwarded", random, random, random)
		}
		assert.Len(t, points(t, s.reader, "http.server.request.duration"), 6, "200 and 404 for GET, 404 and 405 for POST and _OTHER")
		for attrs := range points(t, s.reader, "http.server.request.duration") {
			assert.NotContains(t, strings.ToLower(attrs), "x1")
		}
	})
}

func TestConfiguredScheme(t *testing.T) {
	server, _, reader := hooks(t, bulwarkotel.Config{Scheme: "https"})
	server.OnStart(t.Context(), logging.Record{Method: "GET", Scheme: "http"})
	assert.Equal(t, map[string]int{"http.request.method=GET,url.scheme=https": 1}, points(t, reader, "http.server.active_requests"))
}

func TestConfigIsValidated(t *testing.T) {
	assert.PanicsWithValue(t, "bulwarkotel: MeterProvider must not be a nil *metric.MeterProvider; Scheme must be http or https; MaxServers must not be negative", func() {
		bulwarkotel.New(bulwarkotel.Config{MeterProvider: (*sdkmetric.MeterProvider)(nil), Scheme: "ftp", MaxServers: -1})
	})
	assert.NotPanics(t, func() { bulwarkotel.New(bulwarkotel.Config{}) }, "the global provider")
}

// The hooks that a Config has are also called, after those of the telemetry.
func TestHooksOfTheConfigAreCalledAfterwards(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	telemetry := bulwarkotel.New(bulwarkotel.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	var called []string
	hook := func(metric string) func(context.Context, logging.Record) {
		return func(context.Context, logging.Record) {
			assert.NotEmpty(t, points(t, reader, metric))
			called = append(called, metric)
		}
	}
	server := telemetry.Server(logging.Config{OnStart: hook("http.server.active_requests"), OnRecord: hook("http.server.request.duration")})
	client := telemetry.Client(logging.TransportConfig{OnStart: hook("http.client.active_requests"), OnRecord: hook("http.client.request.duration")})
	server.OnStart(t.Context(), logging.Record{})
	server.OnRecord(t.Context(), logging.Record{})
	client.OnStart(t.Context(), logging.Record{})
	client.OnRecord(t.Context(), logging.Record{})
	assert.Equal(t, []string{
		"http.server.active_requests", "http.server.request.duration", "http.client.active_requests", "http.client.request.duration",
	}, called)
}

// Requests whose keys are alike have series of their own.
func TestSimilarKeysAreCountedApart(t *testing.T) {
	server, client, reader := hooks(t, bulwarkotel.Config{})
	want := map[string]int{}
	for i, method := range []string{"GET", "PUT", "PAT"} {
		for j, route := range []string{"/a/{id}", "/b/{id}", "/c/{id}"} {
			for k, status := range []int{200, 201, 200 + 256} {
				for range i + j + k + 1 {
					r := logging.Record{Method: method, Scheme: "http", Route: route, Status: status, Outcome: logging.OutcomeOK}
					server.OnStart(t.Context(), r)
					server.OnRecord(t.Context(), r)
					r.Server = "third" + route[1:2] + ".example"
					client.OnStart(t.Context(), r)
					client.OnRecord(t.Context(), r)
				}
				want[fmt.Sprint(method, route, status)] = i + j + k + 1
			}
		}
	}
	for _, name := range []string{"http.server.request.duration", "http.client.request.duration"} {
		got := map[string]int{}
		for _, p := range metrics(t, reader)[name].Data.(metricdata.Histogram[float64]).DataPoints {
			method, _ := p.Attributes.Value("http.request.method")
			status, _ := p.Attributes.Value("http.response.status_code")
			route, _ := p.Attributes.Value("http.route")
			host, found := p.Attributes.Value("server.address")
			text := route.AsString()
			if found {
				text = "/" + host.AsString()[5:6] + "/{id}"
			}
			got[fmt.Sprint(method.AsString(), text, status.AsInt64())] = int(p.Count)
		}
		assert.Equal(t, want, got, name)
	}
	for _, name := range []string{"http.server.active_requests", "http.client.active_requests"} {
		for attributes, n := range points(t, reader, name) {
			assert.Zero(t, n, attributes)
		}
	}
}
