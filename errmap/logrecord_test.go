package errmap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
)

// lineOf serves one request with a stack that logs, and returns what the client got
// and what was logged.
func lineOf(t *testing.T, wrap func(http.Handler) http.Handler, body io.Reader) (res *http.Response, got, line string) {
	t.Helper()
	var log bytes.Buffer
	lines := logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	srv := testhttp.HTTP1.Start(t, lines(wrap(http.NotFoundHandler())))
	res, err := srv.Client().Post(srv.URL+"/users", "application/json", body)
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	srv.Close() // the record is written after the response
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	return res, string(b), log.String()
}

func TestPanicIsLogged(t *testing.T) {
	const value = "the panic's value"
	_, body, line := lineOf(t, func(http.Handler) http.Handler {
		return mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(value) }))
	}, nil)
	assert.NotContains(t, body, value)
	assert.Equal(t, 1, strings.Count(line, value), line)
	assert.Equal(t, 1, strings.Count(line, "debug.Stack()"), line)
	assert.Contains(t, line, "TestPanicIsLogged")
}

func TestCauseIsLogged(t *testing.T) {
	res, body, line := lineOf(t, func(http.Handler) http.Handler {
		return mapper().Handler(fails(fmt.Errorf("loading: %w", errSecret)))
	}, nil)
	assert.Equal(t, 1, strings.Count(line, "hunter2"), line)
	assert.NotContains(t, body, "hunter2")
	var doc struct {
		Instance string `json:"instance"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &doc))
	id := res.Header.Get("X-Request-Id")
	assert.Equal(t, "urn:uuid:"+id, doc.Instance, "logging's ids are UUIDs")
	assert.Contains(t, line, `"request_id":"`+id+`"`)
}

func TestHostileErrorsAreLogged(t *testing.T) {
	errs := hostile()
	errs["a panic in Error"] = struct {
		err  error
		want string
	}{explosiveText{}, "which panics when it is printed"}
	for desc, tt := range errs {
		t.Run(desc, func(t *testing.T) {
			res, _, line := lineOf(t, func(http.Handler) http.Handler { return mapper().Handler(fails(tt.err)) }, nil)
			assert.Equal(t, 500, res.StatusCode)
			assert.Contains(t, line, tt.want)
		})
	}
}

// A handler that loses the error of a body that is too large answers 413 all the
// same.
func TestBodyLimitBehindADecoder(t *testing.T) {
	errs := errorJSON()
	handler := errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadAll(r.Body); err != nil {
			return &errmap.Problem{Status: 400, Detail: "cannot read"}
		}
		return errors.New("read more than allowed")
	})
	stack := limits.New(limits.Config{MaxBodyBytes: 10, ErrorHandler: errs.Write})
	for desc, body := range map[string]io.Reader{
		"declared": strings.NewReader(strings.Repeat("x", 100)),
		"chunked":  io.MultiReader(strings.NewReader(strings.Repeat("x", 100))),
	} {
		t.Run(desc, func(t *testing.T) {
			res, got, line := lineOf(t, func(http.Handler) http.Handler { return stack(handler) }, body)
			assert.Equal(t, 413, res.StatusCode)
			assert.Equal(t, `{"error":"request entity too large"}`, got)
			assert.Contains(t, line, `"http.response.status_code":413`)
		})
	}
}
