package errmap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// However many middlewares pass on the same error, the client gets one response and
// the log record one cause.
//
// Reported elsewhere:
//   - the error handler runs several times, https://github.com/labstack/echo/issues/1948
//   - three bodies in one response, https://github.com/zoriya/Kyoo/issues/1261
//   - a logger renders the error, https://github.com/ziflex/lecho/issues/15
//   - a logger renders the error, https://github.com/samber/slog-fiber/issues/26
func TestOneRender(t *testing.T) {
	m := errorJSON(is(errNotFound, 404))
	s := newSpy()
	nosy := func(next func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
		return func(w http.ResponseWriter, r *http.Request) error {
			err := next(w, r)
			m.Write(w, r, err)
			return err
		}
	}
	rec := serve(s.wrap(m.Handler(nosy(nosy(nosy(fails(errNotFound)))))), get())
	assert.Equal(t, 404, rec.Code)
	assert.Equal(t, `{"error":"not found"}`, rec.Body.String())
	assert.Equal(t, errNotFound, (<-s.ended).Cause)
}

// A response that another middleware has written is not changed.
//
// Reported elsewhere: a response that other middleware committed, https://github.com/open-telemetry/opentelemetry-go-contrib/issues/7956
func TestCommittedByAnother(t *testing.T) {
	s := newSpy()
	rec := serve(s.wrap(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
		http.Error(w, "theirs", http.StatusBadGateway)
		return errNotFound
	})), get())
	assert.Equal(t, "theirs\n", rec.Body.String())
	assert.ErrorIs(t, (<-s.ended).Cause, errNotFound)
}

// Hooks and the log get the error that was returned, unchanged.
//
// Reported elsewhere:
//   - a logger changes the error, https://github.com/samber/slog-echo/issues/38
//   - hooks get strings, https://github.com/danielgtaylor/huma/issues/482
func TestErrorIsNotChanged(t *testing.T) {
	want := fmt.Errorf("x: %w", &statusErr{status: 404})
	s := newSpy()
	serve(s.wrap(mapper().Handler(fails(want))), get())
	assert.Same(t, want, (<-s.ended).Cause)
	var seen error
	m := mapper(errmap.As(func(e *statusErr) errmap.Problem { seen = e; return errmap.Problem{Status: 404} }))
	serve(m.Handler(fails(want)), get())
	assert.Same(t, errors.Unwrap(want), seen)
}

// Middleware outside sees the status that was sent, and the error.
//
// Reported elsewhere:
//   - middleware sees 200, https://github.com/labstack/echo/issues/1837
//   - middleware cannot see the error, https://github.com/danielgtaylor/huma/issues/260
func TestStatusInMiddleware(t *testing.T) {
	s := newSpy()
	serve(s.wrap(mapper(is(errNotFound, 404)).Handler(fails(errNotFound))), get())
	e := <-s.ended
	assert.Equal(t, 404, e.Status)
	assert.Equal(t, errNotFound, e.Cause)
}

// An error with a status keeps it when it is wrapped.
//
// Reported elsewhere: a wrapped HTTP error is not seen, https://github.com/labstack/echo/issues/2228
func TestWrappedHTTPError(t *testing.T) {
	rec := serve(mapper().Handler(fails(fmt.Errorf("a: %w", fmt.Errorf("b: %w", &statusErr{status: 401})))), get())
	assert.Equal(t, 401, rec.Code)
}

// Every error is in the log record or, if there is none, in the server's ErrorLog.
//
// Reported elsewhere: errors are not logged, https://github.com/labstack/echo/issues/2585
func TestErrorIsLogged(t *testing.T) {
	s := newSpy()
	serve(s.wrap(mapper().Handler(fails(errSecret))), get())
	assert.Equal(t, errSecret, (<-s.ended).Cause)

	for desc, h := range map[string]http.Handler{
		"error": mapper().Handler(fails(errSecret)),
		"cut":   mapper().Handler(after(200, 1, errSecret)),
		"panic": mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errSecret) })),
	} {
		s := testhttp.HTTP1.Start(t, h)
		s.Get(t, "/a%0Ab")
		s.Close()
		assert.Contains(t, s.Log.String(), "hunter2", desc)
		assert.NotContains(t, s.Log.String(), "/a\nb", desc)
	}
}

