package quota_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/quota"
	"github.com/stretchr/testify/require"
)

var perMinute = quota.Rate{Requests: 3, Per: time.Minute}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

// ask sends one request from 192.0.2.1.
func ask(h http.Handler) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(b)
}

func TestNewNamesEveryBadField(t *testing.T) {
	require.PanicsWithValue(t, "quota: Rate.Requests must be positive; Rate.Per must be positive; Rate.Burst must not be negative; Name must be printable ASCII; MaxKeys must not be negative",
		func() { quota.New(quota.Config{Rate: quota.Rate{Burst: -1}, Name: "naïve", MaxKeys: -1}) })
	require.PanicsWithValue(t, "quota: Store must not be a nil *quota_test.shared; MaxKeys must not be negative",
		func() { quota.New(quota.Config{Rate: perMinute, Store: (*shared)(nil), MaxKeys: -1}) })
	require.PanicsWithValue(t, "quota: Name must be printable ASCII", func() { quota.New(quota.Config{Rate: perMinute, Name: "a\nb"}) })
	require.PanicsWithValue(t, "quota: ByAddress: the prefix of 10.0.0.0 has no valid length",
		func() { quota.ByAddress(netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 33)) })
}

func TestRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quota.New(quota.Config{Rate: perMinute})(http.HandlerFunc(ok))
		for _, want := range []string{`"default";r=2;t=20`, `"default";r=1;t=40`, `"default";r=0;t=60`} {
			res := ask(h)
			require.Equal(t, 200, res.StatusCode)
			require.Equal(t, want, res.Header.Get("RateLimit"))
			require.Equal(t, `"default";q=3;w=60`, res.Header.Get("RateLimit-Policy"))
			require.Empty(t, res.Header.Get("Retry-After"))
		}
		time.Sleep(500 * time.Millisecond)
		res := ask(h)
		require.Equal(t, 429, res.StatusCode)
		require.Equal(t, "Too Many Requests\n", body(t, res))
		require.Equal(t, "20", res.Header.Get("Retry-After"), "rounded up")
		require.Equal(t, `"default";r=0;t=20`, res.Header.Get("RateLimit"), "no later than Retry-After")

		time.Sleep(19*time.Second + 500*time.Millisecond - 1)
		require.Equal(t, 429, ask(h).StatusCode)
		time.Sleep(time.Nanosecond)
		require.Equal(t, 200, ask(h).StatusCode)
		require.Equal(t, 429, ask(h).StatusCode)
	})
}

// At no edge of a window does twice the rate get through.
func TestNoEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := quota.New(quota.Config{Rate: quota.Rate{Requests: 60, Per: time.Minute}})(http.HandlerFunc(ok))
		allowed := 0
		for range 2000 { // from 50 s on, over the minute's edge, to 70 s
			time.Sleep(10 * time.Millisecond)
			if ask(h).StatusCode == 200 {
				allowed++
			}
		}
		require.LessOrEqual(t, allowed, 60+20)
		require.GreaterOrEqual(t, allowed, 60+19)
	})
}

func TestHeaders(t *testing.T) {
	// Structured fields have integers of at most 15 digits (RFC 8941 section 3.3.1).
	largest := "999999999999999"
	largestLess := largest
	if strconv.IntSize == 32 {
		largest, largestLess = strconv.Itoa(math.MaxInt), strconv.Itoa(math.MaxInt-1)
	}
	for _, tt := range []struct {
		desc          string
		cfg           quota.Config
		policy, limit string
	}{
		{"a name to quote", quota.Config{Rate: perMinute, Name: `a "b\c"`}, `"a \"b\\c\"";q=3;w=60`, `"a \"b\\c\"";r=2;t=20`},
		{"Burst", quota.Config{Rate: quota.Rate{Requests: 3, Per: time.Minute, Burst: 7}}, `"default";q=3;w=60`, `"default";r=6;t=20`},
		{"less than a second", quota.Config{Rate: quota.Rate{Requests: 3, Per: time.Millisecond}}, `"default";q=3;w=1`, `"default";r=2;t=1`},
		{"a fraction of a second", quota.Config{Rate: quota.Rate{Requests: 3, Per: 1500 * time.Millisecond}}, `"default";q=3;w=2`, `"default";r=2;t=1`},
		{"the largest integer", quota.Config{Rate: quota.Rate{Requests: math.MaxInt, Per: time.Second}}, `"default";q=` + largest + `;w=1`, `"default";r=` + largestLess + `;t=1`},
		{"none", quota.Config{Rate: perMinute, NoHeaders: true}, "", ""},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			res := ask(quota.New(tt.cfg)(http.HandlerFunc(ok)))
			require.Equal(t, tt.policy, res.Header.Get("RateLimit-Policy"))
			require.Equal(t, tt.limit, res.Header.Get("RateLimit"))
		})
	}
}

