//go:build unix

package main_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	workers = 8
	each    = 40 // users that a worker creates
)

// load is a number of clients that create users and look them up. They retry what fails,
// with the same key.
type load struct {
	p       *process
	prefix  string
	drained atomic.Bool // no new requests, as after a load balancer has drained it
	created atomic.Int64
	done    sync.WaitGroup

	mu      sync.Mutex
	users   map[string]string // by key, where it is
	replies map[reply]int     // other than those of users
	errs    []error
}

func start(p *process, prefix string) *load {
	l := &load{p: p, prefix: prefix, users: map[string]string{}, replies: map[reply]int{}}
	for w := range workers {
		l.done.Go(func() {
			for i := range each {
				l.user(fmt.Sprintf("%s-%d-%d", prefix, w, i))
			}
		})
	}
	return l
}

// user creates one and looks it up.
func (l *load) user(key string) {
	path := ""
	l.until(func() bool {
		a, err := l.p.create(key, key+"@example.org")
		path = a.header.Get("Location")
		return l.saw(a, err, http.StatusCreated, path)
	})
	if path == "" {
		return
	}
	l.mu.Lock()
	l.users[key] = path
	l.mu.Unlock()
	l.created.Add(1)
	l.until(func() bool {
		a, err := l.p.do(l.p.request(http.MethodGet, path, ""))
		return l.saw(a, err, http.StatusOK, path)
	})
}

// until repeats the request after a while, like a client that got a Retry-After.
func (l *load) until(done func() bool) {
	for end := time.Now().Add(patience); !l.drained.Load() && !done() && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
}

// saw reports whether the response was the wanted one, of the user at path.
func (l *load) saw(a answer, err error, status int, path string) bool {
	if err == nil && a.status == status && a.body == `{"message":"User `+path[len("/users/"):]+`"}` {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errs = append(l.errs, err)
	} else {
		l.replies[a.reply]++
	}
	return false
}

// reach waits until n users have been created.
func (l *load) reach(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return l.created.Load() >= n }, patience, 5*time.Millisecond)
}

// failing waits until a client got that response.
func (l *load) failing(t *testing.T, r reply) {
	t.Helper()
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.replies[r] > 0
	}, patience, 5*time.Millisecond)
}

// end waits for the clients. Every request has a response, and only allowed ones have
// failed.
func (l *load) end(t *testing.T, allowed ...reply) {
	t.Helper()
	l.done.Wait()
	assert.Empty(t, l.errs)
	for r, n := range l.replies {
		assert.Contains(t, allowed, r, "%d times", n)
	}
}

// complete: all requested users exist, each of them once.
func (l *load) complete(t *testing.T, p *process) {
	t.Helper()
	for w := range workers {
		for i := range each {
			key := fmt.Sprintf("%s-%d-%d", l.prefix, w, i)
			path := p.mustCreate(t, key, key+"@example.org")
			if was, ok := l.users[key]; ok {
				require.Equal(t, was, path, "lost, or doubled")
			}
			l.users[key] = path
		}
	}
	distinct := map[string]bool{}
	for _, path := range l.users {
		distinct[path] = true
		require.Equal(t, 200, p.get(t, path).status)
	}
	assert.Len(t, distinct, workers*each)
}
