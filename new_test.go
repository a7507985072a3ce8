package bulwark_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

var errMissing = errors.New("store: no such row in shard 7")

// service fails in the way that the path says.
func service(errs *errmap.Mapper) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/missing", errs.Handler(func(http.ResponseWriter, *http.Request) error { return errMissing }))
	mux.Handle("/panic", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no more") }))
	mux.Handle("/slow", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	mux.Handle("/upload", errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		return err
	}))
	return mux
}

// Every failure is answered in the format of Errors, and has one log record with
// the status that the client got.
func TestNewAnswersAndLogsEveryFailure(t *testing.T) {
	errs := errmap.New(errmap.Config{
		Rules:  []errmap.Rule{errmap.Is(errMissing, errmap.Problem{Status: 404, Code: "row_missing", Detail: "no such row"})},
		Render: errmap.ErrorJSON,
	})
	for _, tc := range []struct {
		desc, path, body string
		status           int
		want, outcome    string
	}{
		{"a mapped error", "/missing", "", 404, `{"error":"no such row"}`, "ok"},
		{"a panic", "/panic", "", 500, `{"error":"internal"}`, "panic"},
		{"a slow handler", "/slow", "", 504, `{"error":"timeout"}`, "deadline"},
		{"a body that is too long", "/upload", strings.Repeat("x", 101), 413, `{"error":"request entity too large"}`, "refused"},
	} {
		for _, p := range testhttp.Protocols {
			t.Run(tc.desc+"/"+p.String(), func(t *testing.T) {
				var out bytes.Buffer
				s := p.StartUnencrypted(t, bulwark.New(bulwark.Config{
					Logging: logging.Config{Logger: slog.New(slog.NewJSONHandler(&out, nil))},
					Timeout: timeout.Config{Limit: 100 * time.Millisecond},
					Limits:  limits.Config{MaxBodyBytes: 100},
					Errors:  errs,
				})(service(errs)))
				res := s.Misbehaving().Trickle(t, s.Request(t, http.MethodPost, tc.path, strings.NewReader(tc.body)), 0)
				s.Close()
				assert.NoError(t, res.Err)
				assert.Equal(t, tc.status, res.Status)
				assert.Equal(t, tc.want, strings.TrimSpace(res.Body))
				var record struct {
					Status  int    `json:"http.response.status_code"`
					Outcome string `json:"outcome"`
				}
				require.NoError(t, json.NewDecoder(&out).Decode(&record))
				assert.Equal(t, tc.status, record.Status)
				assert.Equal(t, tc.outcome, record.Outcome)
			})
		}
	}
}

func quiet() logging.Config { return logging.Config{Logger: slog.New(slog.DiscardHandler)} }

// The zero Config has a deadline of 30 s and limits for bodies, and answers with
// problem documents.
func TestNewDefaults(t *testing.T) {
	stack := bulwark.New(bulwark.Config{Logging: quiet()})
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		rec := httptest.NewRecorder()
		stack(service(errmap.New(errmap.Config{}))).ServeHTTP(rec, httptest.NewRequest("GET", "/slow", nil))
		assert.Equal(t, 504, rec.Code)
		assert.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
		assert.Equal(t, 30*time.Second, time.Since(began))
	})
	for size, want := range map[int]int{1 << 20: 200, 1<<20 + 1: 413} {
		rec := httptest.NewRecorder()
		stack(service(errmap.New(errmap.Config{}))).ServeHTTP(rec, httptest.NewRequest("POST", "/upload", bytes.NewReader(make([]byte, size))))
		assert.Equal(t, want, rec.Code)
	}
}

// A body that comes at less than 500 bytes a second is refused long before the
// deadline.
func TestNewDefaultBodyRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		rec := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/upload", trickle{100 * time.Millisecond})
		bulwark.New(bulwark.Config{Logging: quiet()})(service(errmap.New(errmap.Config{}))).ServeHTTP(rec, r)
		assert.Equal(t, 408, rec.Code)
		assert.Less(t, time.Since(began), 10*time.Second)
	})
}

// trickle is a body that never ends, one byte at a time.
type trickle struct{ every time.Duration }

func (b trickle) Read(p []byte) (int, error) {
	time.Sleep(b.every)
	return copy(p, "x"), nil
}

// Any limit that the caller sets replaces the defaults of New. A field that limits
// nothing by itself does not.
func TestNewAddsLimitsOnlyToNone(t *testing.T) {
	for i := range reflect.TypeFor[limits.Config]().NumField() {
		field := reflect.TypeFor[limits.Config]().Field(i)
		var cfg limits.Config
		switch v := reflect.ValueOf(&cfg).Elem().Field(i); {
		case v.CanInt():
			v.SetInt(2000) // more than the head of the request has
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		default:
			continue
		}
		if field.Name == "MaxBodyBytes" || cfg.Shadow {
			continue
		}
		limitless, wrong := tried(func() { limits.New(cfg) })
		if wrong && !limitless {
			continue // it needs another field
		}
		t.Run(field.Name, func(t *testing.T) {
			h := bulwark.New(bulwark.Config{Logging: quiet(), Limits: cfg})(service(errmap.New(errmap.Config{})))
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest("POST", "/upload", bytes.NewReader(make([]byte, 2<<20))))
			assert.Equal(t, map[bool]int{true: 413, false: 200}[limitless], rec.Code)
		})
	}
}

// tried reports whether f panicked, and whether because it would limit nothing.
func tried(f func()) (limitless, panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			limitless, panicked = strings.Contains(v.(string), "limits nothing"), true
		}
	}()
	f()
	return false, false
}

func TestNewKeepsErrorHandlersThatAreSet(t *testing.T) {
	teapot := func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusTeapot) }
	h := bulwark.New(bulwark.Config{
		Logging: quiet(),
		Timeout: timeout.Config{Limit: 10 * time.Millisecond, ErrorHandler: teapot},
		Limits:  limits.Config{MaxBodyBytes: 1, ErrorHandler: teapot},
	})(service(errmap.New(errmap.Config{})))
	for _, r := range []*http.Request{httptest.NewRequest("GET", "/slow", nil), httptest.NewRequest("POST", "/upload", strings.NewReader("too long"))} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		assert.Equal(t, http.StatusTeapot, rec.Code)
	}
}

// A ceiling that is less than 30 s is the default limit.
func TestNewDefaultLimitUnderACeiling(t *testing.T) {
	for _, cfg := range []timeout.Config{{Max: 2 * time.Second}, {MaxCaller: 2 * time.Second}, {Max: time.Minute, MaxCaller: 2 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			bulwark.New(bulwark.Config{Logging: quiet(), Timeout: cfg})(service(errmap.New(errmap.Config{}))).
				ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/slow", nil))
			assert.Equal(t, 2*time.Second, time.Since(began))
		})
	}
}

// The mistakes of all parts are named at once, before the server runs.
func TestNewNamesEveryMistake(t *testing.T) {
	assert.PanicsWithValue(t,
		"bulwark: logging: Slow must not be negative; timeout: Limit must be positive; Stream must not be negative; limits: MaxBodyBytes must not be negative",
		func() {
			bulwark.New(bulwark.Config{
				Logging: logging.Config{Slow: -1},
				Timeout: timeout.Config{Limit: -1, Stream: -1},
				Limits:  limits.Config{MaxBodyBytes: -1},
			})
		})
}
