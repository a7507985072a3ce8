package conformance_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/itest/internal/frameworks"
	"github.com/bulwark-go/bulwark/timeout"
)

// What is not the same on every framework is documented on the framework's page.

// everywhere runs a row of which a framework may have another version.
func everywhere(t *testing.T, version func(*setup) row) {
	for i := range setups {
		s := &setups[i]
		for _, p := range protocols {
			t.Run(s.Name+", HTTP/"+p.name, func(t *testing.T) { version(s).run(t, t, s, p, false)() })
		}
	}
}

// TestLateErrors: errmap.Handler aborts a success that has started if its function
// returns an error. Gin's errors are a list that may only be remarks, and Echo's error
// handler is called with errors that were answered, so the adapters only record such an
// error. The row "failure after the response began" shows how to abort the response on
// all of them.
func TestLateErrors(t *testing.T) {
	everywhere(t, func(s *setup) row {
		r := row{
			handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
				if err := begin(w); err != nil {
					return err
				}
				return errBroken
			},
			answer: streamed("half", cut),
			line:   line{Level: "ERROR", Status: 200, Intended: 500, Outcome: "error", Type: "error", Message: errBroken.Error()},
		}
		if s.Own {
			r.answer.End, r.line.Intended = whole, 0
		}
		return r
	})
}

// TestLateErrorsByHandler: errmap.Handler aborts the response also in Gin and Echo.
func TestLateErrorsByHandler(t *testing.T) {
	for name, mount := range map[string]func(http.Handler) http.Handler{
		"Gin": func(h http.Handler) http.Handler {
			e := gin.New()
			e.GET(colons(pattern), gin.WrapH(h))
			return e
		},
		"Echo v5": func(h http.Handler) http.Handler {
			e := echo.New()
			e.GET(colons(pattern), echo.WrapHandler(h))
			return e
		},
		"Echo v4": func(h http.Handler) http.Handler {
			e := echov4.New()
			e.GET(colons(pattern), echov4.WrapHandler(h), frameworks.RouteV4)
			return e
		},
	} {
		s := setup{Notation: func(string) string { return "/items/" }, Build: func(errs *errmap.Mapper, _ middleware, routes []route, _ io.Writer) http.Handler {
			return beside(mount(errs.Handler(routes[0].Handler)), routes[1:])
		}}
		if name != "Gin" {
			s.Notation = colons
		}
		r := row{
			handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
				if err := begin(w); err != nil {
					return err
				}
				return errBroken
			},
			answer: streamed("half", cut),
			line:   line{Level: "ERROR", Status: 200, Intended: 500, Outcome: "error", Type: "error", Message: errBroken.Error()},
		}
		t.Run(name, func(t *testing.T) { r.run(t, t, &s, protocols[0], false)() })
	}
}

// TestGinRecovery shows why to leave out gin.Recovery. It answers a panic without a
// body, hides the panic from the log record, and lets an aborted response look
// complete.
func TestGinRecovery(t *testing.T) {
	s := setup{Notation: colons, Build: func(errs *errmap.Mapper, _ middleware, routes []route, _ io.Writer) http.Handler {
		e := gin.New()
		e.Use(gin.RecoveryWithWriter(io.Discard), bulwarkgin.Errors(errs))
		e.GET(colons(pattern), bulwarkgin.Handler(func(c *gin.Context) error { return routes[0].Handler(c.Writer, c.Request) }))
		return beside(e, routes[1:])
	}}
	for _, r := range []row{
		{
			desc:    "a panic",
			handler: func(*scene, http.ResponseWriter, *http.Request) error { panic("boom") },
			answer:  answer{Status: 500, End: whole, Header: map[string]string{"Content-Length": "0"}},
			line:    line{Level: "ERROR", Status: 500, Outcome: "error", Type: "500"},
		}, {
			desc: "http.ErrAbortHandler",
			handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
				if err := begin(w); err != nil {
					return err
				}
				panic(http.ErrAbortHandler)
			},
			answer: streamed("half", whole),
			line:   line{Status: 200, Outcome: "ok"},
		},
	} {
		t.Run(r.desc, func(t *testing.T) { r.run(t, t, &s, protocols[0], false)() })
	}
}

// TestEarlyHintsToTheFrameworksWriter shows the result of a 103 that is sent as on
// net/http. Gin's writer stores it as the status and replaces it by the next one. Echo's
// sends it, treats the response as committed, and sends 200 whatever status follows. The
// log record has the status that was sent.
func TestEarlyHintsToTheFrameworksWriter(t *testing.T) {
	everywhere(t, func(s *setup) row {
		r := row{
			handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusAccepted)
				_, err := io.WriteString(w, "fine")
				return err
			},
			answer: early103(text(202, "fine")),
			line:   line{Status: 202, Outcome: "ok"},
		}
		switch {
		case s.Name == "Gin":
			r.answer.Early = nil
		case s.Own:
			r.answer.Status, r.line.Status, r.complains = 200, 200, s.Name == "Echo v5" // v4 only with a lower log level
		}
		return r
	})
}

