package logging_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// passed calls target on behalf of a request and returns the header of the call.
func passed(t *testing.T, cfg logging.TransportConfig, target string, with http.Header) http.Header {
	t.Helper()
	var got http.Header
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Base = stubBase(func(r *http.Request) (*http.Response, error) {
		got = r.Header
		return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
	})
	rt := logging.NewTransport(cfg)
	in := httptest.NewRequest("GET", "/", nil)
	in.Header = with
	logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequestWithContext(r.Context(), "GET", target, nil)
		assert.NoError(t, err)
		_, err = rt.RoundTrip(out)
		assert.NoError(t, err)
	})).ServeHTTP(httptest.NewRecorder(), in)
	return got
}

// The ids of a request are passed only to hosts inside unless PassIDs says otherwise.
func TestIDsStayInside(t *testing.T) {
	for _, tc := range []struct {
		host string
		want bool
	}{
		{"127.0.0.1:8080", true},
		{"[::1]", true},
		{"10.1.2.3", true},
		{"192.168.0.1", true},
		{"172.16.0.1:80", true},
		{"[fd00::1]", true},
		{"[::ffff:10.0.0.1]", true},
		{"localhost:80", true},
		{"users", true},
		{"USERS.Internal", true},
		{"users.internal.", true},
		{"printer.local", true},
		{"users.default.svc", true},
		{"users.default.svc.cluster.local", true},
		{"nas.home.arpa", true},
		{"a.test", true},
		{"api.example.com", false},
		{"example.com.", false},
		{"internal.example.com", false},
		{"notinternal", true},
		{"evilinternal.com", false},
		{"internal.", true},
		{"8.8.8.8", false},
		{"[2001:db8::1]", false},
		{"169.254.169.254", false}, // of a cloud's provider
		{"2130706433", false},      // an address to some resolvers
		{"0x7f000001", false},
		{"127.1", false},
	} {
		t.Run(tc.host, func(t *testing.T) {
			h := passed(t, logging.TransportConfig{}, "http://"+tc.host+"/", http.Header{"Traceparent": {parent}, "Tracestate": {"a=b"}})
			assert.Equal(t, tc.want, h.Get("X-Request-Id") != "")
			assert.Equal(t, tc.want, h.Get("Traceparent") != "")
			assert.Equal(t, tc.want, h.Get("Tracestate") != "")
		})
	}
}

func TestPassIDsDecides(t *testing.T) {
	mine := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Hostname(), ".example.com") }
	assert.NotEmpty(t, passed(t, logging.TransportConfig{PassIDs: mine}, "https://api.example.com/", http.Header{}).Get("X-Request-Id"))
	assert.Empty(t, passed(t, logging.TransportConfig{PassIDs: mine}, "http://127.0.0.1/", http.Header{}).Get("X-Request-Id"))
}

// A redirect to a host outside is a call without the ids.
func TestIDsDoNotFollowARedirectOutside(t *testing.T) {
	asked := map[string]string{}
	rt := logging.NewTransport(logging.TransportConfig{
		Logger: slog.New(slog.DiscardHandler),
		Base: stubBase(func(r *http.Request) (*http.Response, error) {
			asked[r.URL.Hostname()] = r.Header.Get("X-Request-Id")
			if r.URL.Hostname() == "users" {
				return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"https://example.com/"}}, Body: http.NoBody}, nil
			}
			return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
		}),
	})
	logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler)})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		out, _ := http.NewRequestWithContext(r.Context(), "GET", "http://users/", nil)
		_, err := (&http.Client{Transport: rt}).Do(out)
		assert.NoError(t, err)
	})).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	assert.NotEmpty(t, asked["users"])
	assert.Contains(t, asked, "example.com")
	assert.Empty(t, asked["example.com"])
}

func TestTraceContextPassedOn(t *testing.T) {
	long := "long=" + strings.Repeat("x", 200)
	many := strings.TrimSuffix(strings.Repeat("k=v,", 100), ",")
	for _, tc := range []struct {
		desc, parent string
		state        []string
		want         string
		wantState    string
	}{
		{"as it came", parent, []string{"a=b,c=d"}, parent, "a=b,c=d"},
		{"on several lines", parent, []string{"a=b", "c=d"}, parent, "a=b,c=d"},
		{"a later version", "cc" + parent[2:] + "-what-comes-later", []string{"a=b"}, parent, "a=b"},
		{"a later version's flags", "cc" + parent[2:53] + "fe", nil, parent[:53] + "00", ""},
		{"no traceparent", "", []string{"a=b"}, "", ""},
		{"long members go first", parent, []string{long + ",a=b," + long, long, "c=d"}, parent, long + ",c=d"},
		{"too many", parent, []string{many}, parent, strings.TrimSuffix(strings.Repeat("k=v,", 32), ",")},
		{"not a list", parent, []string{"a=b, ,=,x,=y,z=,\u00e9=b,c=d"}, parent, "a=b,c=d"},
		{"one huge member", parent, []string{"a=" + strings.Repeat("x", 10000)}, parent, ""},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			in := http.Header{"Tracestate": tc.state}
			if tc.parent != "" {
				in.Set("Traceparent", tc.parent)
			}
			h := passed(t, logging.TransportConfig{}, "http://users/", in)
			assert.Equal(t, tc.want, h.Get("Traceparent"))
			if tc.desc == "long members go first" {
				assert.LessOrEqual(t, len(h.Get("Tracestate")), 512)
				assert.Contains(t, h.Get("Tracestate"), "c=d")
				assert.Contains(t, h.Get("Tracestate"), "a=b")
				return
			}
			assert.Equal(t, tc.wantState, h.Get("Tracestate"))
			assert.LessOrEqual(t, len(h["Tracestate"]), 1)
		})
	}
}

// A call that has its own ids keeps them.
func TestIDsOfTheCallStay(t *testing.T) {
	rt := logging.NewTransport(logging.TransportConfig{
		Logger: slog.New(slog.DiscardHandler),
		Base: stubBase(func(r *http.Request) (*http.Response, error) {
			assert.Equal(t, "mine", r.Header.Get("X-Request-Id"))
			return &http.Response{StatusCode: 204, Body: io.NopCloser(strings.NewReader(""))}, nil
		}),
	})
	r := &http.Request{URL: &url.URL{Scheme: "http", Host: "users"}, Header: http.Header{"X-Request-Id": {"mine"}}}
	res, err := rt.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
}
