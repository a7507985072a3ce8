package errmap_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/timeout"
)

// statusErr is an error like those of timeout, limits and Echo.
type statusErr struct {
	status int
	after  time.Duration
}

func (e *statusErr) Error() string             { return "secret text" }
func (e *statusErr) StatusCode() int           { return e.status }
func (e *statusErr) RetryAfter() time.Duration { return e.after }

// typedErr is an error like quota's.
type typedErr struct{ statusErr }

func (e *typedErr) ProblemType() string  { return "https://example.com/type" }
func (e *typedErr) ProblemTitle() string { return "The type's title" }
func (e *typedErr) ProblemExtensions() map[string]any {
	return map[string]any{"member": 1, "status": "forged"}
}

// An error that knows its problem type is shown with that type, without its text. Its
// extensions replace no member of the document.
func TestErrorWithAProblemType(t *testing.T) {
	err := fmt.Errorf("x: %w", &typedErr{statusErr{429, time.Second}})
	rec := serve(mapper().Handler(fails(err)), get())
	assert.Equal(t, 429, rec.Code)
	assert.Equal(t, "1", rec.Header().Get("Retry-After"))
	assert.JSONEq(t, `{"type":"https://example.com/type","title":"The type's title","status":429,"member":1}`, rec.Body.String())
}

// sdkTimeout is the error of a client library that got a 408.
type sdkTimeout struct{}

func (sdkTimeout) Error() string   { return "upstream says 408" }
func (sdkTimeout) StatusCode() int { return 408 }
func (sdkTimeout) Timeout() bool   { return true }

type notTimeout struct{}

func (notTimeout) Error() string { return "net error, no timeout" }
func (notTimeout) Timeout() bool { return false }

func remoteProblem(status int) error {
	return errmap.FromResponse(&http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(nil))})
}

func TestBuiltins(t *testing.T) {
	syntax := json.Unmarshal([]byte(`{"a":}`), new(map[string]int))
	typ := json.Unmarshal([]byte(`{"a":"x"}`), new(map[string]int))
	for _, tt := range []struct {
		desc string
		err  error
		want int
		code string
	}{
		{"a problem", &errmap.Problem{Status: 418}, 418, ""},
		{"a problem next to its cause", fmt.Errorf("%w: %w", &errmap.Problem{Status: 418}, errSecret), 418, ""},
		{"a remote problem", remoteProblem(404), 502, ""},
		{"a problem of ours about a remote one", errors.Join(remoteProblem(404), &errmap.Problem{Status: 404}), 404, ""},
		{"a remote deadline", errors.Join(context.DeadlineExceeded, remoteProblem(504)), 502, ""},
		{"a deadline", context.DeadlineExceeded, 504, "timeout"},
		{"a deadline of timeout's", &timeout.Error{Phase: timeout.PhaseHandler}, 504, "timeout"},
		{"waiting for the client", fmt.Errorf("read: %w", &timeout.Error{Phase: timeout.PhaseBody}), 408, "timeout"},
		{"an upstream's 408", sdkTimeout{}, 504, "timeout"},
		{"an i/o deadline", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, 504, "timeout"},
		{"a timeout", &url.Error{Op: "Get", Err: &net.DNSError{IsTimeout: true}}, 504, "timeout"},
		{"no timeout", notTimeout{}, 500, "internal"},
		{"our own cancellation", context.Canceled, 500, "internal"},
		{"too large", fmt.Errorf("bind: %w", &http.MaxBytesError{Limit: 1}), 413, ""},
		{"JSON syntax", syntax, 400, ""},
		{"JSON type", fmt.Errorf("bind: %w", typ), 400, ""},
		{"JSON into nothing is our mistake", &json.InvalidUnmarshalError{}, 500, "internal"},
		{"a status", fmt.Errorf("x: %w", &statusErr{status: 415}), 415, ""},
		{"a status of 500", &statusErr{status: 500}, 500, "internal"},
		{"no status", &statusErr{status: 200}, 500, "internal"},
		{"unknown", io.ErrUnexpectedEOF, 500, "internal"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			p := mapper().Problem(post("application/json", "{"), tt.err)
			assert.Equal(t, tt.want, p.Status)
			assert.Equal(t, tt.code, p.Code)
			assert.Empty(t, p.Detail+p.Title)
		})
	}
}