// The details of a 5xx go to the log and not to the client.
//
// Reported elsewhere: details of a 5xx go to the client, https://github.com/danielgtaylor/huma/issues/470
func TestDetailsAndCause(t *testing.T) {
	for _, m := range []*errmap.Mapper{mapper(), errorJSON()} {
		s := newSpy()
		rec := serve(s.wrap(m.Handler(fails(errSecret))), get())
		assert.NotContains(t, rec.Body.String(), "hunter2")
		assert.Equal(t, errSecret, (<-s.ended).Cause)
	}
}

// Render gets the request with its context.
//
// Reported elsewhere: the renderer has no request, https://github.com/danielgtaylor/huma/issues/564
func TestRenderHasTheRequest(t *testing.T) {
	var got *exchange.Exchange
	m := errmap.New(errmap.Config{Render: func(w http.ResponseWriter, r *http.Request, p errmap.Problem) {
		got = exchange.From(r.Context())
		w.WriteHeader(p.Status)
	}})
	assert.Equal(t, 500, serve(m.Handler(fails(errSecret)), get()).Code)
	assert.NotNil(t, got)
}

// The instance of a 5xx identifies the log record: by the request id if it is a UUID,
// otherwise by another UUID.
//
// Reported elsewhere: no request id in the line, https://github.com/go-fuego/fuego/issues/496
func TestInstanceIsInTheLogRecord(t *testing.T) {
	const uuid = "01890a5d-ac96-774b-bcce-b302099a8057"
	for id, own := range map[string]bool{uuid: false, "": true, "7f3a": true, uuid[:35] + "x": true, uuid[:8] + "0" + uuid[9:]: true} {
		s := newSpy()
		s.id = id
		rec := serve(s.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mapper().Write(w, r, errSecret)
		})), get())
		var doc struct {
			Instance string `json:"instance"`
		}
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
		e := <-s.ended
		if !own {
			assert.Equal(t, "urn:uuid:"+uuid, doc.Instance)
			assert.Empty(t, e.ProblemID)
			continue
		}
		assert.Equal(t, "urn:uuid:"+e.ProblemID, doc.Instance)
		assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, e.ProblemID)
	}
}

// WWW-Authenticate has what the rule says, never a message.
//
// Reported elsewhere: WWW-Authenticate with a message, https://github.com/grpc-ecosystem/grpc-gateway/issues/917
func TestChallenge(t *testing.T) {
	p := errmap.Problem{Status: 401, Header: http.Header{"WWW-Authenticate": {`Bearer realm="x", error="invalid_token"`}}}
	rec := serve(mapper(errmap.Is(errSecret, p)).Handler(fails(errSecret)), get())
	assert.Equal(t, []string{`Bearer realm="x", error="invalid_token"`}, rec.Header()["Www-Authenticate"])
	rec = serve(mapper().Handler(fails(&statusErr{status: 401})), get())
	assert.Empty(t, rec.Header()["Www-Authenticate"])
}

// A network error at a deadline, and a cancellation because of a deadline, count as a
// deadline.
//
// Reported elsewhere: a cancellation is taken for a deadline, or a deadline for one, https://github.com/connectrpc/connect-go/issues/745
func TestCancelOrDeadline(t *testing.T) {
	for _, err := range []error{
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded},
		&net.OpError{Op: "dial", Net: "tcp", Err: context.Canceled},
	} {
		assert.Equal(t, 504, mapper().Problem(deadlined(get()), err).Status, err)
	}
}

