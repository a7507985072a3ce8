// Package frameworks serves the same handlers on net/http, chi, Gin, Echo v5 and
// Echo v4. For each framework it has how routes are registered, how handlers return
// an error, and how a pattern is written.
package frameworks

import (
	"io"
	"log"
	"log/slog"
	"net/http"
	"regexp"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/errmap"
)

type (
	// Middleware is the type of Bulwark's middleware.
	Middleware = func(http.Handler) http.Handler
	// Handler responds, or returns an error to respond to.
	Handler = func(http.ResponseWriter, *http.Request) error
)

// Route is a handler with its method and its pattern in the syntax of
// http.ServeMux.
type Route struct {
	Method, Pattern string
	Handler         Handler
}

// Setup is a framework.
type Setup struct {
	Name string
	// Build returns a service with the routes. errs gets the errors of handlers and
	// the router's own 404 and 405. If onRoute is not nil, it is put around each
	// route in the framework's own way. The framework's own log goes to complaints.
	Build func(errs *errmap.Mapper, onRoute Middleware, routes []Route, complaints io.Writer) http.Handler
	// Notation returns a pattern in the framework's syntax, as it is in the log
	// record.
	Notation func(pattern string) string
	// Own means that the framework's writer is not net/http's and treats a 103 as
	// the final status. A 103 must be sent through the writer that it unwraps to.
	Own bool
	// Half means that the router knows the route of a path that does not have the
	// method.
	Half bool
	// Unhinted means that a 103 counts as the final status if middleware is on the
	// route.
	Unhinted bool
}

// All has the frameworks. To add a framework, add an element.
var All = []Setup{
	{Name: "net/http", Build: buildNetHTTP, Notation: asIs},
	{Name: "chi", Build: buildChi, Notation: asIs},
	{Name: "Gin", Build: buildGin, Notation: Colons, Own: true},
	{Name: "Echo v5", Build: buildEcho, Notation: Colons, Own: true, Half: true},
	{Name: "Echo v4", Build: buildEchoV4, Notation: Colons, Own: true, Half: true, Unhinted: true},
}

func asIs(pattern string) string { return pattern }

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// Colons returns pattern in the syntax of Gin and Echo.
func Colons(pattern string) string { return wildcard.ReplaceAllString(pattern, ":$1") }

func buildNetHTTP(errs *errmap.Mapper, onRoute Middleware, routes []Route, _ io.Writer) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		h := errs.Handler(r.Handler)
		if onRoute != nil {
			h = onRoute(h)
		}
		mux.Handle(r.Method+" "+r.Pattern, h)
	}
	if onRoute != nil {
		return mux
	}
	// The mux itself responds in plain text if it has no route. This handler keeps
	// the status, and lets errs write the body.
	return errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if own, pattern := mux.Handler(r); pattern == "" {
			refusal := &statusOnly{header: w.Header()}
			own.ServeHTTP(refusal, r)
			return &errmap.Problem{Status: refusal.status}
		}
		mux.ServeHTTP(w, r)
		return nil
	})
}

// statusOnly keeps the status and the header of a handler, and drops the body.
type statusOnly struct {
	header http.Header
	status int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) WriteHeader(code int)        { s.status = code }
func (s *statusOnly) Write(p []byte) (int, error) { return len(p), nil }

func buildChi(errs *errmap.Mapper, onRoute Middleware, routes []Route, _ io.Writer) http.Handler {
	mux := chi.NewRouter()
	refuse := func(status int) http.HandlerFunc {
		return errs.Handler(func(http.ResponseWriter, *http.Request) error {
			return &errmap.Problem{Status: status}
		}).ServeHTTP
	}
	mux.NotFound(refuse(http.StatusNotFound))
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		// chi sets Allow only if it writes the 405 itself.
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			if mux.Match(chi.NewRouteContext(), method, r.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		refuse(http.StatusMethodNotAllowed)(w, r)
	})
	var on chi.Router = mux
	if onRoute != nil {
		on = mux.With(onRoute)
	}
	for _, r := range routes {
		on.Method(r.Method, r.Pattern, errs.Handler(r.Handler))
	}
	return mux
}

func buildGin(errs *errmap.Mapper, onRoute Middleware, routes []Route, _ io.Writer) http.Handler {
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.Use(bulwarkgin.Errors(errs))
	refuse := func(status int) gin.HandlerFunc {
		return bulwarkgin.Handler(func(*gin.Context) error { return &errmap.Problem{Status: status} })
	}
	engine.NoRoute(refuse(http.StatusNotFound))
	engine.NoMethod(refuse(http.StatusMethodNotAllowed))
	group := engine.Group("")
	if onRoute != nil {
		group.Use(bulwarkgin.Wrap(onRoute), bulwarkgin.Errors(errs))
	}
	for _, r := range routes {
		group.Handle(r.Method, Colons(r.Pattern), bulwarkgin.Handler(func(c *gin.Context) error {
			return r.Handler(c.Writer, c.Request)
		}))
	}
	return engine
}

func buildEcho(errs *errmap.Mapper, onRoute Middleware, routes []Route, complaints io.Writer) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.NewTextHandler(complaints, nil))
	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
	e.Use(bulwarkecho.Route)
	group := e.Group("")
	if onRoute != nil {
		group.Use(bulwarkecho.Wrap(onRoute))
	}
	for _, r := range routes {
		group.Add(r.Method, Colons(r.Pattern), func(c *echo.Context) error {
			return r.Handler(c.Response(), c.Request())
		})
	}
	return e
}

func buildEchoV4(errs *errmap.Mapper, onRoute Middleware, routes []Route, complaints io.Writer) http.Handler {
	e := echov4.New()
	e.Logger.SetOutput(complaints)
	e.StdLogger = log.New(complaints, "", 0)
	e.HTTPErrorHandler = ErrorHandlerV4(errs)
	e.Use(RouteV4)
	group := e.Group("")
	if onRoute != nil {
		group.Use(echov4.WrapMiddleware(onRoute), RenderV4)
	}
	for _, r := range routes {
		group.Add(r.Method, Colons(r.Pattern), func(c echov4.Context) error {
			return r.Handler(c.Response(), c.Request())
		})
	}
	return e
}

// What Echo v4 needs, as the documentation of bulwarkecho shows it.

// ErrorHandlerV4 returns an error handler that lets errs respond to errors that
// have no response yet.
func ErrorHandlerV4(errs *errmap.Mapper) echov4.HTTPErrorHandler {
	return func(err error, c echov4.Context) {
		if c.Response().Committed {
			errs.Note(c.Request(), err)
			return
		}
		errs.Write(c.Response(), c.Request(), err)
	}
}

// RouteV4 sets the route, as bulwarkecho.Route does.
func RouteV4(next echov4.HandlerFunc) echov4.HandlerFunc {
	return func(c echov4.Context) error {
		c.Request().Pattern = c.Path()
		c.Response().Header()
		return next(c)
	}
}

// RenderV4 renders an error before middleware around it returns.
// echo.WrapMiddleware does not do this.
func RenderV4(next echov4.HandlerFunc) echov4.HandlerFunc {
	return func(c echov4.Context) error {
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		return err
	}
}
