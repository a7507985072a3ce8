package bulwarkecho_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
)

var errCause = errors.New("cause")

func TestErrorHandler(t *testing.T) {
	wrapped := echo.NewHTTPError(http.StatusConflict, "taken").Wrap(errCause)
	for _, tc := range []struct {
		desc       string
		method     string
		path       string
		handler    echo.HandlerFunc
		wantStatus int
		wantBody   string
		wantWrite  []error
		wantNote   []error
	}{
		{
			desc:       "no error",
			handler:    func(c *echo.Context) error { return c.String(200, "fine") },
			wantStatus: 200, wantBody: "fine",
		}, {
			desc:       "an error",
			handler:    func(*echo.Context) error { return errCause },
			wantStatus: 418, wantBody: "mapped", wantWrite: []error{errCause},
		}, {
			desc:       "an HTTPError arrives whole, its cause inside",
			handler:    func(*echo.Context) error { return wrapped },
			wantStatus: 409, wantBody: "mapped", wantWrite: []error{wrapped},
		}, {
			desc:       "an answer stands",
			handler:    func(c *echo.Context) error { _ = c.NoContent(409); return errCause },
			wantStatus: 409, wantNote: []error{errCause},
		}, {
			desc:       "an early hint is no answer",
			handler:    func(c *echo.Context) error { c.Response().WriteHeader(http.StatusEarlyHints); return errCause },
			wantStatus: 418, wantBody: "mapped", wantWrite: []error{errCause},
		}, {
			desc: "a body after an early hint is one",
			handler: func(c *echo.Context) error {
				c.Response().WriteHeader(http.StatusEarlyHints)
				_, _ = io.WriteString(c.Response(), "fine")
				return errCause
			},
			wantStatus: 200, wantBody: "fine", wantNote: []error{errCause},
		}, {
			desc:       "the router's 404",
			path:       "nowhere/at/all",
			wantStatus: 404, wantBody: "mapped", wantWrite: []error{echo.ErrNotFound},
		}, {
			desc:       "the router's 405",
			method:     "DELETE",
			wantStatus: 405, wantBody: "mapped", wantWrite: []error{echo.ErrMethodNotAllowed},
		},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			errs := &spyMapper{}
			e := newEcho(t, bulwarkecho.ErrorHandler(errs))
			if tc.handler == nil {
				tc.handler = func(c *echo.Context) error { return c.NoContent(204) }
			}
			e.GET("/", tc.handler)

			res, body := do(t, e, tc.method, "/"+tc.path)
			assert.Equal(t, tc.wantStatus, res.StatusCode)
			assert.Equal(t, tc.wantBody, body)
			assert.Equal(t, tc.wantWrite, errs.written)
			assert.Equal(t, tc.wantNote, errs.noted)
			if tc.wantStatus == http.StatusMethodNotAllowed {
				assert.Equal(t, "OPTIONS, GET", res.Header.Get("Allow"))
			}
		})
	}
}

// Echo middleware may call the error handler and return the error as well.
func TestErrorHandlerRendersOnce(t *testing.T) {
	errs := &spyMapper{}
	e := newEcho(t, bulwarkecho.ErrorHandler(errs))
	e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			err := next(c)
			c.Echo().HTTPErrorHandler(c, err)
			return err
		}
	})
	e.GET("/", func(*echo.Context) error { return errCause })

	_, body := do(t, e, "GET", "/")
	assert.Equal(t, "mapped", body)
	assert.Equal(t, []error{errCause}, errs.written)
	assert.Equal(t, []error{errCause}, errs.noted)
}

func TestMisuse(t *testing.T) {
	assert.PanicsWithValue(t, "bulwarkecho: ErrorHandler: mapper is nil", func() { bulwarkecho.ErrorHandler(nil) })
	assert.PanicsWithValue(t, "bulwarkecho: ErrorHandler: mapper is nil", func() { bulwarkecho.ErrorHandler((*spyMapper)(nil)) })
	assert.PanicsWithValue(t, "bulwarkecho: Wrap: middleware is nil", func() { bulwarkecho.Wrap(nil) })
}
