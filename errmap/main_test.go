package errmap_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errNotFound = errors.New("store: user not found in shard 7")
	errConflict = errors.New("store: version conflict on row 4711")
	errSecret   = errors.New("dial tcp 10.0.0.7:5432: password=hunter2")
)

// fails is a handler that returns err at once.
func fails(err error) func(http.ResponseWriter, *http.Request) error {
	return func(http.ResponseWriter, *http.Request) error { return err }
}

// serve runs h on a recorder.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

func get(header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/users/1", nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// post is a request with a body.
func post(contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/users", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

// spy is a middleware that sees how a request ended.
type spy struct {
	id    string
	ended chan exchange.Ending
}

func newSpy() *spy { return &spy{ended: make(chan exchange.Ending, 8)} }

func (s *spy) ID() string                                    { return s.id }
func (s *spy) Ended(_ *exchange.Exchange, e exchange.Ending) { s.ended <- e }
func (s *spy) Late(*exchange.Exchange, any, []byte)          {}

func (s *spy) wrap(next http.Handler) http.Handler { return observed(s, next) }

// lateSpy also sees the panic of a handler that outlived its request.
type lateSpy struct {
	*spy
	late chan any
}

func (s lateSpy) Late(_ *exchange.Exchange, panicked any, _ []byte) { s.late <- panicked }
func (s lateSpy) wrap(next http.Handler) http.Handler               { return observed(s, next) }

func observed(o exchange.Observer, next http.Handler) http.Handler {
	return exchange.Func(next, func(x *exchange.Exchange, w http.ResponseWriter, r *http.Request) {
		x.Observe(o)
		next.ServeHTTP(w, r)
	})
}

func mapper(rules ...errmap.Rule) *errmap.Mapper { return errmap.New(errmap.Config{Rules: rules}) }

func errorJSON(rules ...errmap.Rule) *errmap.Mapper {
	return errmap.New(errmap.Config{Rules: rules, Render: errmap.ErrorJSON})
}

// deadlined returns r with a context whose deadline has passed.
func deadlined(r *http.Request) *http.Request {
	ctx, cancel := context.WithTimeout(r.Context(), 0)
	cancel()
	return r.WithContext(ctx)
}

// below returns r as a server passes it: only then does an aborted response panic.
func below(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, &http.Server{ReadHeaderTimeout: time.Second}))
}