func TestCanceled(t *testing.T) {
	for _, tt := range []struct {
		desc string
		ctx  func(context.Context) (context.Context, context.CancelFunc)
		want int
	}{
		{"by us", context.WithCancel, 500},
		{"with time left", func(c context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(c, time.Hour)
		}, 500},
		{"the deadline has passed", func(c context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(c, 0) }, 504},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := get()
			ctx, cancel := tt.ctx(r.Context())
			defer cancel()
			assert.Equal(t, tt.want, mapper().Problem(r.WithContext(ctx), fmt.Errorf("query: %w", context.Canceled)).Status)
		})
	}
	assert.Contains(t, mapper().Explain(context.Canceled), "nothing is sent if the client left")
}

func TestRetryAfter(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0: "", -time.Second: "", time.Nanosecond: "1", time.Second: "1", 1500 * time.Millisecond: "2", time.Hour: "3600", 1<<63 - 1: "9223372037",
	} {
		rec := serve(mapper().Handler(fails(&statusErr{503, after})), get())
		assert.Equal(t, 503, rec.Code)
		assert.Equal(t, want, rec.Header().Get("Retry-After"), after)
		assert.NotContains(t, rec.Body.String(), "secret")
	}
}

// A decoder that loses the error of a limit cannot turn 413 into 400.
//
// Reported elsewhere: a decoder loses MaxBytesError, https://github.com/gin-gonic/gin/issues/4227
func TestBodyErrorThatWasLost(t *testing.T) {
	tooLarge := &http.MaxBytesError{Limit: 1}
	for _, tt := range []struct {
		desc string
		err  error
		want int
	}{
		{"lost", errors.New("unexpected end of input"), 413},
		{"lost in a 400 of the handler's", &errmap.Problem{Status: 400, Detail: "bad JSON"}, 413},
		{"lost in a 422 of a rule's", errConflict, 413},
		{"lost in a syntax error", json.Unmarshal([]byte("{"), new(int)), 413},
		{"not lost", tooLarge, 413},
		{"something else failed", errNotFound, 404},
		{"a panic of a rule", valueError{1}, 500},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			s := newSpy()
			m := mapper(is(errNotFound, 404), is(errConflict, 422),
				errmap.As(func(valueError) errmap.Problem { panic("boom") }))
			rec := serve(s.wrap(m.Handler(func(_ http.ResponseWriter, r *http.Request) error {
				exchange.From(r.Context()).Notes.SetBodyError(tooLarge)
				return tt.err
			})), post("application/json", "{"))
			assert.Equal(t, tt.want, rec.Code)
			e := <-s.ended
			assert.ErrorIs(t, e.Cause, tt.err)
		})
	}
	m := mapper(errmap.As(func(*http.MaxBytesError) errmap.Problem { return errmap.Problem{Status: 413, Detail: "at most 1 MiB"} }))
	rec := serve(m.Handler(func(_ http.ResponseWriter, r *http.Request) error {
		exchange.From(r.Context()).Notes.SetBodyError(tooLarge)
		return errSecret
	}), post("application/json", "{"))
	assert.Contains(t, rec.Body.String(), "at most 1 MiB", "the user's rule for it counts")
}

func urlError() error {
	_, err := url.PathUnescape("%zz")
	return &url.Error{Op: "parse", URL: "http://x/%zz", Err: err}
}

func errMessageTooLarge() error { return multipart.ErrMessageTooLarge }

// timeoutError is the error of a read deadline of another connection.
type timeoutError struct{}

func (timeoutError) Error() string   { return "read tcp 10.0.0.7:5432: i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
