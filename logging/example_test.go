package logging_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/bulwark-go/bulwark/logging"
)

// stable drops what differs from run to run, so that an example has an output.
func stable(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey, "http.server.request.duration":
		return slog.Attr{}
	}
	return a
}

func exampleLogger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: stable}))
}

func exampleRequest(target string) *http.Request {
	r := httptest.NewRequest("GET", target, nil)
	r.Header.Set("X-Request-Id", "id-1")
	return r
}

// One line a request. ReplaceAttr of the slog handler drops or renames what it
// likes, here the time.
func ExampleNew() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Ann") })

	handler := logging.New(logging.Config{Logger: exampleLogger()})(mux)

	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/users/7?token=secret"))
	// Output:
	// {"level":"INFO","msg":"http request","http.request.method":"GET","url.path":"/users/7","http.route":"/users/{id}","http.response.status_code":200,"http.request.body.size":0,"http.response.body.size":4,"client.address":"192.0.2.1","network.protocol.version":"1.1","url.query":"token=REDACTED","outcome":"ok","request_id":"id-1"}
}

// The wrong way round: a middleware that buffers the response, outside of the
// logging one, sends what it likes when logging is through. The line says 200
// (if also that the deadline had passed), the client got 503. Put it inside.
func ExampleNew_wrongOrder() {
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusOK)
	})
	done := make(chan string, 1)
	log := logging.New(logging.Config{
		Logger:   slog.New(slog.DiscardHandler),
		OnRecord: func(_ context.Context, r logging.Record) { done <- fmt.Sprint(r.Status, " ", r.Outcome) },
	})

	wrong := http.TimeoutHandler(log(slow), time.Millisecond, "")
	w := httptest.NewRecorder()
	wrong.ServeHTTP(w, exampleRequest("/"))
	fmt.Println("the client got", w.Code, "and the line says", <-done)

	right := log(http.TimeoutHandler(slow, time.Millisecond, ""))
	w = httptest.NewRecorder()
	right.ServeHTTP(w, exampleRequest("/"))
	fmt.Println("the client got", w.Code, "and the line says", <-done)
	// Output:
	// the client got 503 and the line says 200 deadline
	// the client got 503 and the line says 503 error
}

// A handler adds what only it knows; it stands in the request's one line.
func ExampleAdd() {
	handler := logging.New(logging.Config{Logger: exampleLogger()})(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			logging.Add(r.Context(), slog.String("tenant", "acme"), slog.Int("rows", 3))
		}))

	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/report"))
	// Output:
	// {"level":"INFO","msg":"http request","http.request.method":"GET","url.path":"/report","http.response.status_code":200,"http.request.body.size":0,"http.response.body.size":0,"client.address":"192.0.2.1","network.protocol.version":"1.1","outcome":"ok","request_id":"id-1","tenant":"acme","rows":3}
}

// Lines of the handler's own carry the request's id.
func ExampleLogger() {
	handler := logging.New(logging.Config{Logger: exampleLogger()})(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			logging.Logger(r.Context()).Info("cache miss", slog.String("key", "k1"))
		}))

	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/"))
	// Output:
	// {"level":"INFO","msg":"cache miss","request_id":"id-1","key":"k1"}
	// {"level":"INFO","msg":"http request","http.request.method":"GET","url.path":"/","http.response.status_code":200,"http.request.body.size":0,"http.response.body.size":0,"client.address":"192.0.2.1","network.protocol.version":"1.1","outcome":"ok","request_id":"id-1"}
}

// Health checks are left out while they succeed; failures are always kept.
func ExampleConfig_sample() {
	log := logging.New(logging.Config{Logger: exampleLogger(), Sample: func(r logging.Record) float64 {
		if r.Path == "/healthz" {
			return 0
		}
		return 1
	}})
	healthy := true
	handler := log(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !healthy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))

	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/healthz"))
	healthy = false
	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/healthz"))
	// Output:
	// {"level":"ERROR","msg":"http request","http.request.method":"GET","url.path":"/healthz","http.response.status_code":503,"http.request.body.size":0,"http.response.body.size":0,"client.address":"192.0.2.1","network.protocol.version":"1.1","outcome":"error","request_id":"id-1","error.type":"503"}
}

// Metrics see every request, whatever is sampled away. Route and Outcome have
// few values; Path does not and is no label.
func ExampleConfig_onRecord() {
	requests := map[string]int{} // a prometheus.CounterVec, say
	log := logging.New(logging.Config{
		Logger: slog.New(slog.DiscardHandler),
		OnRecord: func(_ context.Context, r logging.Record) {
			requests[fmt.Sprintf("%s %s %d %s", r.Method, r.Route, r.Status, r.Outcome)]++
		},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(http.ResponseWriter, *http.Request) {})

	for range 3 {
		log(mux).ServeHTTP(httptest.NewRecorder(), exampleRequest("/users/7"))
	}
	fmt.Println(requests)
	// Output:
	// map[GET /users/{id} 200 ok:3]
}

// The schema names the attributes; the handler's own keys are renamed beside it.
func ExampleSchema() {
	handler := slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			if a.Key == "latency" {
				return slog.Attr{}
			}
			return a
		}
		switch a.Key {
		case slog.LevelKey:
			a.Key = "severity"
		case slog.MessageKey:
			a.Key = "message"
		case slog.TimeKey:
			return slog.Attr{}
		}
		return a
	}})
	log := logging.New(logging.Config{Logger: slog.New(handler), Schema: logging.GCP, GCPProject: "my-project"})

	log(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), exampleRequest("/x"))
	// Output:
	// {"severity":"INFO","message":"http request","httpRequest":{"requestMethod":"GET","requestUrl":"http://example.com/x","status":404,"remoteIp":"192.0.2.1","protocol":"HTTP/1.1"},"http.request.body.size":0,"http.response.body.size":19,"outcome":"ok","request_id":"id-1"}
}

// One line per outbound call, ended by the end of its body.
func ExampleNewTransport() {
	base := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") })
	client := &http.Client{Transport: logging.NewTransport(logging.TransportConfig{
		Base: base,
		Logger: slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(g []string, a slog.Attr) slog.Attr {
			if a.Key == "http.client.request.duration" {
				return slog.Attr{}
			}
			return stable(g, a)
		}})),
	})}

	_, err := client.Get("https://api.example/users/7?key=secret")
	fmt.Println(err != nil)
	// Output:
	// level=ERROR msg="http client request" http.request.method=GET url.full="https://api.example/users/7?key=REDACTED" server.address=api.example server.port=443 http.request.body.size=0 http.response.body.size=0 outcome=error error.type=error error.message="connection refused"
	// true
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
