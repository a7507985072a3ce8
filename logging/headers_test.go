package logging_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

// The logged response headers are those that were sent, not later changes of the map.
func TestResponseHeadersAreThoseOfTheWire(t *testing.T) {
	set := func(w http.ResponseWriter, v string) { w.Header().Set("X-State", v) }
	for _, tt := range []struct {
		desc    string
		handler http.HandlerFunc
		want    any
	}{
		{"changed after WriteHeader", func(w http.ResponseWriter, _ *http.Request) {
			set(w, "sent")
			w.WriteHeader(201)
			set(w, "late")
		}, []any{"sent"}},
		{"set after the first byte", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
			set(w, "late")
		}, nil},
		{"deleted after a flush", func(w http.ResponseWriter, _ *http.Request) {
			set(w, "sent")
			_ = http.NewResponseController(w).Flush()
			w.Header().Del("X-State")
		}, []any{"sent"}},
		{"after a 103", func(w http.ResponseWriter, _ *http.Request) {
			set(w, "hint")
			w.WriteHeader(http.StatusEarlyHints)
			set(w, "sent")
			w.WriteHeader(200)
		}, []any{"sent"}},
		{"the handler wrote nothing", func(w http.ResponseWriter, _ *http.Request) { set(w, "sent") }, []any{"sent"}},
		{"nothing was sent", func(w http.ResponseWriter, _ *http.Request) {
			set(w, "never")
			panic(http.ErrAbortHandler)
		}, nil},
		{"nothing of it was sent", func(w http.ResponseWriter, _ *http.Request) {
			set(w, "never")
			w.WriteHeader(200)
			panic(http.ErrAbortHandler)
		}, nil},
	} {
		testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
			t.Run(tt.desc, func(t *testing.T) {
				s := start(t, p, tt.handler, func(_ *httptest.Server, c *logging.Config) {
					c.ResponseHeaders = []string{"X-State"}
				})
				got := s.Get(t, "/")
				m := s.lines.next(t)
				require.Equal(t, tt.want, m["http.response.header.x-state"], "%s", m["raw"])
				if got.Err == nil {
					require.Equal(t, tt.want != nil, got.Header.Get("X-State") != "", "what the client saw")
				}
			})
		})
	}
}
