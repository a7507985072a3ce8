package timeout_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/timeout"
)

// asks is like the middleware of tracing libraries: it passes on a copy of the request,
// and reads the route and the form from the copy afterwards.
func asks(h http.Handler, asked chan<- [2]bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := r.WithContext(r.Context())
		h.ServeHTTP(w, own)
		asked <- [2]bool{own.Pattern != "", own.MultipartForm != nil}
	})
}

// copies passes on a copy of the request.
func copies(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r.WithContext(r.Context())) })
}

// form is a body with a file that is too large for memory.
func form() (body *bytes.Buffer, contentType string) {
	body = new(bytes.Buffer)
	w := multipart.NewWriter(body)
	f, _ := w.CreateFormFile("file", "name")
	_, _ = io.WriteString(f, strings.Repeat("x", 1000))
	_ = w.Close()
	return body, w.FormDataContentType()
}

// spilled parses the form and returns the name of its file on disk.
func spilled(r *http.Request) string {
	if err := r.ParseMultipartForm(0); err != nil {
		return err.Error()
	}
	f, err := r.MultipartForm.File["file"][0].Open()
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	return f.(*os.File).Name()
}

// In between two Bulwark middlewares, and outside a single one.
var around = map[string]func(h http.Handler) http.Handler{
	"within an exchange":  func(h http.Handler) http.Handler { return exchange.Func(nil, serveWith(h)) },
	"around the exchange": func(h http.Handler) http.Handler { return h },
}

func serveWith(h http.Handler) func(*exchange.Exchange, http.ResponseWriter, *http.Request) {
	return func(_ *exchange.Exchange, w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }
}

// An abandoned handler does not share its request with middleware around the deadline,
// and the files of its form are removed when it ends.
func TestAbandonedHandlerHasItsOwnRequest(t *testing.T) {
	for desc, wrap := range around {
		t.Run(desc, func(t *testing.T) {
			stuck, files, asked := make(chan struct{}), make(chan string, 1), make(chan [2]bool, 1)
			gone := make(chan struct{})
			mux := http.NewServeMux()
			mux.HandleFunc("POST /upload", func(_ http.ResponseWriter, r *http.Request) {
				defer close(gone)
				files <- spilled(r)
				<-stuck
				r.Pattern, r.MultipartForm.Value = "late", nil
			})
			inside := exchange.Func(nil, serveWith(mux))
			h := asks(timeout.New(timeout.Config{Limit: limit, Detach: true})(copies(inside)), asked)
			s := variants[1].start(t, wrap(h))
			body, contentType := form()
			res := s.Do(s.Request(t, http.MethodPost, "/upload", body, "Content-Type: "+contentType))
			require.NoError(t, res.Err)
			assert.Equal(t, http.StatusGatewayTimeout, res.Status)
			assert.Equal(t, [2]bool{false, false}, testhttp.Await(t, asked, "the middleware"))
			name := testhttp.Await(t, files, "a file")
			assert.FileExists(t, name)
			close(stuck)
			testhttp.Await(t, gone, "the handler")
			assert.Eventually(t, func() bool { _, err := os.Stat(name); return os.IsNotExist(err) }, testhttp.Patience, time.Millisecond)
		})
	}
}

// Middleware around the deadline sees the route of an abandoned handler, as that of
// every other.
func TestRouteOfAnAbandonedHandler(t *testing.T) {
	for desc, wrap := range around {
		t.Run(desc, func(t *testing.T) {
			stuck, gone, asked := make(chan struct{}), make(chan struct{}), make(chan [2]bool, 1)
			mux := http.NewServeMux()
			mux.HandleFunc("GET /stuck", func(_ http.ResponseWriter, r *http.Request) {
				defer close(gone)
				<-stuck
				r.Pattern = "late"
			})
			s := variants[1].start(t, wrap(asks(timeout.New(timeout.Config{Limit: limit, Detach: true})(mux), asked)))
			res := s.Get(t, "/stuck")
			require.NoError(t, res.Err)
			assert.Equal(t, http.StatusGatewayTimeout, res.Status)
			assert.Equal(t, [2]bool{true, false}, testhttp.Await(t, asked, "the middleware"))
			close(stuck)
			testhttp.Await(t, gone, "the handler")
		})
	}
}

// What a handler that ends in time has left in its request is visible to middleware
// around the deadline.
func TestRequestIsGivenBack(t *testing.T) {
	for desc, wrap := range around {
		t.Run(desc, func(t *testing.T) {
			asked := make(chan [2]bool, 1)
			mux := http.NewServeMux()
			mux.HandleFunc("POST /upload", func(_ http.ResponseWriter, r *http.Request) { assert.NoError(t, r.ParseMultipartForm(0)) })
			s := variants[1].start(t, wrap(asks(timeout.New(timeout.Config{Limit: time.Minute, Detach: true})(mux), asked)))
			body, contentType := form()
			res := s.Do(s.Request(t, http.MethodPost, "/upload", body, "Content-Type: "+contentType))
			require.NoError(t, res.Err)
			assert.Equal(t, http.StatusOK, res.Status)
			kept := desc == "within an exchange" // around it the files of the form are removed already
			assert.Equal(t, [2]bool{true, kept}, testhttp.Await(t, asked, "the middleware"))
		})
	}
}
