package bulwarkgin_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
)

var (
	errFirst = errors.New("first")
	errLast  = fmt.Errorf("wrapped: %w", errors.New("last"))
)

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		desc       string
		handler    gin.HandlerFunc
		wantStatus int
		wantBody   string
		wantWrite  []error
		wantNote   []error
	}{
		{
			desc:       "no error",
			handler:    func(c *gin.Context) { c.String(200, "fine") },
			wantStatus: 200, wantBody: "fine",
		}, {
			desc:       "no error and nothing written",
			handler:    func(c *gin.Context) { c.Status(204) },
			wantStatus: 204,
		}, {
			desc:       "the last error is rendered, as it was given",
			handler:    func(c *gin.Context) { _ = c.Error(errFirst); _ = c.Error(errLast) },
			wantStatus: 418, wantBody: "mapped", wantWrite: []error{errLast},
		}, {
			desc:       "a status alone is not an answer",
			handler:    func(c *gin.Context) { c.Status(409); _ = c.Error(errLast) },
			wantStatus: 418, wantBody: "mapped", wantWrite: []error{errLast},
		}, {
			desc:       "an answer stands",
			handler:    func(c *gin.Context) { c.JSON(409, gin.H{"taken": true}); _ = c.Error(errLast) },
			wantStatus: 409, wantBody: `{"taken":true}`, wantNote: []error{errLast},
		}, {
			desc:       "so does one without a body",
			handler:    func(c *gin.Context) { _ = c.AbortWithError(401, errLast) },
			wantStatus: 401, wantNote: []error{errLast},
		}, {
			desc:       "a returned error",
			handler:    bulwarkgin.Handler(func(*gin.Context) error { return errLast }),
			wantStatus: 418, wantBody: "mapped", wantWrite: []error{errLast},
		}, {
			desc:       "nothing returned",
			handler:    bulwarkgin.Handler(func(c *gin.Context) error { c.String(200, "fine"); return nil }),
			wantStatus: 200, wantBody: "fine",
		},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			errs := &spyMapper{status: 418}
			e := gin.New()
			// Errors is used twice, as in the engine and inside a wrapped group.
			e.Use(bulwarkgin.Errors(&spyMapper{status: 500}), bulwarkgin.Errors(errs))
			e.GET("/users/:id", tc.handler)

			got := do(t, e, "GET", "/users/7")
			assert.Equal(t, tc.wantStatus, got.status)
			assert.Equal(t, tc.wantBody, got.body)
			assert.Equal(t, tc.wantWrite, errs.written)
			assert.Equal(t, tc.wantNote, errs.noted)
		})
	}
}

func TestHandlerAborts(t *testing.T) {
	e := gin.New()
	e.Use(bulwarkgin.Errors(&spyMapper{status: 418}))
	e.GET("/", bulwarkgin.Handler(func(*gin.Context) error { return errLast }),
		func(c *gin.Context) { c.String(200, "ran after an error") })

	assert.Equal(t, "mapped", do(t, e, "GET", "/").body)
}

// owner is like a writer that looks at the request when its Header method is called.
type owner struct {
	http.ResponseWriter
	req  *http.Request
	seen []string
}

func (o *owner) Header() http.Header {
	o.seen = append(o.seen, o.req.Pattern)
	return o.ResponseWriter.Header()
}

func TestPatternIsKnownBeforeTheHandlers(t *testing.T) {
	errs := &spyMapper{status: 418}
	e := gin.New()
	e.Use(bulwarkgin.Errors(errs))
	var o *owner
	var before []string
	e.GET("/users/:id", func(c *gin.Context) {
		before = append(before, o.seen...)
		_ = c.Error(errLast)
	})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o = &owner{ResponseWriter: w, req: r}
		e.ServeHTTP(o, r)
	})

	do(t, h, "GET", "/users/7")
	assert.Equal(t, []string{"/users/:id"}, before)
	assert.Equal(t, "/users/:id", errs.pattern)

	do(t, h, "GET", "/nothing/here")
	assert.Empty(t, o.req.Pattern, "no route, no pattern")
}

func TestMisuse(t *testing.T) {
	assert.PanicsWithValue(t, "bulwarkgin: Errors: mapper is nil", func() { bulwarkgin.Errors(nil) })
	assert.PanicsWithValue(t, "bulwarkgin: Errors: mapper is nil", func() { bulwarkgin.Errors((*spyMapper)(nil)) })
	assert.PanicsWithValue(t, "bulwarkgin: Handler: handler is nil", func() { bulwarkgin.Handler(nil) })
	assert.PanicsWithValue(t, "bulwarkgin: Wrap: middleware is nil", func() { bulwarkgin.Wrap(nil) })
}
