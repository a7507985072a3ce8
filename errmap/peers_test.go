package errmap_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/peers"
)

// What went wrong in the libraries that do this job today, and which test of
// ours, or which sentence of the documentation, stands against it.
//
//	E1   the error handler runs several times            TestOneRender
//	E2   three bodies in one response                    TestOneRender
//	E3   a response that was committed by another        TestCommittedByAnother
//	E4   a logger renders the error                      TestOneRender
//	E5   a logger renders the error                      TestOneRender
//	E6   a logger changes the error                      TestErrorIsNotChanged
//	E7   middleware sees 200                             TestStatusInMiddleware
//	E8   a wrapped HTTP error is not seen                TestWrappedHTTPError
//	E9   errors are not logged                           TestErrorIsLogged
//	E10  details of a 5xx go to the client               TestDetailsAndCause
//	E11  hooks get strings                               TestErrorIsNotChanged
//	E12  middleware cannot see the error                 TestStatusInMiddleware
//	E13  the renderer has no request                     TestRenderHasTheRequest
//	E14  a client that left is a 500                     TestClientGone
//	E15  no request id in the line                       TestLineHasTheID
//	E16  WWW-Authenticate with a message                 TestChallenge
//	E17  cancelled or too late                           TestCancelOrDeadline
//	E18  all 5xx are hidden                              TestDeliberate503
//	E19  an error in the middle of a download            TestErrorAfterFirstByte
//	E20  MaxBytesError lost by a decoder                 TestBodyErrorThatWasLost
//	E21  a decoder stops before the limit                "a decoder that stops before the end has seen no error to map"
//	E22  typed nils panic                                TestHostileTrees
//	E23  Unwrap returns nil                              TestUnwrapNil
//	E24  ErrAbortHandler is recovered                    TestAbortIsSeen
//	E25  500 into a WebSocket                            TestHijackedIsNeverWrittenTo
//	E26  the logger panics again                         "writes no log line"
//	E27  headers of outer middleware are lost            TestHeaders
//	E28  negotiation depends on the order                TestNegotiation
//	E29  nested extensions                               TestTopLevelExtensions
//	E30  cancelled requests with a stack                 TestCancelledIsNoPanic
//	E31  mapping by text                                 TestNotByText
//	E32  foreign status errors                           TestGRPCStatus
func TestPeersTable(t *testing.T) { peers.Check(t, "E", 1, 32) }

// E1, E2, E4, E5: however many middlewares hand the same error on, the client
// gets one answer and the line one cause.
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

// E3: what another middleware has answered already is left as it is.
func TestCommittedByAnother(t *testing.T) {
	s := newSpy()
	rec := serve(s.wrap(mapper().Handler(func(w http.ResponseWriter, _ *http.Request) error {
		http.Error(w, "theirs", http.StatusBadGateway)
		return errNotFound
	})), get())
	assert.Equal(t, "theirs\n", rec.Body.String())
	assert.ErrorIs(t, (<-s.ended).Cause, errNotFound)
}

// E6, E11: hooks and the log see the very error that was returned.
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

// E7, E12: the middleware outside sees the status of the wire, and the error.
func TestStatusInMiddleware(t *testing.T) {
	s := newSpy()
	serve(s.wrap(mapper(is(errNotFound, 404)).Handler(fails(errNotFound))), get())
	e := <-s.ended
	assert.Equal(t, 404, e.Status)
	assert.Equal(t, errNotFound, e.Cause)
}

// E8: an error with a status keeps it when it is wrapped.
func TestWrappedHTTPError(t *testing.T) {
	rec := serve(mapper().Handler(fails(fmt.Errorf("a: %w", fmt.Errorf("b: %w", &statusErr{status: 401})))), get())
	assert.Equal(t, 401, rec.Code)
}

// E9: an error is logged without anybody asking for it; without a log line it
// goes to the server's ErrorLog.
func TestErrorIsLogged(t *testing.T) {
	s := newSpy()
	serve(s.wrap(mapper().Handler(fails(errSecret))), get())
	assert.Equal(t, errSecret, (<-s.ended).Cause)

	for desc, h := range map[string]http.Handler{
		"error": mapper().Handler(fails(errSecret)),
		"cut":   mapper().Handler(after(200, 1, errSecret)),
		"panic": mapper().Recover(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(errSecret) })),
	} {
		var log logBuffer
		srv := httptest.NewUnstartedServer(h)
		srv.Config.ErrorLog = log.logger()
		srv.Start()
		res, err := srv.Client().Get(srv.URL + "/a%0Ab")
		if err == nil {
			res.Body.Close()
		}
		srv.Close()
		assert.Contains(t, log.String(), "hunter2", desc)
		assert.NotContains(t, log.String(), "/a\nb", desc)
	}
}

