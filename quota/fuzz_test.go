package quota_test

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/quota"
)

// Without a trusted proxy only the connection determines the key. Behind one it is an
// address, a network, or "unknown".
func FuzzByAddress(f *testing.F) {
	f.Add("192.0.2.1:1234", "203.0.113.9")
	f.Add("[2001:db8::1]:80", "6.6.6.6, ")
	f.Add("@", "for=\"[2001:db8:cafe::17]:4711\"")
	f.Add("[fe80::1%eth0]:1", "::ffff:203.0.113.1")
	alone, proxied := quota.ByAddress(), quota.ByAddress(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0"), netip.Prefix{})
	f.Fuzz(func(t *testing.T, remote, forwarded string) {
		bare := &http.Request{RemoteAddr: remote, Header: http.Header{}}
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {forwarded}, "Forwarded": {forwarded}}}
		assert.Equal(t, alone(bare), alone(r), "a client chose its key")
		for _, key := range []string{alone(r), proxied(r)} {
			if key == "unknown" {
				continue
			}
			if p, err := netip.ParsePrefix(key); err == nil {
				assert.Equal(t, 64, p.Bits())
				assert.Equal(t, p.Masked(), p)
				continue
			}
			a, err := netip.ParseAddr(key)
			if assert.NoError(t, err) {
				assert.True(t, a.Is4(), key)
			}
		}
	})
}

// Any result of a store makes headers of RFC 9651 and a numeric Retry-After.
func FuzzFields(f *testing.F) {
	f.Add("default", 100, int64(time.Minute), 5, int64(time.Second), int64(time.Minute), true)
	f.Add(`a"b\c`, 1, int64(1), -1, int64(-1), int64(-1), false)
	f.Add("x", math.MaxInt, int64(1<<62), math.MaxInt, int64(1<<62), int64(1<<62), false)
	const sfString = `"(?:[ !#-\[\]-~]|\\["\\])*"`
	policy := regexp.MustCompile(`^` + sfString + `;q=\d{1,15};w=\d{1,15}$`)
	limit := regexp.MustCompile(`^` + sfString + `;r=\d{1,15};t=\d{1,15}$`)
	number := regexp.MustCompile(`^[1-9]\d*$`)
	f.Fuzz(func(t *testing.T, name string, requests int, per int64, remaining int, retry, reset int64, allowed bool) {
		mw, ok := middleware(quota.Config{
			Name: name, Rate: quota.Rate{Requests: requests, Per: time.Duration(per)},
			Store: says{Allowed: allowed, Remaining: remaining, RetryAfter: time.Duration(retry), ResetAfter: time.Duration(reset)},
		})
		if !ok {
			return // a name or a rate that New refuses
		}
		w := httptest.NewRecorder()
		mw(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		assert.Regexp(t, policy, w.Header().Get("RateLimit-Policy"))
		assert.Regexp(t, limit, w.Header().Get("RateLimit"))
		if after := w.Header().Get("Retry-After"); after != "" {
			assert.Regexp(t, number, after)
			assert.Equal(t, http.StatusTooManyRequests, w.Code)
		}
	})
}

// says is a store that always returns the same result.
type says quota.Result

func (s says) Take(context.Context, string, int, quota.Rate) (quota.Result, error) {
	return quota.Result(s), nil
}

func middleware(cfg quota.Config) (mw func(http.Handler) http.Handler, ok bool) {
	defer func() { _ = recover() }()
	return quota.New(cfg), true
}
