package bulwarkecho_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/labstack/echo/v5"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
)

var errNotFound = errors.New("no such user")

// table stands for an *errmap.Mapper, which this package does not import.
type table struct{}

func (table) Write(w http.ResponseWriter, _ *http.Request, err error) {
	var coded interface{ StatusCode() int }
	switch {
	case errors.Is(err, errNotFound): // rules come first
		http.Error(w, "no such user", http.StatusNotFound)
	case errors.As(err, &coded): // then the error's own status
		http.Error(w, http.StatusText(coded.StatusCode()), coded.StatusCode())
	default:
		http.Error(w, "internal", http.StatusInternalServerError)
	}
}

func (table) Note(_ *http.Request, err error) { fmt.Println("noted:", err) }

// get prints what a client sees.
func get(h http.Handler, path string) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", path, http.NoBody))
	fmt.Print(rec.Code, " ", rec.Body)
}

// Handlers return their errors, and the mapper responds. A rule for the cause takes
// precedence over the status of the error around it.
func ExampleErrorHandler() {
	e := echo.New()
	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(table{})
	e.GET("/users/:id", func(c *echo.Context) error {
		return echo.ErrBadRequest.Wrap(fmt.Errorf("user %s: %w", c.Param("id"), errNotFound))
	})

	get(e, "/users/124")
	get(e, "/nowhere")
	// Output:
	// 404 no such user
	// 404 Not Found
}

// Wrap runs net/http middleware on a group. The middleware sees the response to an
// error, too.
func ExampleWrap() {
	noStore := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			fmt.Println("route:", r.Pattern)
			next.ServeHTTP(w, r)
		})
	}
	e := echo.New()
	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(table{})
	private := e.Group("/private", bulwarkecho.Wrap(noStore))
	private.GET("/:name", func(c *echo.Context) error {
		return c.String(http.StatusOK, "dear diary\n")
	})

	get(e, "/private/diary")
	// Output:
	// route: /private/:name
	// 200 dear diary
}

// Middleware around Echo knows the route while the handler is running.
func ExampleRoute() {
	e := echo.New()
	e.Use(bulwarkecho.Route)
	e.GET("/users/:id", func(c *echo.Context) error {
		return c.String(http.StatusOK, "served by "+c.Request().Pattern+"\n")
	})

	get(e, "/users/7")
	// Output:
	// 200 served by /users/:id
}
