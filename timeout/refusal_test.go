package timeout_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// buffering buffers what is written until the handler has returned, as compressing
// middleware does. Its writer has an Unwrap method.
func buffering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := &heldBack{ResponseWriter: w}
		next.ServeHTTP(b, r)
		if b.status != 0 {
			w.WriteHeader(b.status)
		}
		_, _ = w.Write(b.body.Bytes())
	})
}

type heldBack struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (b *heldBack) Unwrap() http.ResponseWriter { return b.ResponseWriter }
func (b *heldBack) WriteHeader(code int)        { b.status = code }
func (b *heldBack) Write(p []byte) (int, error) { return b.body.Write(p) }

// A request with a budget that is too small gets what ErrorHandler writes, or the
// default response if it writes nothing.
func TestRefusalIsAnswered(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		answer func(http.ResponseWriter, *http.Request, error)
		status int
		body   string
	}{
		{"nothing", func(http.ResponseWriter, *http.Request, error) {}, 504, "Gateway Timeout\n"},
		{"only headers", func(w http.ResponseWriter, _ *http.Request, _ error) { w.Header().Set("A", "b") }, 504, "Gateway Timeout\n"},
		{"a status", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(503) }, 503, ""},
		{"a body", func(w http.ResponseWriter, _ *http.Request, _ error) { _, _ = io.WriteString(w, "mine") }, 200, "mine"},
		{"both", func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, "mine", 503) }, 503, "mine\n"},
		{"an informational response", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(103) }, 504, "Gateway Timeout\n"},
	} {
		for _, between := range []struct {
			desc string
			mws  []func(http.Handler) http.Handler
		}{{"", nil}, {" behind a buffer", mws(timeout.New(timeout.Config{Limit: time.Hour}), buffering)}} {
			if tc.status == 504 && tc.desc[0] == 'a' && between.mws != nil {
				continue // this buffer does not pass on a 1xx
			}
			t.Run(tc.desc+between.desc, func(t *testing.T) {
				everywhere(t, func(t *testing.T, v variant) {
					cfg := trusted(timeout.Config{ErrorHandler: tc.answer})
					h := chain(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") }),
						append(between.mws, timeout.New(cfg))...)
					v.bubble(t, h, func(t *testing.T, s *testhttp.Server) {
						res := s.Do(s.Request(t, http.MethodGet, "/", http.NoBody, "X-Request-Timeout-Ms: 0"))
						assert.NoError(t, res.Err)
						assert.Equal(t, tc.status, res.Status)
						assert.Equal(t, tc.body, res.Body)
					})
				})
			})
		}
	}
}
