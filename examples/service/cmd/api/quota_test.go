//go:build unix

package main_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/examples/service/internal/servers"
)

var three = []string{"-quota.requests", "1", "-quota.per", "1h", "-quota.burst", "3"}

// from requests a user on behalf of the client, as a proxy would.
func (p *process) from(t *testing.T, client string) answer {
	t.Helper()
	req := p.request(http.MethodGet, "/users/123", "")
	req.Header.Set("X-Forwarded-For", client)
	a, err := p.do(req)
	require.NoError(t, err)
	return a
}

func TestClientThatAsksTooOften(t *testing.T) {
	p := serve(t, nil, three...)
	for range 3 {
		assert.Equal(t, 200, p.from(t, "192.0.2.1").status)
	}
	a := p.from(t, "192.0.2.2") // no proxy is trusted, so it is the same client
	assert.Equal(t, reply{429, `{"error":"Request cannot be satisfied as assigned quota has been exceeded"}`}, a.reply)
	assert.Equal(t, "3600", a.header.Get("Retry-After"))
	assert.Equal(t, `"client";q=1;w=3600`, a.header.Get("RateLimit-Policy"))
	assert.Equal(t, 200, p.get(t, "/livez").status, "the platform has no quota")
	l := p.await(t, func(l line) bool { return l.Outcome == "refused" })
	assert.Equal(t, 429, l.Status)
	p.stop(t)
}

// Two processes behind a proxy count together in Redis, and each client apart.
func TestClientOfTwoProcesses(t *testing.T) {
	environ := []string{"REDIS_URL=" + servers.Cache(t, 15)}
	args := append([]string{"-quota.trusted_proxies", "127.0.0.0/8, ::1/128", "-quota.timeout", "10s"}, three...)
	first, second := serve(t, environ, args...), serve(t, environ, args...)
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		allowed := 0
		for range 5 {
			for _, p := range []*process{first, second} {
				if p.from(t, client).status == 200 {
					allowed++
				}
			}
		}
		assert.Equal(t, 3, allowed, client)
	}
	first.stop(t)
	second.stop(t)
}

// If Redis is away no request fails: each process grants its share.
func TestQuotaWithoutItsRedis(t *testing.T) {
	p := serve(t, []string{"REDIS_URL=redis://127.0.0.1:1"}, append([]string{"-quota.replicas", "3"}, three...)...)
	assert.Equal(t, 200, p.from(t, "192.0.2.1").status)
	assert.Equal(t, 429, p.from(t, "192.0.2.1").status)
	p.stop(t)
}
