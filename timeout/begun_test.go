package timeout_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/bulwarktest"
	"github.com/bulwark-go/bulwark/timeout"
)

// inTime is a limit within which a handler has begun its response even on a busy
// machine.
const inTime = 3 * limit

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// begun are responses that have started and whose handler does not return.
var begun = []struct {
	desc, method string
	begin        func(http.ResponseWriter)
}{
	{"flushed", "GET", func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "part")
		flush(w)
	}},
	{"head flushed", "GET", func(w http.ResponseWriter) { flush(w) }},
	{"unflushed", "GET", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "part") }},
	{"only WriteHeader", "GET", func(w http.ResponseWriter) { w.WriteHeader(http.StatusCreated) }},
	{"declared, half written", "GET", func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "8")
		_, _ = io.WriteString(w, "part")
	}},
	{"declared, half written and flushed", "GET", func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "8")
		_, _ = io.WriteString(w, "part")
		flush(w)
	}},
	{"an error response", "GET", func(w http.ResponseWriter) { http.Error(w, "not found", http.StatusNotFound) }},
}

// complete are responses that are complete although their handler does not return.
var complete = []struct {
	desc, method string
	begin        func(http.ResponseWriter)
	want         string
}{
	{"declared and wholly written", "GET", func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "part")
	}, "part"},
	{"HEAD", "HEAD", func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }, ""},
	{"204", "GET", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, ""},
	{"304", "GET", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotModified) }, ""},
}

// A complete response is not aborted. The client has all of it by the deadline. If
// the handler runs on HTTP/2's goroutine, the stream can only be reset, but the client
// has the response.
func TestCompleteResponseIsNotAborted(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range complete {
			for _, returns := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, returns %v", tc.desc, returns), func(t *testing.T) {
					t.Parallel()
					stuck := make(chan struct{})
					s := v.start(t, timeout.New(timeout.Config{Limit: inTime})(http.HandlerFunc(
						func(w http.ResponseWriter, r *http.Request) {
							tc.begin(w)
							<-r.Context().Done()
							_, _ = io.WriteString(w, "the rest")
							if !returns {
								<-stuck
							}
						})))
					defer close(stuck)
					g := s.Do(s.Request(t, tc.method, "/", http.NoBody))
					if v.desc != "HTTP/2 in place" || returns {
						require.NoError(t, g.Err)
					}
					assert.Equal(t, tc.want, g.Body)
					assert.Less(t, g.Took, soon, "only the client's patience ended it")
				})
			}
		}
	})
}

// A response that has started is aborted at the deadline, while the handler is still
// stuck. It never looks complete, and no other response is appended to it.
//
// Reported elsewhere: answers glued together, concurrent map writes, https://github.com/gin-contrib/timeout/issues/15
func TestStartedResponseIsAborted(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range begun {
			t.Run(tc.desc, func(t *testing.T) {
				t.Parallel()
				stuck := make(chan struct{})
				s := v.start(t, timeout.New(timeout.Config{Limit: inTime})(http.HandlerFunc(
					func(w http.ResponseWriter, _ *http.Request) {
						tc.begin(w)
						<-stuck
					})))
				defer close(stuck)
				assertBroken(t, s.Do(s.Request(t, tc.method, "/", http.NoBody)))
			})
		}
	})
}

func assertBroken(t *testing.T, g bulwarktest.Result) {
	t.Helper()
	assert.Error(t, g.Err, "a clean end: %+v", g)
	assert.GreaterOrEqual(t, g.Took, inTime)
	assert.Less(t, g.Took, soon, "only the client's patience ended it")
	assert.NotEqual(t, http.StatusGatewayTimeout, g.Status)
	assert.NotContains(t, g.Body, "Timeout", "an answer glued to a response")
}

// The same with a handler that returns normally, and a recovery outside that recovers
// http.ErrAbortHandler and would respond.
func TestStartedResponseIsAbortedUnderRecovery(t *testing.T) {
	everywhere(t, func(t *testing.T, v variant) {
		for _, tc := range begun {
			t.Run(tc.desc, func(t *testing.T) {
				t.Parallel()
				s := v.start(t, recovered(timeout.New(timeout.Config{Limit: inTime})(http.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request) {
						tc.begin(w)
						<-r.Context().Done()
						_, _ = io.WriteString(w, "the rest")
					}))))
				g := s.Do(s.Request(t, tc.method, "/", http.NoBody))
				assertBroken(t, g)
				assert.NotContains(t, g.Body, "recovered")
				assert.NotContains(t, g.Body, "rest")
			})
		}
	})
}

// If only the end of the connection ends the body, an aborted response ends in a
// reset.
func TestAbortedResponseWithoutLength(t *testing.T) {
	for _, tc := range []struct {
		desc  string
		begin func(http.ResponseWriter)
	}{
		{"flushed", begun[0].begin},
		{"unflushed", begun[2].begin},
	} {
		for _, stuck := range []bool{true, false} {
			desc := map[bool]string{true: tc.desc + ", stuck", false: tc.desc + ", returns"}[stuck]
			t.Run(desc, func(t *testing.T) {
				release := make(chan struct{})
				s := variants[0].start(t, timeout.New(timeout.Config{Limit: inTime})(http.HandlerFunc(
					func(w http.ResponseWriter, r *http.Request) {
						tc.begin(w)
						<-r.Context().Done()
						if stuck {
							<-release
						}
					})))
				defer close(release)
				c := s.Dial(t)
				c.SendLines(t, "GET / HTTP/1.0", "Host: test", "")
				_, _, err := c.Receive(http.MethodGet)
				require.Error(t, err, "a clean end")
				assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "only the client's patience ended it")
			})
		}
	}
}
