package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/logging"
)

// ginBodyLog is how services on Gin log the bodies of responses. It hides the Unwrap
// method of Gin's writer.
type ginBodyLog struct {
	gin.ResponseWriter
	body *bytes.Buffer
}

func (w ginBodyLog) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

// plainBodyLog is the same for any http.ResponseWriter.
type plainBodyLog struct {
	http.ResponseWriter
	body *bytes.Buffer
}

func (w plainBodyLog) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

// engines builds a handler on each framework behind a middleware that logs bodies.
func engines(errs *errmap.Mapper, h func(http.ResponseWriter, *http.Request) error) map[string]http.Handler {
	g := gin.New()
	g.Use(bulwarkgin.Errors(errs), func(c *gin.Context) {
		c.Writer = ginBodyLog{c.Writer, new(bytes.Buffer)}
		c.Next()
	})
	g.GET("/", bulwarkgin.Handler(func(c *gin.Context) error { return h(c.Writer, c.Request) }))
	e := echo.New()
	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			c.SetResponse(plainBodyLog{c.Response(), new(bytes.Buffer)})
			return next(c)
		}
	})
	e.GET("/", func(c *echo.Context) error { return h(c.Response(), c.Request()) })
	return map[string]http.Handler{"Gin": g, "Echo": e}
}

// Middleware that logs bodies between the stack and the handlers neither doubles a
// response nor hides its cause and id from the log record.
// https://github.com/samber/slog-echo/pull/107, https://github.com/elastic/apm-agent-go/pull/1707
func TestBodyLogsInTheEngines(t *testing.T) {
	errSecret := errors.New("password=hunter2")
	errs := errmap.New(errmap.Config{})
	for _, tt := range []struct {
		desc string
		h    func(http.ResponseWriter, *http.Request) error
	}{
		{"an error", func(http.ResponseWriter, *http.Request) error { return errSecret }},
		{"written twice", func(w http.ResponseWriter, r *http.Request) error {
			errs.Write(w, r, errSecret)
			errs.Write(w, r, errSecret)
			return errSecret
		}},
	} {
		for name, engine := range engines(errs, tt.h) {
			t.Run(name+"/"+tt.desc, func(t *testing.T) {
				var out bytes.Buffer
				stack := bulwark.Chain(logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(&out, nil)), RequestIDHeader: "X-Request-Id"}), errs.Recover)
				rec := httptest.NewRecorder()
				stack(engine).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
				assert.Equal(t, 500, rec.Code)
				var doc struct{ Instance string }
				dec := json.NewDecoder(rec.Body)
				require.NoError(t, dec.Decode(&doc))
				assert.ErrorIs(t, dec.Decode(&doc), io.EOF, "one document")
				var line map[string]any
				require.NoError(t, json.Unmarshal(out.Bytes(), &line))
				assert.Contains(t, out.String(), "password=hunter2")
				assert.Equal(t, doc.Instance, "urn:uuid:"+line["request_id"].(string))
			})
		}
	}
}

// Nothing is appended to a success that has started, and the client sees that it is not
// complete.
func TestLateErrorsBehindBodyLogsInTheEngines(t *testing.T) {
	errs := errmap.New(errmap.Config{})
	for name, engine := range engines(errs, func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "hello")
		errs.Write(w, r, errors.New("late"))
		return nil
	}) {
		t.Run(name, func(t *testing.T) {
			stack := bulwark.Chain(logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)}), errs.Recover)
			srv := httptest.NewServer(stack(engine))
			defer srv.Close()
			res, err := srv.Client().Get(srv.URL)
			var body []byte
			if err == nil {
				defer res.Body.Close()
				body, err = io.ReadAll(res.Body)
			}
			require.Error(t, err)
			assert.NotContains(t, string(body), "title")
		})
	}
}
