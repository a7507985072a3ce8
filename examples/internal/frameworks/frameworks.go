// Package frameworks serves the same handlers on net/http, chi, Gin, Echo v5 and
// Echo v4: how each registers a route, how its handlers return an error, what it
// calls a pattern.
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
	// Middleware is what all of Bulwark's packages make.
	Middleware = func(http.Handler) http.Handler
	// Handler answers, or returns the error that is to be answered.
	Handler = func(http.ResponseWriter, *http.Request) error
)

// Route is registered for its method and pattern, which is in the notation of
// http.ServeMux.
type Route struct {
	Method, Pattern string
	Handler         Handler
}

// Setup is a framework.
type Setup struct {
	Name string
	// Build makes a service of the routes. Errors of handlers, and the router's
	// Own 404 and 405, go to errs; onRoute, where it is not nil, goes around
	// each route by the framework's own means; what the framework complains of
	// goes to complaints.
	Build func(errs *errmap.Mapper, onRoute Middleware, routes []Route, complaints io.Writer) http.Handler
	// Notation is what the framework, and so the line, calls a pattern.
	Notation func(pattern string) string
	// Own tells that its writer is not net/http's and takes a 103 for the final
	// status: the 103 goes to what it unwraps to.
	Own bool
	// Pools tells that a handler on a route is not the first to touch the
	// request, so that it cannot be left behind on HTTP/2 (see timeout.New).
	Pools bool
	// Half tells that its router knows the route of a path whose method it does
	// not have.
	Half bool
	// Unhinted tells that what carries middleware onto a route takes a 103 for
	// the final status.
	Unhinted bool
}

// All are the frameworks. To add one is to add an element.
var All = []Setup{
	{Name: "net/http", Build: buildNetHTTP, Notation: asIs},
	{Name: "chi", Build: buildChi, Notation: asIs, Pools: true},
	{Name: "Gin", Build: buildGin, Notation: Colons, Own: true, Pools: true},
	{Name: "Echo v5", Build: buildEcho, Notation: Colons, Own: true, Pools: true, Half: true},
	{Name: "Echo v4", Build: buildEchoV4, Notation: Colons, Own: true, Pools: true, Half: true, Unhinted: true},
}

func asIs(pattern string) string { return pattern }

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// Colons is pattern in the notation of Gin and Echo.
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
	// The mux answers what it has no route for by itself, in plain text. This
	// takes its status and gives it the words of all other errors.
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

// statusOnly lets a handler say its status and its header, and nothing more.
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
		// chi says what is allowed only where it answers by itself.
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

// What Echo v4 needs, as the page of bulwarkecho has it.

// ErrorHandlerV4 lets errs render what nobody has answered.
func ErrorHandlerV4(errs *errmap.Mapper) echov4.HTTPErrorHandler {
	return func(err error, c echov4.Context) {
		if c.Response().Committed {
			errs.Note(c.Request(), err)
			return
		}
		errs.Write(c.Response(), c.Request(), err)
	}
}

// RouteV4 tells the route, as bulwarkecho.Route does.
func RouteV4(next echov4.HandlerFunc) echov4.HandlerFunc {
	return func(c echov4.Context) error {
		c.Request().Pattern = c.Path()
		c.Response().Header()
		return next(c)
	}
}

// RenderV4 renders an error where a middleware around it can see that, which
// echo.WrapMiddleware does not.
func RenderV4(next echov4.HandlerFunc) echov4.HandlerFunc {
	return func(c echov4.Context) error {
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		return err
	}
}
