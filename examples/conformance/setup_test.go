package conformance_test

import (
	"io"
	"log"
	"log/slog"
	"net/http"
	"regexp"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/errmap"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

type (
	middleware = func(http.Handler) http.Handler
	handler    = func(http.ResponseWriter, *http.Request) error
)

// route is registered for its method and pattern, which is in the notation of
// http.ServeMux.
type route struct {
	method, pattern string
	handler         handler
}

// setup is a framework.
type setup struct {
	name string
	// build makes a service of the routes. Errors of handlers, and the router's
	// own 404 and 405, go to errs; onRoute, where it is not nil, goes around
	// each route by the framework's own means; what the framework complains of
	// goes to complaints.
	build func(errs *errmap.Mapper, onRoute middleware, routes []route, complaints io.Writer) http.Handler
	// notation is what the framework, and so the line, calls a pattern.
	notation func(pattern string) string
	// own tells that its writer is not net/http's and takes a 103 for the final
	// status: the 103 goes to what it unwraps to.
	own bool
	// pools tells that a handler on a route is not the first to touch the
	// request, so that it cannot be left behind on HTTP/2 (see timeout.New).
	pools bool
	// half tells that its router knows the route of a path whose method it does
	// not have.
	half bool
	// unhinted tells that what carries middleware onto a route takes a 103 for
	// the final status.
	unhinted bool
}

// setups are the frameworks. To add one is to add an element.
var setups = []setup{
	{name: "net/http", build: buildNetHTTP, notation: asIs},
	{name: "chi", build: buildChi, notation: asIs, pools: true},
	{name: "Gin", build: buildGin, notation: colons, own: true, pools: true},
	{name: "Echo v5", build: buildEcho, notation: colons, own: true, pools: true, half: true},
	{name: "Echo v4", build: buildEchoV4, notation: colons, own: true, pools: true, half: true, unhinted: true},
}

func asIs(pattern string) string { return pattern }

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

func colons(pattern string) string { return wildcard.ReplaceAllString(pattern, ":$1") }

func buildNetHTTP(errs *errmap.Mapper, onRoute middleware, routes []route, _ io.Writer) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes {
		h := errs.Handler(r.handler)
		if onRoute != nil {
			h = onRoute(h)
		}
		mux.Handle(r.method+" "+r.pattern, h)
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

func buildChi(errs *errmap.Mapper, onRoute middleware, routes []route, _ io.Writer) http.Handler {
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
		on.Method(r.method, r.pattern, errs.Handler(r.handler))
	}
	return mux
}

func buildGin(errs *errmap.Mapper, onRoute middleware, routes []route, _ io.Writer) http.Handler {
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
		group.Handle(r.method, colons(r.pattern), bulwarkgin.Handler(func(c *gin.Context) error {
			return r.handler(c.Writer, c.Request)
		}))
	}
	return engine
}

func buildEcho(errs *errmap.Mapper, onRoute middleware, routes []route, complaints io.Writer) http.Handler {
	e := echo.New()
	e.Logger = slog.New(slog.NewTextHandler(complaints, nil))
	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
	e.Use(bulwarkecho.Route)
	group := e.Group("")
	if onRoute != nil {
		group.Use(bulwarkecho.Wrap(onRoute))
	}
	for _, r := range routes {
		group.Add(r.method, colons(r.pattern), func(c *echo.Context) error {
			return r.handler(c.Response(), c.Request())
		})
	}
	return e
}

func buildEchoV4(errs *errmap.Mapper, onRoute middleware, routes []route, complaints io.Writer) http.Handler {
	e := echov4.New()
	e.Logger.SetOutput(complaints)
	e.StdLogger = log.New(complaints, "", 0)
	e.HTTPErrorHandler = errorHandlerV4(errs)
	e.Use(routeV4)
	group := e.Group("")
	if onRoute != nil {
		group.Use(echov4.WrapMiddleware(onRoute), renderV4)
	}
	for _, r := range routes {
		group.Add(r.method, colons(r.pattern), func(c echov4.Context) error {
			return r.handler(c.Response(), c.Request())
		})
	}
	return e
}

// What Echo v4 needs, as the page of bulwarkecho has it.

// errorHandlerV4 lets errs render what nobody has answered.
func errorHandlerV4(errs *errmap.Mapper) echov4.HTTPErrorHandler {
	return func(err error, c echov4.Context) {
		if c.Response().Committed {
			errs.Note(c.Request(), err)
			return
		}
		errs.Write(c.Response(), c.Request(), err)
	}
}

// routeV4 tells the route, as bulwarkecho.Route does.
func routeV4(next echov4.HandlerFunc) echov4.HandlerFunc {
	return func(c echov4.Context) error {
		c.Request().Pattern = c.Path()
		c.Response().Header()
		return next(c)
	}
}

// renderV4 renders an error where a middleware around it can see that, which
// echo.WrapMiddleware does not.
func renderV4(next echov4.HandlerFunc) echov4.HandlerFunc {
	return func(c echov4.Context) error {
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		return err
	}
}
