package examples_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

var errNoUser = errors.New("no such user")

// table has the errors of every service.
func table(more ...errmap.Rule) *errmap.Mapper {
	return errmap.New(errmap.Config{Render: errmap.ErrorJSON, Rules: append([]errmap.Rule{
		errmap.Is(errNoUser, errmap.Problem{Status: http.StatusNotFound, Detail: "not found"}),
	}, more...)})
}

// stack goes around each service, on any framework.
func stack(errs *errmap.Mapper, log io.Writer) func(http.Handler) http.Handler {
	return bulwark.New(bulwark.Config{
		Logging: logging.Config{Logger: slog.New(slog.NewJSONHandler(log, nil))},
		Timeout: timeout.Config{Limit: 5 * time.Second},
		Errors:  errs,
	})
}

// A service on net/http: the stack goes around the mux.
func Example_netHTTP() {
	errs, log := table(), new(bytes.Buffer)
	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		return fmt.Errorf("user %s: %w", r.PathValue("id"), errNoUser)
	}))

	show(stack(errs, log)(mux), log)
	// Output:
	// 404 {"error":"not found"}
	// logged: /users/{id} 404 user 7: no such user
}

// A service on chi: the stack goes around the router and not into its Use, so that it
// sees the router's own responses and is the first to use the request.
func Example_chi() {
	errs, log := table(), new(bytes.Buffer)
	router := chi.NewRouter() // without middleware.Logger, Recoverer, Timeout and RequestID
	router.Method(http.MethodGet, "/users/{id}", errs.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		return fmt.Errorf("user %s: %w", chi.URLParam(r, "id"), errNoUser)
	}))

	show(stack(errs, log)(router), log)
	// Output:
	// 404 {"error":"not found"}
	// logged: /users/{id} 404 user 7: no such user
}

// A service on Gin: Errors comes first, and the stack goes around the engine.
func Example_gin() {
	errs, log := table(), new(bytes.Buffer)
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New() // not gin.Default
	engine.Use(bulwarkgin.Errors(errs))
	engine.GET("/users/:id", bulwarkgin.Handler(func(c *gin.Context) error {
		return fmt.Errorf("user %s: %w", c.Param("id"), errNoUser)
	}))

	show(stack(errs, log)(engine), log)
	// Output:
	// 404 {"error":"not found"}
	// logged: /users/:id 404 user 7: no such user
}

// A service on Echo v5: its errors go to the mapper, and the stack around it.
func Example_echo() {
	errs, log := table(), new(bytes.Buffer)
	e := echo.New()
	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
	e.Use(bulwarkecho.Route)
	e.GET("/users/:id", func(c *echo.Context) error {
		return fmt.Errorf("user %s: %w", c.Param("id"), errNoUser)
	})

	show(stack(errs, log)(e), log)
	// Output:
	// 404 {"error":"not found"}
	// logged: /users/:id 404 user 7: no such user
}

// A service on Echo v4, which needs no adapter.
func Example_echoV4() {
	errs := table(errmap.As(func(e *echov4.HTTPError) errmap.Problem { return errmap.Problem{Status: e.Code} }))
	log := new(bytes.Buffer)
	e := echov4.New()
	e.HTTPErrorHandler = func(err error, c echov4.Context) {
		if c.Response().Committed {
			errs.Note(c.Request(), err)
			return
		}
		errs.Write(c.Response(), c.Request(), err)
	}
	e.Use(func(next echov4.HandlerFunc) echov4.HandlerFunc { // sets the route
		return func(c echov4.Context) error {
			c.Request().Pattern = c.Path()
			c.Response().Header()
			return next(c)
		}
	})
	e.GET("/users/:id", func(c echov4.Context) error {
		return fmt.Errorf("user %s: %w", c.Param("id"), errNoUser)
	})

	show(stack(errs, log)(e), log)
	// Output:
	// 404 {"error":"not found"}
	// logged: /users/:id 404 user 7: no such user
}

// show requests a user that does not exist, and prints what the client sees and what is
// logged.
func show(h http.Handler, log *bytes.Buffer) {
	srv := httptest.NewServer(h)
	res, err := srv.Client().Get(srv.URL + "/users/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		fmt.Println(err)
	}
	res.Body.Close()
	srv.Close() // waits for the log record
	var line struct {
		Route   string `json:"http.route"`
		Status  int    `json:"http.response.status_code"`
		Message string `json:"error.message"`
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		fmt.Println(err)
	}
	fmt.Println(res.StatusCode, string(body))
	fmt.Println("logged:", line.Route, line.Status, line.Message)
}
