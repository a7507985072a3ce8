package limits_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/bulwark-go/bulwark/limits"
)

// size is a handler that writes the size of the body.
var size = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "handler: "+err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	fmt.Fprintf(w, "%d bytes", len(b))
})

// try sends a body and prints the response.
func try(h http.Handler, path string, body io.Reader, header ...string) {
	r := httptest.NewRequest("POST", path, body)
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
}

func ExampleNew() {
	h := limits.New(limits.Config{MaxBodyBytes: 10})(size)

	try(h, "/", strings.NewReader("exactly 10"))
	try(h, "/", strings.NewReader("eleven byte"))                       // refused before the handler
	try(h, "/", io.MultiReader(strings.NewReader("of unknown length"))) // refused in Read
	// Output:
	// 200 10 bytes
	// 413 Request Entity Too Large
	// 413 handler: http: request body too large
}

func ExampleNew_decoding() {
	h := limits.New(limits.Config{MaxBodyBytes: 1 << 20, MaxDecodedBytes: 10 << 20})(size)

	var body bytes.Buffer
	gz := gzip.NewWriter(&body)
	gz.Write(make([]byte, 100_000))
	gz.Close()
	try(h, "/", &body, "Content-Encoding", "gzip")
	try(h, "/", strings.NewReader("…"), "Content-Encoding", "br")
	// Output:
	// 200 100000 bytes
	// 415 Unsupported Media Type
}

func ExampleOverride() {
	mux := http.NewServeMux()
	mux.Handle("/", size)
	mux.Handle("/upload", limits.Override(limits.BodyLimits{MaxBodyBytes: 50})(size))
	h := limits.New(limits.Config{MaxBodyBytes: 10, BodyCeiling: 100})(mux)

	try(h, "/upload", strings.NewReader(strings.Repeat("x", 40)))
	try(h, "/other", strings.NewReader(strings.Repeat("x", 40)))
	// Output:
	// 200 40 bytes
	// 413 handler: http: request body too large
}

func ExampleNewTransport() {
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5000")
		w.Write(make([]byte, 5000))
	}))
	defer partner.Close()
	client := &http.Client{Transport: limits.NewTransport(limits.TransportConfig{MaxResponseBytes: 1000})}

	_, err := client.Get(partner.URL)
	fmt.Println(strings.ReplaceAll(err.Error(), strings.TrimPrefix(partner.URL, "http://"), "partner"))
	// Output:
	// Get "http://partner": limits: response too large from partner: 5000, limit 1000
}

// Wrong nesting: logging is inside limits, so refused requests are not logged. Put
// logging outside.
func Example_wrongNesting() {
	logged := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Println("log:", r.URL.Path)
			next.ServeHTTP(w, r)
		})
	}
	limit := limits.New(limits.Config{MaxBodyBytes: 10})

	wrong := limit(logged(size))
	try(wrong, "/wrong", strings.NewReader("more than ten bytes"))
	right := logged(limit(size))
	try(right, "/right", strings.NewReader("more than ten bytes"))
	// Output:
	// 413 Request Entity Too Large
	// log: /right
	// 413 Request Entity Too Large
}
