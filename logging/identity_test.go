package logging_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/logging"
)

const uuid7 = `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`

// Reported elsewhere: X-Request-Id is not checked, https://github.com/goadesign/goa/issues/621
func TestInboundRequestIDIsChecked(t *testing.T) {
	for _, tt := range []struct {
		desc     string
		in       []string
		taken    bool
		upstream any
	}{
		{"none", nil, false, nil},
		{"clean", []string{"abc-DEF_1.2:3/4+5"}, true, nil},
		{"128 long", []string{strings.Repeat("a", 128)}, true, nil},
		{"129 long", []string{strings.Repeat("a", 129)}, false, strings.Repeat("a", 129)},
		{"a space", []string{"a b"}, false, "a b"},
		{"a newline", []string{"a\nlevel=ERROR"}, false, `a\nlevel=ERROR`},
		{"an escape sequence", []string{"\x1b[2J"}, false, `\x1b[2J`},
		{"two", []string{"one", "two"}, false, "one"},
		{"empty", []string{""}, false, nil},
		{"markup", []string{"<script>"}, false, "<script>"},
		{"huge", []string{strings.Repeat("é", 1<<20)}, false, strings.Repeat("é", 510) + "…"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			if tt.in != nil {
				r.Header["X-Request-Id"] = tt.in
			}
			var inside, published string
			m, w := serve(t, logging.Config{}, r, func(_ http.ResponseWriter, r *http.Request) {
				inside = logging.RequestID(r.Context())
				published = exchange.From(r.Context()).ID()
			})
			if tt.taken {
				require.Equal(t, tt.in[0], m["request_id"])
			} else {
				require.Regexp(t, uuid7, m["request_id"])
			}
			require.Equal(t, tt.upstream, m["request_id_upstream"])
			require.Equal(t, m["request_id"], w.Header().Get("X-Request-Id"))
			require.Equal(t, m["request_id"], inside)
			require.Equal(t, m["request_id"], published)
		})
	}
}

func TestTheRequestIDHeaderCanBeAnother(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Correlation-Id", "abc")
	m, w := serve(t, logging.Config{RequestIDHeader: "x-correlation-id"}, r, func(http.ResponseWriter, *http.Request) {})
	require.Equal(t, "abc", m["request_id"])
	require.Equal(t, "abc", w.Header().Get("X-Correlation-Id"))
}

func TestTraceparent(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, tt := range []struct {
		desc string
		in   []string
		ok   bool
	}{
		{"sampled", []string{"00-" + id + "-" + span + "-01"}, true},
		{"not sampled", []string{"00-" + id + "-" + span + "-00"}, true},
		{"a later version", []string{"cc-" + id + "-" + span + "-01"}, true},
		{"a later version with more", []string{"cc-" + id + "-" + span + "-01-what-the-future-brings"}, true},
		{"a later version run on", []string{"cc-" + id + "-" + span + "-01x"}, false},
		{"version 00 with more", []string{"00-" + id + "-" + span + "-01-x"}, false},
		{"version ff", []string{"ff-" + id + "-" + span + "-01"}, false},
		{"upper case", []string{"00-" + strings.ToUpper(id) + "-" + span + "-01"}, false},
		{"zeros for a trace", []string{"00-" + strings.Repeat("0", 32) + "-" + span + "-01"}, false},
		{"zeros for a span", []string{"00-" + id + "-" + strings.Repeat("0", 16) + "-01"}, false},
		{"too short", []string{"00-" + id + "-" + span + "-0"}, false},
		{"two of them", []string{"00-" + id + "-" + span + "-01", "00-" + id + "-" + span + "-01"}, false},
		{"wrong separators", []string{"00_" + id + "_" + span + "_01"}, false},
		{"empty", []string{""}, false},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Traceparent"] = tt.in
			m, _ := serve(t, logging.Config{}, r, func(http.ResponseWriter, *http.Request) {})
			if tt.ok {
				require.Equal(t, id, m["trace_id"])
				require.Equal(t, span, m["span_id"])
			} else {
				require.NotContains(t, m, "trace_id")
				require.NotContains(t, m, "span_id")
			}
		})
	}
}

// Package clientaddr has the table of what a header may contain. Here its address is
// logged.
//
// Reported elsewhere: X-Forwarded-For is believed, https://github.com/gin-gonic/gin/issues/2473
func TestClientAddressIsNotSpoofed(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct {
		desc       string
		remote     string
		xff, fwd   []string
		trusted    []netip.Prefix
		want, peer any
	}{
		{"no proxy is trusted by default", "10.0.0.1:1", []string{"1.2.3.4"}, nil, nil, "10.0.0.1", nil},
		{"an untrusted peer", "9.9.9.9:1", []string{"1.2.3.4"}, []string{"for=1.2.3.4"}, trusted, "9.9.9.9", nil},
		{"through two proxies", "10.0.0.1:1", []string{"6.6.6.6, 1.2.3.4, 10.0.0.2"}, nil, trusted, "1.2.3.4", "10.0.0.1"},
		{"Forwarded", "10.0.0.1:1", nil, []string{`for=6.6.6.6, For="[2001:db8::1]:47";proto=http`}, trusted, "2001:db8::1", "10.0.0.1"},
		{"both and they do not agree", "10.0.0.1:1", []string{"1.2.3.4"}, []string{"for=6.6.6.6"}, trusted, "10.0.0.1", nil},
		{"no address", "proxy", nil, nil, nil, nil, nil},
		{"a Unix socket", "@", []string{"1.2.3.4"}, nil, trusted, nil, nil},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.remote
			if tt.xff != nil {
				r.Header["X-Forwarded-For"] = tt.xff
			}
			if tt.fwd != nil {
				r.Header["Forwarded"] = tt.fwd
			}
			m, _ := serve(t, logging.Config{TrustedProxies: tt.trusted}, r, func(http.ResponseWriter, *http.Request) {})
			require.Equal(t, tt.want, m["client.address"])
			require.Equal(t, tt.peer, m["network.peer.address"])
		})
	}
}
