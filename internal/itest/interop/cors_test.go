package interop_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rs/cors"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

const origin = "https://app.example.org"

// TestCORS: a browser shows a response to its page only if the response allows it. The
// headers that rs/cors has set outside timeout and limits are on every response of
// Bulwark. Inside, responses that are sent without the handler do not have them: the
// page gets a network error instead of 504 and 413.
func TestCORS(t *testing.T) {
	each(t, places, func(t *testing.T, at place) {
		each(t, []protocol{http1, http2}, func(t *testing.T, p protocol) {
			release := make(chan struct{})
			st := stack{errs: mapper(), body: 1 << 10, at: at, mw: []wrapper{
				cors.New(cors.Options{AllowedOrigins: []string{origin}, AllowCredentials: true, ExposedHeaders: []string{"X-Request-Id"}}).Handler,
			}}
			s := st.serve(t, p, st.endings(release))
			for _, e := range endings {
				t.Run(e.desc, func(t *testing.T) {
					res := s.do(e.request(t, s, "Origin: "+origin))
					s.logged(t, e.status, e.outcome)
					assert.Equal(t, e.status, res.status)
					if at == inside && (e.status == http.StatusGatewayTimeout || e.outcome == logging.OutcomeRefused) {
						assert.Empty(t, res.header.Get("Access-Control-Allow-Origin"))
						return
					}
					assert.Equal(t, origin, res.header.Get("Access-Control-Allow-Origin"))
					assert.Equal(t, "true", res.header.Get("Access-Control-Allow-Credentials"))
					assert.Equal(t, "X-Request-Id", res.header.Get("Access-Control-Expose-Headers"))
					assert.Contains(t, strings.Join(res.header.Values("Vary"), ", "), "Origin")
				})
			}
			close(release)
		})
	})
}

// TestCORSPreflight: rs/cors answers it, so outside logging it is not logged.
func TestCORSPreflight(t *testing.T) {
	each(t, places, func(t *testing.T, at place) {
		s := stack{at: at, timeout: timeout.Config{Limit: ample}, mw: []wrapper{cors.New(cors.Options{AllowedOrigins: []string{origin}}).Handler}}.
			serve(t, http1, http.NotFoundHandler())
		res := s.do(s.request(t, http.MethodOptions, "/", nil, "Origin: "+origin, "Access-Control-Request-Method: POST")).whole(t)
		assert.Equal(t, 204, res.status)
		assert.Equal(t, "POST", res.header.Get("Access-Control-Allow-Methods"))
		if at == outside {
			s.quiet(t)
		} else {
			s.logged(t, 204, logging.OutcomeOK)
		}
	})
}
