package benchmarks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v5"

	"github.com/bulwark-go/bulwark/errmap"
)

var (
	errTaken   = errors.New("taken")
	errExpired = errors.New("expired")
	errNoUser  = errors.New("no such user")

	// errWrapped is what the handler returns in each case, or what stands for it
	// where a framework has errors of its own.
	errWrapped = fmt.Errorf("loading user 1: %w", errNoUser)
)

func fails(http.ResponseWriter, *http.Request) error { return errWrapped }

// status does nothing with the error but to send its status.
func status(w http.ResponseWriter, r *http.Request) {
	if fails(w, r) != nil {
		w.WriteHeader(http.StatusNotFound)
	}
}

// chain is what a service writes that has no library.
func chain(err error) (status int, message string) {
	switch {
	case errors.Is(err, errTaken):
		return http.StatusConflict, "taken"
	case errors.Is(err, errExpired):
		return http.StatusGone, "expired"
	case errors.Is(err, errNoUser):
		return http.StatusNotFound, "not found"
	default:
		return http.StatusInternalServerError, "internal"
	}
}

func chained(w http.ResponseWriter, r *http.Request) {
	if err := fails(w, r); err != nil {
		status, message := chain(err)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
	}
}

// mapped answers by a table of n rules, of which the last is the one.
func mapped(n int, render func(http.ResponseWriter, *http.Request, errmap.Problem)) http.Handler {
	rules := make([]errmap.Rule, 0, n)
	for i := range n - 1 {
		rules = append(rules, errmap.Is(fmt.Errorf("other %d", i), errmap.Problem{Status: http.StatusBadRequest}))
	}
	rules = append(rules, errmap.Is(errNoUser, errmap.Problem{Status: http.StatusNotFound}))
	return errmap.New(errmap.Config{Rules: rules, Render: render}).Handler(fails)
}

func inGin(handlers ...gin.HandlerFunc) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/", handlers...)
	return engine
}

// ginErrors is the middleware of Gin's documentation, with the chain in it.
func ginErrors(c *gin.Context) {
	c.Next()
	if last := c.Errors.Last(); last != nil {
		status, message := chain(last.Err)
		c.JSON(status, gin.H{"error": message})
	}
}

func inEchoFails(handler echo.HandlerFunc) http.Handler {
	e := echo.New()
	e.GET("/", handler)
	return e
}

func inHuma(err error) http.Handler {
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("users", "1"))
	huma.Get(api, "/", func(context.Context, *struct{}) (*struct{}, error) { return nil, err })
	return mux
}

// errmapContenders has each framework twice: what its mapping adds to its own
// engine is the difference between the two. Echo and huma map nothing: they look
// for an error of their own in what the handler returns.
func errmapContenders() []contender {
	echoErr := fmt.Errorf("loading user 1: %w", echo.NewHTTPError(http.StatusNotFound, "not found"))
	humaErr := fmt.Errorf("loading user 1: %w", huma.Error404NotFound("not found"))
	return []contender{
		{"bare", http.HandlerFunc(status)},
		{"hand", http.HandlerFunc(chained)},
		{"bulwark-5", mapped(5, errmap.ProblemJSON)},
		{"bulwark-50", mapped(50, errmap.ProblemJSON)},
		{"bulwark-500", mapped(500, errmap.ProblemJSON)},
		{"bulwark-50-ErrorJSON", mapped(50, errmap.ErrorJSON)},
		{"gin-bare", inGin(func(c *gin.Context) { status(c.Writer, c.Request) })},
		{"gin", inGin(ginErrors, func(c *gin.Context) { _ = c.Error(errWrapped) })},
		{"echo-bare", inEchoFails(func(c *echo.Context) error { return c.NoContent(http.StatusNotFound) })},
		{"echo", inEchoFails(func(*echo.Context) error { return echoErr })},
		{"huma-bare", inHuma(nil)},
		{"huma", inHuma(humaErr)},
	}
}

// BenchmarkErrmap: an error that is wrapped once, and its answer.
func BenchmarkErrmap(b *testing.B) {
	cs := errmapContenders()
	answers404(b, cs)
	interleave(b, get, cs...)
}

// BenchmarkErrmapInStack: the same where other middleware of Bulwark's is further
// out, so that what they share is there already.
func BenchmarkErrmapInStack(b *testing.B) {
	recovers := errmap.New(errmap.Config{}).Recover
	cs := errmapContenders()[:6]
	for i := range cs {
		cs[i].h = recovers(cs[i].h)
	}
	answers404(b, cs)
	interleave(b, get, cs...)
}

// answers404 makes sure that what is compared answers.
func answers404(b *testing.B, cs []contender) {
	b.Helper()
	for _, c := range cs {
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, get(b.Context()))
		if w.Code != http.StatusNotFound && c.name != "huma-bare" { // which has no error to answer
			b.Fatalf("%s: %d %s", c.name, w.Code, w.Body)
		}
	}
}
