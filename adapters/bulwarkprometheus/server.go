package bulwarkprometheus

import (
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bulwark-go/bulwark/logging"
)

// hook is a function that package logging calls.
type hook = func(context.Context, logging.Record)

// both returns a hook that calls first and then second.
func both(first, second hook) hook {
	if second == nil {
		return first
	}
	return func(ctx context.Context, r logging.Record) {
		first(ctx, r)
		second(ctx, r)
	}
}

// server counts requests.
type server struct {
	scheme    string
	buckets   []float64
	duration  *prometheus.HistogramVec
	active    *prometheus.GaugeVec
	queueWait *prometheus.HistogramVec
	refusals  *prometheus.CounterVec
	abandoned *prometheus.CounterVec
	truncated *prometheus.CounterVec

	requests cache[requestKey, request]
	gauges   cache[gaugeKey, prometheus.Gauge]
}

func (s *server) register(cfg *Config) {
	s.scheme, s.buckets = cfg.Scheme, cfg.Buckets
	s.duration = prometheus.NewHistogramVec(cfg.histogram(prometheus.HistogramOpts{
		Name: "http_server_request_duration_seconds",
		Help: "Duration of HTTP server requests.",
	}), []string{
		"http_request_method", "url_scheme", "http_route", "http_response_status_code",
		"network_protocol_version", "error_type", "bulwark_outcome",
	})
	s.active = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "http_server_active_requests",
		Help: "Number of active HTTP server requests.",
	}, []string{"http_request_method", "url_scheme"})
	s.queueWait = prometheus.NewHistogramVec(cfg.histogram(prometheus.HistogramOpts{
		Name: "bulwark_server_queue_wait_seconds",
		Help: "How long requests waited for a permit. Requests that did not wait are not counted.",
	}), []string{"bulwark_outcome"})
	s.refusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulwark_server_refusals_total",
		Help: "Requests that exceeded a limit or a quota, by reason.",
	}, []string{"http_route", "bulwark_reason", "bulwark_policy", "bulwark_shadow"})
	s.abandoned = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulwark_server_abandoned_handlers_total",
		Help: "Handlers that were still running when the request had ended for the client.",
	}, []string{"http_route"})
	s.truncated = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bulwark_server_truncated_responses_total",
		Help: "Responses that were cut off in a way that the client can see.",
	}, []string{"http_route"})
	cfg.Registerer.MustRegister(s.duration, s.active, s.queueWait, s.refusals, s.abandoned, s.truncated)
}

// The options of native histograms that Prometheus recommends.
const (
	nativeFactor  = 1.1
	nativeBuckets = 160
)

func (c *Config) histogram(opts prometheus.HistogramOpts) prometheus.HistogramOpts {
	opts.Buckets = c.Buckets
	if c.NativeHistograms {
		opts.NativeHistogramBucketFactor = nativeFactor
		opts.NativeHistogramMaxBucketNumber = nativeBuckets
		opts.NativeHistogramMinResetDuration = nativeReset
	}
	return opts
}

// requestKey has the values that determine the series of a request.
type requestKey struct {
	method, scheme, route, proto string
	status                       int
	outcome                      logging.Outcome
}

// request has the series for all requests with the same key. The first request of a
// route creates its counters at 0: a counter that starts at 1 would have no
// increase, so a rate would miss the first event.
type request struct {
	duration             histogram
	abandoned, truncated prometheus.Counter
}

type gaugeKey struct{ method, scheme string }

func (s *server) schemeOf(r *logging.Record) string {
	if s.scheme != "" {
		return s.scheme
	}
	return r.Scheme
}

func (s *server) gauge(r *logging.Record) prometheus.Gauge {
	return *s.gauges.get(gaugeKey{r.Method, s.schemeOf(r)}, func(k gaugeKey) *prometheus.Gauge {
		g := s.active.WithLabelValues(k.method, k.scheme)
		return &g
	})
}

func (s *server) started(_ context.Context, r logging.Record) { s.gauge(&r).Inc() }

func (s *server) ended(_ context.Context, r logging.Record) {
	s.gauge(&r).Dec()
	req := s.requests.get(requestKey{
		method: r.Method, scheme: s.schemeOf(&r), route: r.Route, proto: r.Proto, status: sent(&r), outcome: r.Outcome,
	}, s.newRequest)
	req.duration.observe(&r)
	if r.Abandoned {
		increment(req.abandoned, &r)
	}
	if r.Truncated {
		increment(req.truncated, &r)
	}
	if r.QueueWait > 0 {
		s.queueWait.WithLabelValues(unlessOK(r.Outcome)).Observe(r.QueueWait.Seconds())
	}
	if ref, ok := refusalOf(r.Cause, r.Outcome == logging.OutcomeRefused); ok {
		s.refuse(&r, ref, "false")
	}
	for _, err := range r.Remarks {
		if ref, ok := refusalOf(err, false); ok {
			s.refuse(&r, ref, "true")
		}
	}
}

func (s *server) refuse(r *logging.Record, ref refusal, shadow string) {
	increment(s.refusals.WithLabelValues(r.Route, ref.reason, ref.policy, shadow), r)
}

func (s *server) newRequest(k requestKey) *request {
	observer := s.duration.WithLabelValues(k.method, k.scheme, k.route, code(k.status), k.proto, k.errorType(), unlessOK(k.outcome))
	return &request{
		duration:  newHistogram(observer, s.buckets),
		abandoned: s.abandoned.WithLabelValues(k.route),
		truncated: s.truncated.WithLabelValues(k.route),
	}
}

// statusClientGone is the status in the record if the client left before anything
// was sent.
const statusClientGone = 499

// sent returns the status that was sent, or 0 if none was.
func sent(r *logging.Record) int {
	if r.Status == statusClientGone && r.Outcome == logging.OutcomeClientGone {
		return 0
	}
	return r.Status
}

// unlessOK returns the label of an outcome.
func unlessOK(o logging.Outcome) string {
	if o == logging.OutcomeOK {
		return ""
	}
	return string(o)
}

// code returns the label of a status.
func code(status int) string {
	if status == 0 {
		return ""
	}
	return strconv.Itoa(status)
}

// errorType returns error_type: how the server failed, or "".
func (k *requestKey) errorType() string {
	switch k.outcome {
	case logging.OutcomePanic, logging.OutcomeAborted, logging.OutcomeWriteTimeout, logging.OutcomeWriteError, logging.OutcomeShortBody:
		return string(k.outcome)
	case logging.OutcomeDeadline:
		if k.status == http.StatusRequestTimeout { // the client was slow to send its body
			return ""
		}
		return string(k.outcome)
	case logging.OutcomeClientGone, logging.OutcomeUpgraded:
		return ""
	case logging.OutcomeError:
		if k.status < http.StatusInternalServerError { // a late error
			return string(k.outcome)
		}
	}
	if k.status >= http.StatusInternalServerError {
		return code(k.status)
	}
	return ""
}
