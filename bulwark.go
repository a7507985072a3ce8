package bulwark

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// Config configures [New]. Its zero value is ready for production.
type Config struct {
	// Logging configures package logging. Default: the defaults of package logging;
	// records go to slog.Default().
	Logging logging.Config

	// Timeout configures package timeout. Default of Limit: 30 s, or less if Max or
	// MaxCaller is less. Default of ErrorHandler: Errors.Write.
	Timeout timeout.Config

	// Limits configures package limits. If no limit is set, MaxBodyBytes is 1 MiB
	// and MinBodyRate is 500 bytes per second. If any limit is set, these defaults
	// do not apply. Default of ErrorHandler: Errors.Write.
	Limits limits.Config

	// Errors turns errors into responses, including panics and the errors of
	// Timeout and Limits. Default nil: errmap.New(errmap.Config{}), which has only
	// the built-in rules and responds with 500 if none matches.
	Errors *errmap.Mapper
}

// New returns the recommended middleware: logging around timeout around limits
// around Errors.Recover. Put it around the whole mux or router:
//
//	server := &http.Server{Handler: bulwark.New(bulwark.Config{})(mux)}
//
// Put your own middleware inside, between New's and the mux. New panics if cfg is
// wrong. The message names every bad field of every part.
func New(cfg Config) func(http.Handler) http.Handler {
	cfg = cfg.withDefaults()
	var wrong []string
	stack := Chain(
		part(&wrong, logging.New, cfg.Logging),
		part(&wrong, timeout.New, cfg.Timeout),
		part(&wrong, limits.New, cfg.Limits),
		cfg.Errors.Recover,
	)
	if wrong != nil {
		panic("bulwark: " + strings.Join(wrong, "; "))
	}
	return stack
}

func (c Config) withDefaults() Config {
	if c.Errors == nil {
		c.Errors = errmap.New(errmap.Config{})
	}
	if c.Timeout.Limit == 0 {
		c.Timeout.Limit = 30 * time.Second
		for _, ceiling := range []time.Duration{c.Timeout.Max, c.Timeout.MaxCaller} {
			if ceiling > 0 {
				c.Timeout.Limit = min(c.Timeout.Limit, ceiling)
			}
		}
	}
	if c.Timeout.ErrorHandler == nil {
		c.Timeout.ErrorHandler = c.Errors.Write
	}
	if limitsNothing(c.Limits) {
		c.Limits.MaxBodyBytes, c.Limits.MinBodyRate = 1<<20, 500
	}
	if c.Limits.ErrorHandler == nil {
		c.Limits.ErrorHandler = c.Errors.Write
	}
	return c
}

// limitsNothing reports whether every limit is zero. Fields that only modify
// limits, such as Shadow, may be set.
func limitsNothing(c limits.Config) bool {
	return c.MaxBodyBytes == 0 && c.MaxDecodedBytes == 0 && c.MinBodyRate == 0 &&
		c.MaxURIBytes == 0 && c.MaxHeaderBytes == 0 && c.MaxHeaderFields == 0 && c.MaxInFlight == 0
}

// part returns newPart(cfg). If newPart panics, part adds the message to wrong. So
// the mistakes in all parts are reported at once.
func part[C any](wrong *[]string, newPart func(C) func(http.Handler) http.Handler, cfg C) (mw func(http.Handler) http.Handler) {
	defer func() {
		if v := recover(); v != nil {
			*wrong = append(*wrong, fmt.Sprint(v))
			mw = func(h http.Handler) http.Handler { return h }
		}
	}()
	return newPart(cfg)
}

// Chain composes middleware: the first is the outermost, so
// Chain(a, b)(h) is a(b(h)). Chain() returns the handler unchanged.
// It panics if a middleware is nil. It copies mws.
//
// "Ordering" in the package comment says what depends on the order.
func Chain(mws ...func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	mws = slices.Clone(mws)
	for i, mw := range mws {
		if mw == nil {
			panic("bulwark: Chain: middleware " + strconv.Itoa(i) + " is nil")
		}
	}
	return func(h http.Handler) http.Handler {
		for _, mw := range slices.Backward(mws) {
			h = mw(h)
		}
		return h
	}
}
