package interop_test

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

// instruments is a chain of all instruments of promhttp.
func instruments(reg *prometheus.Registry) wrapper {
	codes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "Requests by status."}, []string{"code"})
	inFlight := prometheus.NewGauge(prometheus.GaugeOpts{Name: "in_flight", Help: "Requests at work."})
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "duration_seconds", Help: "How long they took."}, []string{"code"})
	first := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "first_byte_seconds", Help: "How long until the head."}, []string{"code"})
	in := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "request_bytes", Help: "Their sizes."}, nil)
	out := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "response_bytes", Help: "Sizes of responses."}, nil)
	reg.MustRegister(codes, inFlight, took, first, in, out)
	return func(h http.Handler) http.Handler {
		h = promhttp.InstrumentHandlerResponseSize(out, h)
		h = promhttp.InstrumentHandlerRequestSize(in, h)
		h = promhttp.InstrumentHandlerTimeToWriteHeader(first, h)
		h = promhttp.InstrumentHandlerDuration(took, h)
		h = promhttp.InstrumentHandlerInFlight(inFlight, h)
		return promhttp.InstrumentHandlerCounter(codes, h)
	}
}

// TestInstrumented: outside, the code is the one that was sent, and a response that was
// cut off has none. Between logging and timeout and inside it is that of the handler,
// which may not have set one: for a deadline it is 200. Requests that outer middleware
// refused are not counted.
func TestInstrumented(t *testing.T) {
	for _, e := range endings {
		t.Run(e.desc, func(t *testing.T) {
			each(t, places, func(t *testing.T, at place) {
				each(t, []protocol{http1, http2}, func(t *testing.T, p protocol) {
					release := make(chan struct{})
					reg := prometheus.NewRegistry()
					ended := make(chan struct{}, 1)
					awaited := func(h http.Handler) http.Handler {
						return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							defer func() { ended <- struct{}{} }()
							h.ServeHTTP(w, r)
						})
					}
					st := stack{errs: mapper(), body: 1 << 10, at: at, mw: []wrapper{awaited, instruments(reg)}}
					s := st.serve(t, p, st.endings(release))
					res := s.do(e.request(t, s))
					s.logged(t, e.status, e.outcome)
					assert.Equal(t, e.status, res.status)
					close(release)
					if at != inside || e.outcome != logging.OutcomeRefused {
						await(t, ended)
					}
					assert.Equal(t, e.code(at), counted(t, reg, "requests_total"))
				})
			})
		})
	}
}

// code is the code with which promhttp counts the ending, "" if it does not.
func (e ending) code(at place) string {
	switch {
	case at == outside && e.broken, at == inside && (e.outcome == logging.OutcomePanic || e.outcome == logging.OutcomeRefused):
		return ""
	case at != outside && (e.broken || e.status == http.StatusGatewayTimeout):
		return "200"
	default:
		return strconv.Itoa(e.status)
	}
}

// counted returns the code of the one request that a counter has, "" if it has none.
func counted(t *testing.T, reg *prometheus.Registry, name string) (code string) {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			require.Len(t, f.GetMetric(), 1)
			require.Equal(t, 1., f.GetMetric()[0].GetCounter().GetValue())
			code = f.GetMetric()[0].GetLabel()[0].GetValue()
		}
	}
	return code
}

// TestMetricsPage: promhttp's own handler works behind the stack, compressed and not.
func TestMetricsPage(t *testing.T) {
	reg := prometheus.NewRegistry()
	instruments(reg)
	for _, coding := range []string{"identity", "gzip"} {
		t.Run(coding, func(t *testing.T) {
			each(t, protocols, func(t *testing.T, p protocol) {
				s := stack{}.serve(t, p, promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
				res := s.get(t, "/metrics", "Accept-Encoding: "+coding, "Accept: application/openmetrics-text").whole(t)
				assert.Equal(t, 200, res.status)
				assert.Contains(t, res.header.Get("Content-Type"), "application/openmetrics-text")
				body := res.body
				if coding == "gzip" {
					require.Equal(t, "gzip", res.header.Get("Content-Encoding"))
					body = gunzip(t, body)
				}
				assert.Contains(t, body, "in_flight 0")
				assert.Contains(t, body, "# EOF")
				l := s.logged(t, 200, logging.OutcomeOK)
				assert.EqualValues(t, len(res.body), l.Out)
			})
		})
	}
}

// TestMetricsError: a collector that fails is a 500 of promhttp.
func TestMetricsError(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(failing{})
	s := stack{}.serve(t, http1, promhttp.HandlerFor(reg, promhttp.HandlerOpts{ErrorLog: new(testhttp.Lines).Logger()}))
	res := s.get(t, "/metrics").whole(t)
	assert.Equal(t, 500, res.status)
	s.logged(t, 500, logging.OutcomeError)
}

type failing struct{}

func (failing) Describe(c chan<- *prometheus.Desc) { c <- prometheus.NewDesc("failing", "", nil, nil) }
func (failing) Collect(c chan<- prometheus.Metric) {
	c <- prometheus.NewInvalidMetric(prometheus.NewDesc("failing", "", nil, nil), io.ErrUnexpectedEOF)
}
