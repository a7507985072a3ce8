package quota_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/quota"
	"github.com/stretchr/testify/require"
)

// Over a real connection the refusal of a request reaches a client that is still
// sending the body, on HTTP/1 and HTTP/2.
func TestRefusalReachesTheClient(t *testing.T) {
	for _, tt := range []struct {
		desc string
		p    testhttp.Protocol
		body int
	}{
		{"HTTP/1", testhttp.HTTP1, 0},
		{"HTTP/1 and a body", testhttp.HTTP1, 100 << 10},
		{"HTTP/2", testhttp.HTTP2, 0},
		{"HTTP/2 and a body", testhttp.HTTP2, 100 << 10},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			errs := errmap.New(errmap.Config{})
			s := tt.p.StartUnencrypted(t, quota.New(quota.Config{
				Rate: quota.Rate{Requests: 1, Per: time.Hour}, ErrorHandler: errs.Write,
			})(http.HandlerFunc(ok)))
			for _, want := range []int{200, 429, 429} {
				res := s.Do(s.Request(t, http.MethodPost, "/", strings.NewReader(strings.Repeat("x", tt.body))))
				require.NoError(t, res.Err)
				require.Equal(t, want, res.Status)
				require.Equal(t, `"default";q=1;w=3600`, res.Header.Get("RateLimit-Policy"))
				if want == 429 {
					retry, err := strconv.Atoi(res.Header.Get("Retry-After"))
					require.NoError(t, err)
					require.InDelta(t, 3600, retry, 60)
					require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
					require.JSONEq(t, `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",
						"title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["default"]}`, res.Body)
				}
			}
		})
	}
}