// E10: the details of a 5xx go to the log and not to the client.
func TestDetailsAndCause(t *testing.T) {
	for _, m := range []*errmap.Mapper{mapper(), errorJSON()} {
		s := newSpy()
		rec := serve(s.wrap(m.Handler(fails(errSecret))), get())
		assert.NotContains(t, rec.Body.String(), "hunter2")
		assert.Equal(t, errSecret, (<-s.ended).Cause)
	}
}

// E13: whoever makes the answer has the request and its context.
func TestRenderHasTheRequest(t *testing.T) {
	var got *exchange.Exchange
	m := errmap.New(errmap.Config{Render: func(w http.ResponseWriter, r *http.Request, p errmap.Problem) {
		got = exchange.From(r.Context())
		w.WriteHeader(p.Status)
	}})
	assert.Equal(t, 500, serve(m.Handler(fails(errSecret)), get()).Code)
	assert.NotNil(t, got)
}

// E15: the instance of a 5xx leads to the line: by the request's id where that
// is a UUID, else by an id of its own.
func TestLineHasTheID(t *testing.T) {
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

// E16: WWW-Authenticate is what the rule says and never a message.
func TestChallenge(t *testing.T) {
	p := errmap.Problem{Status: 401, Header: http.Header{"WWW-Authenticate": {`Bearer realm="x", error="invalid_token"`}}}
	rec := serve(mapper(errmap.Is(errSecret, p)).Handler(fails(errSecret)), get())
	assert.Equal(t, []string{`Bearer realm="x", error="invalid_token"`}, rec.Header()["Www-Authenticate"])
	rec = serve(mapper().Handler(fails(&statusErr{status: 401})), get())
	assert.Empty(t, rec.Header()["Www-Authenticate"])
}

// E17: network errors of a deadline, and a cancellation that came because of
// one, are a deadline.
func TestCancelOrDeadline(t *testing.T) {
	for _, err := range []error{
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		&net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded},
		&net.OpError{Op: "dial", Net: "tcp", Err: context.Canceled},
	} {
		assert.Equal(t, 504, mapper().Problem(deadlined(get()), err).Status, err)
	}
}

// E18: a 503 that somebody meant explains itself; hiding is no matter of class.
func TestDeliberate503(t *testing.T) {
	m := errorJSON(errmap.Is(errConflict, errmap.Problem{Status: 503, Detail: "back at noon"}))
	assert.Equal(t, `{"error":"back at noon"}`, serve(m.Handler(fails(errConflict)), get()).Body.String())
}

// E23: an Unwrap that returns nothing is the end of the tree.
func TestUnwrapNil(t *testing.T) {
	for _, err := range []error{&cycle{}, &bush{}, &bush{next: []error{nil, nil}}, fmt.Errorf("x: %w", error(nil))} {
		assert.Equal(t, 500, serve(mapper().Handler(fails(err)), get()).Code)
	}
	assert.Equal(t, 404, serve(mapper(is(errNotFound, 404)).Handler(fails(&bush{next: []error{nil, errNotFound}})), get()).Code)
}

// E24: a body that was broken off does not look whole.
func TestAbortIsSeen(t *testing.T) {
	h := mapper().Recover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	onBoth(t, h, func(t *testing.T, srv *httptest.Server) {
		res, err := srv.Client().Get(srv.URL)
		require.NoError(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		require.Error(t, err)
		assert.Equal(t, "half", string(b))
	})
}

// E29: extensions stand at the top.
func TestTopLevelExtensions(t *testing.T) {
	rec := serve(mapper().Handler(fails(&errmap.Problem{Status: 403, Extensions: map[string]any{"balance": 30}})), get())
	assert.Equal(t, `{"title":"Forbidden","status":403,"balance":30}`, rec.Body.String())
}

// E30: a request that was cancelled is no panic, has no stack, and is told from
// a failure by what the line says of the client.
func TestCancelledIsNoPanic(t *testing.T) {
	s := newSpy()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		serve(s.wrap(mapper().Handler(fails(context.Canceled))), get().WithContext(ctx))
	})
	e := <-s.ended
	assert.True(t, e.ClientGone)
	assert.Nil(t, e.Panic)
	assert.Empty(t, e.Stack)
}

// E31: the text of an error decides nothing.
func TestNotByText(t *testing.T) {
	for _, text := range []string{"not found", "context deadline exceeded", "http: request body too large", "401 unauthorized"} {
		rec := serve(errorJSON().Handler(fails(errors.New(text))), get())
		assert.Equal(t, 500, rec.Code)
		assert.Equal(t, `{"error":"internal"}`, rec.Body.String())
	}
}

// grpcErr is an error with gRPC's method; the type that it returns is not ours.
type (
	grpcErr    struct{ code int }
	grpcStatus struct{ code int }
)

func (e *grpcErr) Error() string           { return "rpc error" }
func (e *grpcErr) GRPCStatus() *grpcStatus { return &grpcStatus{e.code} }

// E32: a foreign status is not taken for ours, and one rule takes it.
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
