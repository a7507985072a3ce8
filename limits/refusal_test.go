package limits_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
)

// If ErrorHandler writes nothing, the client gets the default response.
func TestRefusalIsAnswered(t *testing.T) {
	for _, tc := range []struct {
		desc   string
		answer func(http.ResponseWriter, *http.Request, error)
		status int
		body   string
	}{
		{"nothing", func(http.ResponseWriter, *http.Request, error) {}, 413, "Request Entity Too Large\n"},
		{"a status", func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(400) }, 400, ""},
		{"a body", func(w http.ResponseWriter, _ *http.Request, _ error) { _, _ = io.WriteString(w, "mine") }, 200, "mine"},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			mw := limits.New(limits.Config{MaxBodyBytes: 5, ErrorHandler: tc.answer})
			s := testhttp.HTTP1.Start(t, mw(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler ran") })))
			res, err := s.Client().Post(s.URL, "text/plain", strings.NewReader("too large"))
			require.NoError(t, err)
			defer res.Body.Close()
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			assert.Equal(t, tc.status, res.StatusCode)
			assert.Equal(t, tc.body, string(b))
		})
	}
}
