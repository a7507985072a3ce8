package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/gin-gonic/gin"
	echo4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/errmap"
)

var (
	errTaken   = errors.New("taken")
	errExpired = errors.New("expired")
	errNoUser  = errors.New("no such user")

	// errWrapped is the error that all handlers return, except for frameworks with
	// their own error types.
	errWrapped = fmt.Errorf("loading user 1: %w", errNoUser)
)

func fails(http.ResponseWriter, *http.Request) error { return errWrapped }

// statusOnly only sends the status.
func statusOnly(w http.ResponseWriter, r *http.Request) {
	if fails(w, r) != nil {
		w.WriteHeader(http.StatusNotFound)
	}
}

// chain is what a service without a library writes.
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

// mapped responds by a table of n rules. Only the last one matches.
func mapped(n int, render func(http.ResponseWriter, *http.Request, errmap.Problem)) http.Handler {
	rules := make([]errmap.Rule, 0, n)
	for i := range n - 1 {
		rules = append(rules, errmap.Is(fmt.Errorf("other %d", i), errmap.Problem{Status: http.StatusBadRequest}))
	}
	rules = append(rules, errmap.Is(errNoUser, errmap.Problem{Status: http.StatusNotFound}))
	return routed(errmap.New(errmap.Config{Rules: rules, Render: render}).Handler(fails))
}

// ginErrors is the middleware from Gin's documentation, and uses chain.
func ginErrors(c *gin.Context) {
	c.Next()
	if last := c.Errors.Last(); last != nil {
		status, message := chain(last.Err)
		c.JSON(status, gin.H{"error": message})
	}
}

// humaStatus is a response without a body.
type humaStatus struct{ Status int }

func inHuma(err error) http.Handler {
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("users", "1"))
	huma.Get(api, route, func(context.Context, *struct{}) (*humaStatus, error) { return &humaStatus{http.StatusNotFound}, err })
	return mux
}

// The names of Bulwark's contenders, by the number of rules.
const (
	Rules5   = "Bulwark, 5 rules"
	Rules50  = "Bulwark, 50 rules"
	Rules500 = "Bulwark, 500 rules"
)

// Errors returns all ways to turn an error that is wrapped once into a response.
// Each framework also has a contender that sends the same status without an error,
// because routers are not compared. Echo and huma map nothing: they only look for
// an error of their own type.
func Errors() []measure.Contender {
	err4 := echo4.NewHTTPError(http.StatusNotFound, "not found") // not wrapped, because v4 does not unwrap errors
	err5 := fmt.Errorf("loading user 1: %w", echo.NewHTTPError(http.StatusNotFound, "not found"))
	errHuma := fmt.Errorf("loading user 1: %w", huma.Error404NotFound("not found"))
	returns := func(err error) Handler { return func(http.ResponseWriter, *http.Request) error { return err } }
	sends := of(http.HandlerFunc(statusOnly))
	return append(ErrorsByHand(), []measure.Contender{
		{Name: "bare Gin", Handler: ginBare(sends)},
		{Name: "Gin c.Errors", Handler: ginEngine(func(c *gin.Context) { _ = c.Error(errWrapped) }, ginErrors), Base: "bare Gin"},
		{Name: "bare Echo v4", Handler: echo4Instance(sends)},
		{Name: "Echo v4 HTTPError", Handler: echo4Instance(returns(err4)), Base: "bare Echo v4"},
		{Name: "bare Echo v5", Handler: echo5Bare(sends)},
		{Name: "Echo v5 HTTPError", Handler: echo5Bare(returns(err5)), Base: "bare Echo v5"},
		{Name: "bare huma", Handler: inHuma(nil)},
		{Name: "huma StatusError", Handler: inHuma(errHuma), Base: "bare huma"},
	}...)
}

// ErrorsByHand returns the contenders of Errors that use only net/http.
func ErrorsByHand() []measure.Contender {
	return []measure.Contender{
		{Name: "bare", Handler: routed(http.HandlerFunc(statusOnly))},
		{Name: Floor, Handler: routed(http.HandlerFunc(chained))},
		{Name: Rules5, Handler: mapped(5, errmap.ProblemJSON)},
		{Name: Rules50, Handler: mapped(50, errmap.ProblemJSON)},
		{Name: Rules500, Handler: mapped(500, errmap.ProblemJSON)},
		{Name: Rules50 + ", ErrorJSON", Handler: mapped(50, errmap.ErrorJSON)},
	}
}

// InStack puts Bulwark's Recover around each contender, so that the exchange exists
// already.
func InStack(cs []measure.Contender) []measure.Contender {
	recovers := errmap.New(errmap.Config{}).Recover
	for i := range cs {
		cs[i].Handler = recovers(cs[i].Handler)
	}
	return cs
}
