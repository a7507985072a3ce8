package conformance_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/internal/frameworks"
)

// TestFrameworksOwnErrors: the mapper gets the errors of the frameworks. It uses their
// status unless a rule knows a cause inside, and does not send their text.
func TestFrameworksOwnErrors(t *testing.T) {
	type input struct{ Name string }
	tooLarge := strings.Repeat(" ", bodyLimit) + "{}"
	notFound, conflict, badRequest, large := jsonError(404, "no item"), jsonError(409, "conflict"),
		jsonError(400, "bad request"), jsonError(413, "request entity too large")
	for _, tc := range []struct {
		desc, body string
		setup
		want answer
	}{
		{"Gin, c.Error", "", inGin(func(c *gin.Context) error { _ = c.Error(errMissing); return nil }), notFound},
		{"Gin, ShouldBind, no JSON", "{]", inGin(func(c *gin.Context) error { return c.ShouldBindJSON(new(input)) }), badRequest},
		{"Gin, ShouldBind, too large", tooLarge, inGin(func(c *gin.Context) error { return c.ShouldBindJSON(new(input)) }), large},

		{"Echo v5, a sentinel", "", inEcho(func(*echo.Context) error { return echo.ErrForbidden }), jsonError(403, "forbidden")},
		{"Echo v5, HTTPError", "", inEcho(func(*echo.Context) error { return echo.NewHTTPError(409, "secret") }), conflict},
		{"Echo v5, around a known cause", "", inEcho(func(*echo.Context) error { return echo.ErrBadRequest.Wrap(errMissing) }), notFound},
		{"Echo v5, around an unknown cause", "", inEcho(func(*echo.Context) error { return echo.ErrBadRequest.Wrap(errBroken) }), badRequest},
		{"Echo v5, Bind, no JSON", "{]", inEcho(func(c *echo.Context) error { return c.Bind(new(input)) }), badRequest},
		{"Echo v5, Bind, too large", tooLarge, inEcho(func(c *echo.Context) error { return c.Bind(new(input)) }), large},

		{"Echo v4, HTTPError", "", inEchoV4(func(echov4.Context) error { return echov4.NewHTTPError(409, "secret") }), conflict},
		{"Echo v4, around a known cause", "", inEchoV4(func(echov4.Context) error { return echov4.ErrBadRequest.WithInternal(errMissing) }), notFound},
		{"Echo v4, around an unknown cause", "", inEchoV4(func(echov4.Context) error { return echov4.ErrBadRequest.WithInternal(errBroken) }), badRequest},
		{"Echo v4, Bind, no JSON", "{]", inEchoV4(func(c echov4.Context) error { return c.Bind(new(input)) }), badRequest},
		{"Echo v4, Bind, too large", tooLarge, inEchoV4(func(c echov4.Context) error { return c.Bind(new(input)) }), large},
	} {
		r := row{
			request:  request{Method: http.MethodPost, Length: -1, Body: tc.body, Header: []string{"Content-Type: application/json"}},
			answer:   tc.want,
			line:     line{Status: tc.want.Status, Outcome: "ok", In: min(len(tc.body), bodyLimit+1)},
			ownWords: true,
		}
		t.Run(tc.desc, func(t *testing.T) { r.run(t, t, &tc.setup, protocols[0], false)() })
	}
}

func inGin(h func(*gin.Context) error) setup {
	return setup{Notation: colons, Build: func(errs *errmap.Mapper, _ middleware, routes []route, _ io.Writer) http.Handler {
		e := gin.New()
		e.Use(bulwarkgin.Errors(errs))
		e.POST(colons(pattern), bulwarkgin.Handler(h))
		return beside(e, routes[1:])
	}}
}

func inEcho(h echo.HandlerFunc) setup {
	return setup{Notation: colons, Build: func(errs *errmap.Mapper, _ middleware, routes []route, _ io.Writer) http.Handler {
		e := echo.New()
		e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
		e.POST(colons(pattern), h)
		return beside(e, routes[1:])
	}}
}

func inEchoV4(h echov4.HandlerFunc) setup {
	return setup{Notation: colons, Build: func(errs *errmap.Mapper, _ middleware, routes []route, _ io.Writer) http.Handler {
		e := echov4.New()
		e.HTTPErrorHandler = frameworks.ErrorHandlerV4(errs)
		e.Use(frameworks.RouteV4)
		e.POST(colons(pattern), h)
		return beside(e, routes[1:])
	}}
}
