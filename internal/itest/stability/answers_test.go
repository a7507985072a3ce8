package stability_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

type failure struct {
	desc    string
	request *http.Request
	err     error                                    // of the handler; nil: handler
	handler func(http.ResponseWriter, *http.Request) // nil: read the body, return its error or err
}

func get() *http.Request { return httptest.NewRequest("GET", "/", nil) }

func post(body io.Reader, header ...string) *http.Request {
	r := httptest.NewRequest("POST", "/", body)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func failures() []failure {
	long := httptest.NewRequest("GET", "/"+strings.Repeat("x", 300), nil)
	large := get()
	large.Header.Set("X-Large", strings.Repeat("x", 2000))
	return []failure{
		{"an unknown error", get(), errors.New("x"), nil},
		{"context.DeadlineExceeded", get(), context.DeadlineExceeded, nil},
		{"os.ErrDeadlineExceeded", get(), os.ErrDeadlineExceeded, nil},
		{"context.Canceled, the client still there", get(), context.Canceled, nil},
		{"*http.MaxBytesError", post(strings.NewReader("x")), &http.MaxBytesError{Limit: 1}, nil},
		{"*json.SyntaxError", post(strings.NewReader("{")), json.Unmarshal([]byte("x"), new(int)), nil},
		{"*json.UnmarshalTypeError", post(strings.NewReader("{}")), json.Unmarshal([]byte(`"x"`), new(int)), nil},
		{"a *Problem", get(), &errmap.Problem{Status: 409, Code: "conflict"}, nil},
		{"a panic", get(), nil, func(http.ResponseWriter, *http.Request) { panic("x") }},
		{"the deadline", get(), nil, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"a body that does not come", post(silent{}), nil, nil},
		{"a body that comes too slowly", post(slow{}), nil, nil},
		{"a declared body that is too long", post(strings.NewReader(strings.Repeat("x", 2000))), nil, nil},
		{"a body in chunks that is too long", post(io.MultiReader(strings.NewReader(strings.Repeat("x", 2000)))), nil, nil},
		{"a body that decodes to too much", post(zipped(100_000), "Content-Encoding", "gzip"), nil, nil},
		{"a body with an unknown encoding", post(strings.NewReader("x"), "Content-Encoding", "br"), nil, nil},
		{"a body that is not what its encoding says", post(strings.NewReader("not gzip at all"), "Content-Encoding", "gzip"), nil, nil},
		{"a target that is too long", long, nil, nil},
		{"a header that is too large", large, nil, nil},
		{"a caller's budget that is spent", spent(), nil, nil},
	}
}

// silent is a body that does not come, and slow one of a byte each second.
type silent struct{}

func (silent) Read([]byte) (int, error) {
	time.Sleep(5 * time.Second)
	return 0, os.ErrDeadlineExceeded
}

type slow struct{}

func (slow) Read(p []byte) (int, error) {
	time.Sleep(time.Second)
	return copy(p, "x"), nil
}

func zipped(n int) io.Reader {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, n))
	_ = z.Close()
	return &b
}

func spent() *http.Request {
	r := get()
	r.Header.Set("X-Request-Timeout-Ms", "0")
	return r
}

// answers are the status, problem code and outcome of all responses that the packages
// send by themselves.
func answers(t *testing.T) (lines []string) {
	t.Helper()
	for _, f := range failures() {
		lines = append(lines, fmt.Sprintf("answer: %s: %s", f.desc, f.answer(t)))
	}
	return append(lines, "answer: too many requests at once: "+crowded(t))
}

func (f failure) answer(t *testing.T) (line string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		errs := errmap.New(errmap.Config{})
		h := errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
			if f.handler != nil {
				f.handler(w, r)
				return nil
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return err
			}
			return f.err
		})
		line = served(t, bulwark.Config{
			Timeout: timeout.Config{Limit: 3 * time.Second, TrustCaller: func(*http.Request) bool { return true }},
			Limits: limits.Config{
				MaxBodyBytes: 1000, MaxDecodedBytes: 10_000, MaxURIBytes: 200, MaxHeaderBytes: 1000,
				MinBodyRate: 100, BodyGrace: time.Second,
			},
			Errors: errs,
		}, h, f.request)
		time.Sleep(time.Minute) // the bodies end
	})
	return line
}

func crowded(t *testing.T) (line string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		release, cfg := make(chan struct{}), limits.Config{MaxInFlight: 1}
		first := true
		h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			if first {
				first = false
				<-release
			}
		})
		var out bytes.Buffer
		stack := bulwark.New(bulwark.Config{Logging: logging.Config{Logger: slog.New(slog.NewJSONHandler(&out, nil))}, Limits: cfg})(h)
		go stack.ServeHTTP(httptest.NewRecorder(), get())
		synctest.Wait()
		rec := httptest.NewRecorder()
		stack.ServeHTTP(rec, get())
		line = answered(t, rec, out.Bytes())
		close(release)
	})
	return line
}

func served(t *testing.T, cfg bulwark.Config, h http.Handler, r *http.Request) string {
	t.Helper()
	var out bytes.Buffer
	cfg.Logging.Logger = slog.New(slog.NewJSONHandler(&out, nil))
	rec := httptest.NewRecorder()
	bulwark.New(cfg)(h).ServeHTTP(rec, r)
	return answered(t, rec, out.Bytes())
}

func answered(t *testing.T, rec *httptest.ResponseRecorder, log []byte) string {
	t.Helper()
	var record struct {
		Outcome string `json:"outcome"`
	}
	require.NoError(t, json.NewDecoder(bytes.NewReader(log)).Decode(&record), "%s", log)
	var problem struct {
		Code string `json:"code"`
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &problem), rec.Body.String())
	line := fmt.Sprintf("status %d, outcome %s", rec.Code, record.Outcome)
	if problem.Code != "" {
		line += ", code " + problem.Code
	}
	return line
}