// fixed is a Store that always returns the same result.
type fixed struct {
	res quota.Result
	err error
}

func (f fixed) Take(context.Context, string, int, quota.Rate) (quota.Result, error) {
	return f.res, f.err
}

// If a Store returns nonsense, a client does not see it:
// https://github.com/alisaifee/flask-limiter/issues/56.
func TestNonsenseFromAStore(t *testing.T) {
	for _, tt := range []struct {
		desc         string
		res          quota.Result
		status       int
		retry, limit string
	}{
		{"negative times", quota.Result{RetryAfter: -time.Second, ResetAfter: -time.Hour, Remaining: -4}, 429, "", `"default";r=0;t=0`},
		{"less than a second", quota.Result{RetryAfter: 1, ResetAfter: time.Hour}, 429, "1", `"default";r=0;t=1`},
		{"reset before retry", quota.Result{RetryAfter: time.Minute, ResetAfter: time.Second}, 429, "60", `"default";r=0;t=1`},
		{"the longest time", quota.Result{RetryAfter: 1<<63 - 1, ResetAfter: 1<<63 - 1}, 429, "9223372037", `"default";r=0;t=9223372037`},
		{"a wait although allowed", quota.Result{Allowed: true, RetryAfter: time.Minute, Remaining: 1}, 200, "", `"default";r=1;t=0`},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			res := ask(quota.New(quota.Config{Rate: perMinute, Store: fixed{res: tt.res}})(http.HandlerFunc(ok)))
			require.Equal(t, tt.status, res.StatusCode)
			require.Equal(t, tt.retry, res.Header.Get("Retry-After"))
			require.Equal(t, tt.limit, res.Header.Get("RateLimit"))
		})
	}
}

func TestKeysAndCosts(t *testing.T) {
	cost := 2
	h := quota.New(quota.Config{
		Rate: perMinute,
		Key:  func(r *http.Request) string { return r.Header.Get("Account") },
		Cost: func(*http.Request) int { return cost },
	})(http.HandlerFunc(ok))
	as := func(account string) *http.Response {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Account", account)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	for range 10 {
		res := as("")
		require.Equal(t, 200, res.StatusCode, "without a key it is not counted")
		require.NotContains(t, res.Header, "Ratelimit")
	}
	require.Equal(t, 200, as("a").StatusCode)
	require.Equal(t, 429, as("a").StatusCode)
	require.Equal(t, 200, as("b").StatusCode, "another key")

	cost = 4
	res := as("c")
	require.Equal(t, 429, res.StatusCode)
	require.Empty(t, res.Header.Get("Retry-After"), "waiting does not help")
	cost = -5
	for range 10 {
		require.Equal(t, 200, as("d").StatusCode)
	}
	cost = 3
	require.Equal(t, 200, as("d").StatusCode, "a negative cost is nothing")
	require.Equal(t, 429, as("d").StatusCode)
}

func TestByAddress(t *testing.T) {
	trusted := netip.MustParsePrefix("10.0.0.0/8")
	for _, tt := range []struct {
		desc, remote, xff, want string
	}{
		{"IPv4", "192.0.2.1:80", "", "192.0.2.1"},
		{"IPv4 mapped to IPv6", "[::ffff:192.0.2.1]:80", "", "192.0.2.1"},
		{"IPv6 by its /64", "[2001:db8:1:2:3:4:5:6]:80", "", "2001:db8:1:2::/64"},
		{"another address of the /64", "[2001:db8:1:2:ffff::1]:80", "", "2001:db8:1:2::/64"},
		{"a zone", "[fe80::1%eth0]:80", "", "fe80::/64"},
		{"a header that is not trusted", "192.0.2.1:80", "6.6.6.6", "192.0.2.1"}, // https://github.com/teamhanko/hanko/issues/2739
		{"a trusted proxy", "10.0.0.1:80", "6.6.6.6, 192.0.2.9", "192.0.2.9"},
		{"a trusted proxy, IPv6", "10.0.0.1:80", "2001:db8::77", "2001:db8::/64"},
		{"an empty last element", "10.0.0.1:80", "6.6.6.6,", "10.0.0.1"},
		{"no address", "@", "6.6.6.6", "unknown"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.remote
			r.Header.Set("X-Forwarded-For", tt.xff)
			require.Equal(t, tt.want, quota.ByAddress(trusted)(r))
		})
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:80"
	r.Header.Set("X-Forwarded-For", "192.0.2.9")
	r.Header.Set("Forwarded", "for=6.6.6.6")
	require.Equal(t, "10.0.0.1", quota.ByAddress(trusted)(r), "one of the headers is the client's")
}