// A rule decides what a 503 shows: its details are not hidden because of its class.
//
// Reported elsewhere: all 5xx are hidden, https://github.com/goadesign/goa/issues/1070
func TestDeliberate503(t *testing.T) {
	m := errorJSON(errmap.Is(errConflict, errmap.Problem{Status: 503, Detail: "back at noon"}))
	assert.Equal(t, `{"error":"back at noon"}`, serve(m.Handler(fails(errConflict)), get()).Body.String())
}

// The tree ends at an Unwrap method that returns nil.
//
// Reported elsewhere: Unwrap returns nil, and the status is 200, https://github.com/stephnangue/warden/issues/412
func TestUnwrapNil(t *testing.T) {
	for _, err := range []error{&cycle{}, &bush{}, &bush{next: []error{nil, nil}}, fmt.Errorf("x: %w", error(nil))} {
		assert.Equal(t, 500, serve(mapper().Handler(fails(err)), get()).Code)
	}
	assert.Equal(t, 404, serve(mapper(is(errNotFound, 404)).Handler(fails(&bush{next: []error{nil, errNotFound}})), get()).Code)
}

// An aborted response does not look complete.
//
// Reported elsewhere: ErrAbortHandler is recovered, and the body looks whole, https://github.com/stacklok/toolhive/issues/4064
func TestAbortIsSeen(t *testing.T) {
	h := mapper().Recover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	testhttp.EachServer(t, h, func(t *testing.T, srv *testhttp.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.Error(t, err)
		assert.Equal(t, "half", string(b))
	})
}

// Extensions are top-level members.
//
// Reported elsewhere: extensions are nested, https://github.com/rluders/httpsuite/issues/12
func TestTopLevelExtensions(t *testing.T) {
	rec := serve(mapper().Handler(fails(&errmap.Problem{Status: 403, Extensions: map[string]any{"balance": 30}})), get())
	assert.Equal(t, `{"title":"Forbidden","status":403,"balance":30}`, rec.Body.String())
}

// A canceled request is not a panic and has no stack. Unless the client is proven to
// have disconnected, it gets a response.
//
// Reported elsewhere: canceled requests are logged as errors with a stack, https://github.com/aspnetboilerplate/aspnetboilerplate/issues/7210
func TestCanceledIsNotAPanic(t *testing.T) {
	s := newSpy()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	serve(s.wrap(mapper().Handler(fails(context.Canceled))), get().WithContext(ctx))
	e := <-s.ended
	assert.Equal(t, exchange.Error, e.Outcome)
	assert.Equal(t, http.StatusServiceUnavailable, e.Status)
	assert.Nil(t, e.Panic)
	assert.Empty(t, e.Stack)
}

// The text of an error does not matter.
func TestNotByText(t *testing.T) {
	for _, text := range []string{"not found", "context deadline exceeded", "http: request body too large", "401 unauthorized"} {
		rec := serve(errorJSON().Handler(fails(errors.New(text))), get())
		assert.Equal(t, 500, rec.Code)
		assert.Equal(t, `{"error":"internal"}`, rec.Body.String())
	}
}

// grpcErr is an error with gRPC's method, whose result has another type than ours.
type (
	grpcErr    struct{ code int }
	grpcStatus struct{ code int }
)

func (e *grpcErr) Error() string           { return "rpc error" }
func (e *grpcErr) GRPCStatus() *grpcStatus { return &grpcStatus{e.code} }

// The status of another protocol is not used as an HTTP status, and one rule maps it.
//
// Reported elsewhere: a gRPC status becomes a 500, https://github.com/zitadel/zitadel/issues/11786
func TestGRPCStatus(t *testing.T) {
	err := fmt.Errorf("x: %w", &grpcErr{5})
	assert.Equal(t, 500, mapper().Problem(get(), err).Status)
	m := mapper(errmap.As(func(e interface {
		error
		GRPCStatus() *grpcStatus
	}) errmap.Problem {
		return map[int]errmap.Problem{5: {Status: 404}}[e.GRPCStatus().code]
	}))
	assert.Equal(t, 404, m.Problem(get(), err).Status)
}
