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

// stable removes what differs from run to run, so that an example has an output.
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

// Each request has one log record. ReplaceAttr of the slog handler removes or renames
// attributes, here the time.
func ExampleNew() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Ann") })

	handler := logging.New(logging.Config{Logger: exampleLogger()})(mux)

	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/users/7?token=secret"))
	// Output:
	// {"level":"INFO","msg":"http request","http.request.method":"GET","http.route":"/users/{id}","http.response.status_code":200,"network.protocol.version":"1.1","outcome":"ok","http.request.body.size":0,"http.response.body.size":4,"url.path":"/users/7","client.address":"192.0.2.1","url.query":"token=REDACTED","request_id":"id-1"}
}

// The wrong order: a middleware that buffers the response is outside the logging
// middleware and sends another response after it. The log record has the status 200,
// with the outcome "deadline", and the client got a 503. Put the buffer inside.
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
	fmt.Println("the client got", w.Code, "and the log record says", <-done)

	right := log(http.TimeoutHandler(slow, time.Millisecond, ""))
	w = httptest.NewRecorder()
	right.ServeHTTP(w, exampleRequest("/"))
	fmt.Println("the client got", w.Code, "and the log record says", <-done)
	// Output:
	// the client got 503 and the log record says 200 deadline
	// the client got 503 and the log record says 503 error
}

// A handler adds its own attributes to the request's log record.
func ExampleAdd() {
	handler := logging.New(logging.Config{Logger: exampleLogger()})(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			logging.Add(r.Context(), slog.String("tenant", "acme"), slog.Int("rows", 3))
		}))

	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/report"))
	// Output:
	// {"level":"INFO","msg":"http request","http.request.method":"GET","http.response.status_code":200,"network.protocol.version":"1.1","outcome":"ok","http.request.body.size":0,"http.response.body.size":0,"url.path":"/report","client.address":"192.0.2.1","request_id":"id-1","tenant":"acme","rows":3}
}

// Log records of the handler have the request's id.
func ExampleLogger() {
	handler := logging.New(logging.Config{Logger: exampleLogger()})(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			logging.Logger(r.Context()).Info("cache miss", slog.String("key", "k1"))
		}))

	handler.ServeHTTP(httptest.NewRecorder(), exampleRequest("/"))
	// Output:
	// {"level":"INFO","msg":"cache miss","request_id":"id-1","key":"k1"}
	// {"level":"INFO","msg":"http request","http.request.method":"GET","http.response.status_code":200,"network.protocol.version":"1.1","outcome":"ok","http.request.body.size":0,"http.response.body.size":0,"url.path":"/","client.address":"192.0.2.1","request_id":"id-1"}
}

// Health checks are not logged while they succeed. Failures are always logged.
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
	// {"level":"ERROR","msg":"http request","http.request.method":"GET","http.response.status_code":503,"network.protocol.version":"1.1","outcome":"error","http.request.body.size":0,"http.response.body.size":0,"url.path":"/healthz","client.address":"192.0.2.1","request_id":"id-1","error.type":"503"}
}

// Metrics see every request, whether it is logged or not. Route and Outcome have few
// values. Path has many, so it is not a label.
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

// The schema names the attributes. ReplaceAttr renames the handler's own keys.
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

// Each outbound call has one log record, written when its body ends.
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