func TestErrorHandler(t *testing.T) {
	var got error
	cfg := quota.Config{Rate: quota.Rate{Requests: 1, Per: time.Hour}, Name: "hourly"}
	cfg.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		got = err
		w.WriteHeader(http.StatusTeapot)
	}
	h := quota.New(cfg)(http.HandlerFunc(ok))
	ask(h)
	res := ask(h)
	require.Equal(t, http.StatusTeapot, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("Retry-After"))

	e, is := errors.AsType[*quota.Error](got)
	require.True(t, is)
	require.Equal(t, "hourly", e.Policy)
	require.Equal(t, 429, e.StatusCode())
	require.Greater(t, e.RetryAfter(), 59*time.Minute)
	require.NotContains(t, e.Error(), "192.0.2.1")
	require.Len(t, e.KeyHash, 16)
	require.Contains(t, e.Error(), e.KeyHash)
}

func TestErrorHandlerThatWritesNothing(t *testing.T) {
	cfg := quota.Config{Rate: quota.Rate{Requests: 1, Per: time.Hour}}
	cfg.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {}
	h := quota.New(cfg)(http.HandlerFunc(ok))
	ask(h)
	res := ask(h)
	require.Equal(t, 429, res.StatusCode)
	require.Equal(t, "Too Many Requests\n", body(t, res))
}

// records serves h behind logging and collects the records.
func records(h http.Handler) (http.Handler, func() []logging.Record) {
	var mu sync.Mutex
	var all []logging.Record
	log := logging.New(logging.Config{OnRecord: func(_ context.Context, rec logging.Record) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, rec)
	}})
	return log(h), func() []logging.Record {
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

func TestRefusalsAreInTheLogRecord(t *testing.T) {
	h, recs := records(quota.New(quota.Config{Rate: quota.Rate{Requests: 1, Per: time.Hour}, Name: "hourly"})(http.HandlerFunc(ok)))
	ask(h)
	ask(h)
	require.Equal(t, logging.Outcome("ok"), recs()[0].Outcome)
	rec := recs()[1]
	require.Equal(t, logging.Outcome("refused"), rec.Outcome)
	require.Equal(t, 429, rec.Status)
	e, is := errors.AsType[*quota.Error](rec.Cause)
	require.True(t, is)
	require.Equal(t, "hourly", e.Policy)
	require.NotContains(t, rec.Cause.Error(), "192.0.2.1")
}

func TestRouteStaysInTheLogRecord(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users/{id}", ok)
	h, recs := records(quota.New(quota.Config{Rate: perMinute})(mux))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/7", nil))
	require.Equal(t, "/users/{id}", recs()[0].Route)
}

func TestShadowRefusesNothing(t *testing.T) {
	h, recs := records(quota.New(quota.Config{Rate: quota.Rate{Requests: 1, Per: time.Hour}, Shadow: true})(http.HandlerFunc(ok)))
	for range 3 {
		res := ask(h)
		require.Equal(t, 200, res.StatusCode)
		require.NotContains(t, res.Header, "Ratelimit")
		require.NotContains(t, res.Header, "Retry-After")
	}
	for _, rec := range recs() {
		require.Equal(t, logging.Outcome("ok"), rec.Outcome)
		require.NoError(t, rec.Cause)
	}
}

func TestStoreThatFailsLetsRequestsPass(t *testing.T) {
	h, recs := records(quota.New(quota.Config{Rate: perMinute, Store: fixed{err: errors.New("away")}})(http.HandlerFunc(ok)))
	for range 10 {
		res := ask(h)
		require.Equal(t, 200, res.StatusCode)
		require.NotContains(t, res.Header, "Ratelimit")
	}
	require.Equal(t, logging.Outcome("ok"), recs()[0].Outcome)
}

// Remarks are in the log record.
func TestRemarksAreInTheLogRecord(t *testing.T) {
	for _, tt := range []struct {
		desc string
		cfg  quota.Config
		want string
	}{
		{"Shadow", quota.Config{Rate: quota.Rate{Requests: 1, Per: time.Hour}, Shadow: true}, "more than 1 per 1h0m0s"},
		{"a Store that fails", quota.Config{Rate: perMinute, Store: fixed{err: errors.New("the store is away")}}, "the store is away"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			lines := capture(t, quota.New(tt.cfg)(http.HandlerFunc(ok)), 2)
			require.Contains(t, lines, tt.want)
			require.NotContains(t, lines, `"outcome":"refused"`)
		})
	}
}

