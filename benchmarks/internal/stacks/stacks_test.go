package stacks_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echoes answers with the body that it gets.
func echoes(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(body)
}

// asked serves one request and returns its answer.
func asked(h http.Handler) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("hello")))
	return w.Result()
}

// TestSameAnswer: what is compared does the same.
func TestSameAnswer(t *testing.T) {
	h := http.HandlerFunc(echoes)
	lists := map[string][]measure.Contender{
		"deadlines": stacks.Deadlines(time.Minute, h),
		"bodies":    stacks.Bodies(1<<10, h),
		"permits":   stacks.Permits(1, h),
		"loggers":   stacks.Loggers(io.Discard, false, h),
		"silent":    stacks.Loggers(io.Discard, true, h),
	}
	for _, s := range append(stacks.Whole(), stacks.Endings()...) {
		serve := func(w http.ResponseWriter, r *http.Request) error { echoes(w, r); return nil }
		cfg := stacks.Config{Limit: time.Minute, Body: 1 << 10, Log: io.Discard}
		lists["stacks"] = append(lists["stacks"],
			measure.Contender{Name: s.Name, Handler: s.New(cfg, serve)},
			measure.Contender{Name: "bare " + s.Name, Handler: s.Bare(serve)})
	}
	for list, cs := range lists {
		for _, c := range cs {
			t.Run(list+"/"+c.Name, func(t *testing.T) {
				res := asked(c.Handler)
				assert.Equal(t, http.StatusOK, res.StatusCode)
				body, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				assert.Equal(t, "hello", string(body))
			})
		}
	}
}

// TestErrors: all answer the error with the same status, but for the one that
// has no error.
func TestErrors(t *testing.T) {
	for _, c := range stacks.Errors() {
		t.Run(c.Name, func(t *testing.T) {
			w := httptest.NewRecorder()
			c.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			want := http.StatusNotFound
			if c.Name == "bare huma" {
				want = http.StatusNoContent
			}
			assert.Equal(t, want, w.Code, w.Body)
		})
	}
}

// TestOneLine: each stack that has a log writes one line with the status where it
// says that it does.
func TestOneLine(t *testing.T) {
	for _, s := range stacks.Whole() {
		if s.Status == "" {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			var log bytes.Buffer
			asked(s.New(stacks.Config{Limit: time.Minute, Body: 1 << 10, Log: &log}, func(w http.ResponseWriter, _ *http.Request) error {
				w.WriteHeader(http.StatusTeapot)
				return nil
			}))
			assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
			assert.Contains(t, log.String(), "418")
		})
	}
}

// TestSameTwelve: the line by hand is of the same attributes.
func TestSameTwelve(t *testing.T) {
	keys := map[string][]string{}
	for _, name := range []string{stacks.Floor, stacks.Bulwark} {
		var line bytes.Buffer
		for _, c := range stacks.Loggers(&line, false, http.HandlerFunc(echoes)) {
			if c.Name == name {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("User-Agent", "test")
				r.Pattern = "GET /"
				c.Handler.ServeHTTP(httptest.NewRecorder(), r)
			}
		}
		var m map[string]any
		require.NoError(t, json.Unmarshal(line.Bytes(), &m))
		for _, k := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
			delete(m, k)
		}
		keys[name] = slices.Sorted(maps.Keys(m))
	}
	assert.Len(t, keys[stacks.Floor], 12)
	assert.Equal(t, keys[stacks.Floor], keys[stacks.Bulwark])
}
