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
	r := httptest.NewRequest(http.MethodPost, measure.Path, strings.NewReader("hello"))
	r.Header.Set("User-Agent", "test")
	h.ServeHTTP(w, r)
	return w.Result()
}

// TestSameAnswer: all that is compared has the same result.
func TestSameAnswer(t *testing.T) {
	h := http.HandlerFunc(echoes)
	lists := map[string][]measure.Contender{
		"deadlines": stacks.Deadlines(time.Minute, h),
		"bodies":    stacks.Bodies(1<<10, h),
		"permits":   stacks.Permits(1, h),
		"loggers":   stacks.Loggers(io.Discard, false, h),
		"silent":    stacks.Loggers(io.Discard, true, h),
		"metrics":   stacks.Metrics(h),
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

// TestErrors: all answer the error with the same status, and so does what they are
// compared with.
func TestErrors(t *testing.T) {
	for _, c := range stacks.Errors() {
		t.Run(c.Name, func(t *testing.T) {
			w := httptest.NewRecorder()
			c.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, measure.Path, nil))
			assert.Equal(t, http.StatusNotFound, w.Code, w.Body)
		})
	}
}

// TestOneRecord: each stack that has a log writes one record, with the status if it
// claims to.
func TestOneRecord(t *testing.T) {
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

// TestSameTwelve: the record by hand has the same attributes, and the route.
func TestSameTwelve(t *testing.T) {
	cfg := stacks.Config{Limit: time.Minute, Body: 1 << 10}
	lines := map[string][]string{}
	for _, name := range []string{stacks.Floor, stacks.Bulwark} {
		var line bytes.Buffer
		for _, c := range stacks.Loggers(&line, false, http.HandlerFunc(echoes)) {
			if c.Name == name {
				asked(c.Handler)
			}
		}
		lines["alone"] = append(lines["alone"], line.String())
		line.Reset()
		cfg.Log = &line
		for _, s := range stacks.Whole() {
			if s.Name == name {
				asked(s.New(cfg, func(w http.ResponseWriter, r *http.Request) error { echoes(w, r); return nil }))
			}
		}
		lines["stack"] = append(lines["stack"], line.String())
	}
	for desc, both := range lines {
		t.Run(desc, func(t *testing.T) {
			hand, ours := attributes(t, both[0]), attributes(t, both[1])
			assert.Len(t, hand, 12)
			assert.Equal(t, slices.Sorted(maps.Keys(hand)), slices.Sorted(maps.Keys(ours)))
			assert.Equal(t, "POST /users/{id}", hand["http.route"])
			assert.Contains(t, hand["http.route"], ours["http.route"])
		})
	}
}

// attributes are those of a record, without the ones that every record has.
func attributes(t *testing.T, line string) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(line), &m))
	for _, k := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
		delete(m, k)
	}
	return m
}