// shared records the keys that a Store is asked for.
type shared struct {
	quota.Store
	mu   sync.Mutex
	keys []string
}

func (s *shared) Take(ctx context.Context, key string, cost int, r quota.Rate) (quota.Result, error) {
	s.mu.Lock()
	s.keys = append(s.keys, key)
	s.mu.Unlock()
	return s.Store.Take(ctx, key, cost, r)
}

func TestKeysInASharedStore(t *testing.T) {
	long := strings.Repeat("x", 65)
	for _, tt := range []struct{ desc, name, key, want string }{
		{"an address", "", "192.0.2.1", "default:192.0.2.1"},
		{"a policy", "api", "a:b", "api:a:b"},
		{"a policy with a colon is no other one", "api:a", "b", "api%3Aa:b"},
		{"and none with a percent sign", "api%3Aa", "b", "api%253Aa:b"},
		{"the longest", "api", long[1:], "api:" + long[1:]},
		{"a long one", "api", long, "api:sha256:"},
		{"one that looks like a hash", "api", "sha256:00", "api:sha256:"},
		{"braces, which choose the node of a cluster", "api", "{a}", "api:sha256:"},
		{"a line break", "api", "a\r\nb", "api:sha256:"},
		{"no UTF-8", "api", "a\xff", "api:sha256:"},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			s := &shared{Store: quota.NewMemoryStore(0)}
			ask(quota.New(quota.Config{Rate: perMinute, Name: tt.name, Store: s, Key: func(*http.Request) string { return tt.key }})(http.HandlerFunc(ok)))
			require.Len(t, s.keys, 1)
			if prefix, isHash := strings.CutSuffix(tt.want[:min(len(tt.want), len("api:sha256:"))], "sha256:"); isHash {
				require.Regexp(t, "^"+prefix+"sha256:[0-9a-f]{64}$", s.keys[0])
				return
			}
			require.Equal(t, tt.want, s.keys[0])
		})
	}
}

// Hooks of the application may call the middleware, because no lock is held.
// https://github.com/sethvargo/go-limiter/issues/52
func TestHooksMayCallTheMiddleware(t *testing.T) {
	var h http.Handler
	depth := 0
	again := func() {
		if depth++; depth < 5 {
			ask(h)
		}
	}
	h = quota.New(quota.Config{
		Rate:         quota.Rate{Requests: 1, Per: time.Hour},
		Key:          func(*http.Request) string { again(); return "k" },
		Cost:         func(*http.Request) int { again(); return 1 },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { again() },
	})(http.HandlerFunc(ok))
	ask(h)
	require.Equal(t, 429, ask(h).StatusCode)
}

// A policy is complete before the first request can see it, however many come at the
// same time: https://github.com/mholt/caddy-ratelimit/issues/36.
func TestFirstRequestsAtTheSameTime(t *testing.T) {
	for range 50 {
		mw := quota.New(quota.Config{Rate: quota.Rate{Requests: 5, Per: time.Hour}})
		var mu sync.Mutex
		count := map[int]int{}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				status := ask(mw(http.HandlerFunc(ok))).StatusCode // frameworks call mw once a request
				mu.Lock()
				defer mu.Unlock()
				count[status]++
			})
		}
		all.Wait()
		require.Equal(t, map[int]int{200: 5, 429: 15}, count)
	}
}
