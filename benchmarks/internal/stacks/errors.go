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

	// errWrapped is what the handler returns in each case, or what stands for it
	// where a framework has errors of its own.
	errWrapped = fmt.Errorf("loading user 1: %w", errNoUser)
)

func fails(http.ResponseWriter, *http.Request) error { return errWrapped }

// statusOnly does nothing with the error but to send its status.
func statusOnly(w http.ResponseWriter, r *http.Request) {
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

// ginErrors is the middleware of Gin's documentation, with the chain in it.
func ginErrors(c *gin.Context) {
	c.Next()
	if last := c.Errors.Last(); last != nil {
		status, message := chain(last.Err)
		c.JSON(status, gin.H{"error": message})
	}
}

func inHuma(err error) http.Handler {
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("users", "1"))
	huma.Get(api, "/", func(context.Context, *struct{}) (*struct{}, error) { return nil, err })
	return mux
}

// By tables of rules, of so many.
const (
	Rules5   = "Bulwark, 5 rules"
	Rules50  = "Bulwark, 50 rules"
	Rules500 = "Bulwark, 500 rules"
)

// Errors are all ways of making a response of an error that is wrapped once. Each
// framework stands there without an error too, since its router is not what is
// compared. Echo and huma map nothing: they
// look for an error of their own in what the handler returns.
func Errors() []measure.Contender {
	err4 := echo4.NewHTTPError(http.StatusNotFound, "not found") // as it is: v4 does not look for it under others
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

// ErrorsByHand are those of Errors on net/http alone.
func ErrorsByHand() []measure.Contender {
	return []measure.Contender{
		{Name: "bare", Handler: http.HandlerFunc(statusOnly)},
		{Name: Floor, Handler: http.HandlerFunc(chained)},
		{Name: Rules5, Handler: mapped(5, errmap.ProblemJSON)},
		{Name: Rules50, Handler: mapped(50, errmap.ProblemJSON)},
		{Name: Rules500, Handler: mapped(500, errmap.ProblemJSON)},
		{Name: Rules50 + ", ErrorJSON", Handler: mapped(50, errmap.ErrorJSON)},
	}
}

// InStack puts Bulwark's Recover around each, so that what its packages share is
// there already.
func InStack(cs []measure.Contender) []measure.Contender {
	recovers := errmap.New(errmap.Config{}).Recover
	for i := range cs {
		cs[i].Handler = recovers(cs[i].Handler)
	}
	return cs
}
