package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checker reports values that are out of range. A setting that already has an error
// is not reported again.
type checker struct {
	bad      map[string]bool
	problems []error
}

func (c Config) check(bad map[string]bool) []error {
	k := &checker{bad: bad}
	k.addr("http.addr", c.HTTP.Addr)
	within(k, "http.read_header_timeout", c.HTTP.ReadHeaderTimeout, 100*time.Millisecond, time.Minute)
	within(k, "http.idle_timeout", c.HTTP.IdleTimeout, time.Second, time.Hour)
	if c.Debug.Addr != "" {
		k.addr("debug.addr", c.Debug.Addr)
		k.thatf("debug.addr", loopback(c.Debug.Addr), "must be on a loopback address")
	}
	within(k, "request.timeout", c.Request.Timeout, 10*time.Millisecond, 5*time.Minute)
	within(k, "request.max_body_bytes", c.Request.MaxBodyBytes, 1, 1<<30)
	within(k, "request.max_in_flight", c.Request.MaxInFlight, 1, 1_000_000)
	within(k, "request.max_queue", c.Request.MaxQueue, 0, 1_000_000)
	within(k, "quota.requests", c.Quota.Requests, 1, 1_000_000)
	within(k, "quota.per", c.Quota.Per, time.Millisecond, 24*time.Hour)
	within(k, "quota.burst", c.Quota.Burst, 1, 1_000_000)
	_, err := c.Quota.Trusted()
	k.thatf("quota.trusted_proxies", err == nil, "must be comma-separated prefixes such as 10.0.0.0/8: %q", c.Quota.TrustedProxies)
	within(k, "quota.replicas", c.Quota.Replicas, 1, 10_000)
	within(k, "quota.timeout", c.Quota.Timeout, time.Millisecond, time.Minute)
	k.url("database.url", c.Database.URL, "sqlite", "postgres", "postgresql")
	within(k, "database.max_conns", c.Database.MaxConns, 1, 10_000)
	if c.Cache.URL != "" {
		k.url("cache.url", c.Cache.URL, "redis", "rediss")
	}
	within(k, "cache.share", c.Cache.Share, 0.01, 0.9)
	within(k, "cache.ttl", c.Cache.TTL, time.Second, 24*time.Hour)
	if c.Reputation.URL != "" {
		k.url("reputation.url", c.Reputation.URL, "http", "https")
	}
	within(k, "reputation.timeout", c.Reputation.Timeout, 10*time.Millisecond, time.Minute)
	within(k, "reputation.retries", c.Reputation.Retries, 0, 10)
	within(k, "reputation.max_response_bytes", c.Reputation.MaxResponseBytes, 1, 1<<30)
	within(k, "shutdown.delay", c.Shutdown.Delay, 0, time.Minute)
	within(k, "shutdown.timeout", c.Shutdown.Timeout, 100*time.Millisecond, 5*time.Minute)
	return k.problems
}

func (k *checker) thatf(key string, ok bool, format string, args ...any) {
	if ok || k.bad[key] {
		return
	}
	k.bad[key] = true // report each setting once
	k.problems = append(k.problems, fmt.Errorf(key+" "+format, args...))
}

// within reports v if it is not between low and high. NaN is not.
func within[T cmp.Ordered](k *checker, key string, v, low, high T) {
	k.thatf(key, v >= low && v <= high, "must be between %v and %v: %v", low, high, v)
}

func (k *checker) addr(key, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	k.thatf(key, err == nil, "must be HOST:PORT or :PORT, with a numeric port: %q", addr)
}

func loopback(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// url reports an invalid URL. The report contains neither the value nor the error
// of url.Parse, because both may contain the password.
func (k *checker) url(key string, s Secret, schemes ...string) {
	u, err := url.Parse(s.Reveal())
	ok := err == nil && slices.Contains(schemes, u.Scheme) && (u.Host != "" || u.Scheme == "sqlite" && u.Opaque+u.Path != "")
	k.thatf(key, ok, "must be a URL that begins with %s:", strings.Join(schemes, ": or "))
}