// TestChiRoute: chi serves a copy of the request, so its pattern reaches the log record
// only through errmap.Handler or a Bulwark middleware in the router.
func TestChiRoute(t *testing.T) {
	for _, tc := range []struct {
		desc, route string
		add         func(mux chi.Router, errs *errmap.Mapper, h http.HandlerFunc)
	}{
		{"a handler alone", "", func(mux chi.Router, _ *errmap.Mapper, h http.HandlerFunc) { mux.Get(pattern, h) }},
		{"Use, which comes before the router", pattern, func(mux chi.Router, errs *errmap.Mapper, h http.HandlerFunc) {
			mux.Use(errs.Recover)
			mux.Get(pattern, h)
		}},
		{"With", pattern, func(mux chi.Router, errs *errmap.Mapper, h http.HandlerFunc) {
			mux.With(errs.Recover).Get(pattern, h)
		}},
		{"a router within a router", pattern, func(mux chi.Router, errs *errmap.Mapper, h http.HandlerFunc) {
			mux.Route("/items", func(r chi.Router) { r.With(errs.Recover).Get("/{id}", h) })
		}},
	} {
		s := setup{
			Notation: func(string) string { return tc.route },
			Build: func(errs *errmap.Mapper, _ middleware, routes []route, _ io.Writer) http.Handler {
				mux := chi.NewRouter()
				tc.add(mux, errs, func(w http.ResponseWriter, r *http.Request) { _ = routes[0].Handler(w, r) })
				mux.Handle("/after", errs.Handler(routes[1].Handler))
				return mux
			},
		}
		r := row{handler: write(200, "fine"), answer: text(200, "fine"), line: line{Status: 200, Outcome: "ok"}}
		t.Run(tc.desc, func(t *testing.T) { r.run(t, t, &s, protocols[0], false)() })
	}
}

// beside puts a framework that has /items/ only beside other routes.
func beside(items http.Handler, others []route) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/items/", items)
	for _, o := range others {
		mux.HandleFunc(o.Pattern, func(w http.ResponseWriter, r *http.Request) { _ = o.Handler(w, r) })
	}
	return mux
}

// TestEchoWrapMiddleware shows what Echo's way to use net/http middleware, which is the
// same in v4 and v5, does to an error: Echo renders it when the middleware has returned.
// The outermost Bulwark middleware has ended the request by then, with an empty 200,
// because the handler wrote nothing. If the middleware is not the outermost, the error
// is in time.
func TestEchoWrapMiddleware(t *testing.T) {
	rendered := row{
		handler: fail(errMissing),
		answer:  jsonError(404, "no item"),
		line:    line{Status: 404, Outcome: "ok", Message: errMissing.Error()},
	}
	lost := row{
		handler: rendered.handler,
		answer:  answer{Status: 200, End: whole, Header: map[string]string{"Content-Length": "0"}},
		line:    line{Status: 200, Outcome: "ok"},
	}
	v5 := func(use ...func(middleware) echo.MiddlewareFunc) setup {
		return setup{Notation: colons, Build: func(errs *errmap.Mapper, mw middleware, routes []route, _ io.Writer) http.Handler {
			e := echo.New()
			e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
			for _, u := range use {
				e.Use(u(mw))
			}
			e.GET(colons(pattern), func(c *echo.Context) error { return routes[0].Handler(c.Response(), c.Request()) })
			return beside(e, routes[1:])
		}}
	}
	v4 := func(use ...func(middleware) echov4.MiddlewareFunc) setup {
		return setup{Notation: colons, Build: func(errs *errmap.Mapper, mw middleware, routes []route, _ io.Writer) http.Handler {
			e := echov4.New()
			e.HTTPErrorHandler = frameworks.ErrorHandlerV4(errs)
			e.Use(frameworks.RouteV4)
			for _, u := range use {
				e.Use(u(mw))
			}
			e.GET(colons(pattern), func(c echov4.Context) error { return routes[0].Handler(c.Response(), c.Request()) })
			return beside(e, routes[1:])
		}}
	}
	for _, tc := range []struct {
		desc string
		setup
		row
		outside bool // the stack is around the engine, and WrapMiddleware has only an Override
	}{
		{desc: "v5", setup: v5(wrapV5), row: lost},
		{desc: "v5, bulwarkecho.Wrap", setup: v5(bulwarkecho.Wrap), row: rendered},
		{desc: "v5, around the engine", setup: v5(overrideV5), row: rendered, outside: true},
		{desc: "v4", setup: v4(echov4.WrapMiddleware), row: lost},
		{desc: "v4, rendered inside", setup: v4(echov4.WrapMiddleware, func(middleware) echov4.MiddlewareFunc { return frameworks.RenderV4 }), row: rendered},
		{desc: "v4, around the engine", setup: v4(overrideV4), row: rendered, outside: true},
	} {
		tc.row.alone = true
		t.Run(tc.desc, func(t *testing.T) { tc.row.run(t, t, &tc.setup, protocols[0], !tc.outside)() })
	}
}

func wrapV5(mw middleware) echo.MiddlewareFunc { return echo.WrapMiddleware(mw) }

var override = timeout.Override(patience / 2)

func overrideV5(middleware) echo.MiddlewareFunc   { return echo.WrapMiddleware(override) }
func overrideV4(middleware) echov4.MiddlewareFunc { return echov4.WrapMiddleware(override) }
