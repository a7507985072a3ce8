package logging_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

type valueKey struct{}

// seeing is a slog handler that looks for a value in the context of a record.
type seeing struct {
	slog.Handler
	saw *any
}

func (h seeing) Enabled(context.Context, slog.Level) bool { return true }

func (h seeing) Handle(ctx context.Context, _ slog.Record) error {
	*h.saw = ctx.Value(valueKey{})
	return nil
}

// The hooks and the slog handler see the values of the context that logging got, also
// if another of the packages is outside: a tracing middleware in between keeps its span
// in the context.
func TestValuesOfAMiddlewareInsideAnotherPackage(t *testing.T) {
	var started, ended, logged any
	tracing := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), valueKey{}, "span")))
		})
	}
	log := logging.New(logging.Config{
		Logger:   slog.New(seeing{slog.DiscardHandler, &logged}),
		OnStart:  func(ctx context.Context, _ logging.Record) { started = ctx.Value(valueKey{}) },
		OnRecord: func(ctx context.Context, _ logging.Record) { ended = ctx.Value(valueKey{}) },
	})
	h := timeout.New(timeout.Config{Limit: time.Minute})(tracing(log(http.NotFoundHandler())))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	assert.Equal(t, []any{"span", "span", "span"}, []any{started, ended, logged})
}
