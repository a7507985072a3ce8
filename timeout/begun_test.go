package timeout_test

import (
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/timeout"
)

// inTime is a limit within which a handler has begun its response also on a
// machine that is short of time.
const inTime = 3 * limit

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }

// begun are responses whose handler does not come to an end.
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
	{"declared and wholly written", "GET", func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "4")
		_, _ = io.WriteString(w, "part")
	}},
	{"an error response", "GET", func(w http.ResponseWriter) { http.Error(w, "not found", http.StatusNotFound) }},
	{"HEAD", "HEAD", func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) }},
	{"204", "GET", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }},
	{"304", "GET", func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotModified) }},
}

// A response that had begun when the deadline passed breaks off at the client,
// at the deadline and while the handler is still stuck. It never ends cleanly,
// nor with an answer glued to it.
func TestBegunResponseBreaksOff(t *testing.T) {
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
				assertBroken(t, s.do(t, s.request(t, tc.method, http.NoBody)))
			})
		}
	})
}

func assertBroken(t *testing.T, g got) {
	t.Helper()
	assert.Error(t, g.err, "a clean end: %+v", g)
	assert.GreaterOrEqual(t, g.took, inTime)
	assert.Less(t, g.took, watchdog/2, "only the client's patience ended it")
	assert.NotEqual(t, http.StatusGatewayTimeout, g.status)
	assert.NotContains(t, g.body, "Timeout", "an answer glued to a response")
}

// The same with a handler that returns as if nothing had happened, and a
// recovery outside that swallows the abort and would answer in its place.
func TestBegunResponseBreaksOffUnderRecovery(t *testing.T) {
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
				g := s.do(t, s.request(t, tc.method, http.NoBody))
				assertBroken(t, g)
				assert.NotContains(t, g.body, "recovered")
				assert.NotContains(t, g.body, "rest")
			})
		}
	})
}

// Where only the end of the connection ends the body, a broken transfer is one
// that ends in a reset.
func TestBegunResponseUntilClose(t *testing.T) {
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
				c := s.dial(t)
				c.send(t, "GET / HTTP/1.0", "Host: test", "")
				_, _, err := c.response(t, http.MethodGet)
				require.Error(t, err, "a clean end")
				assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "only the client's patience ended it")
			})
		}
	}
}
