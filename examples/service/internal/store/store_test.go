//go:build unix

package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
	"github.com/bulwark-go/bulwark/examples/service/internal/servers"
	"github.com/bulwark-go/bulwark/examples/service/internal/store"
)

// watchdog ends a test that hangs. Nothing is expected to take nearly as long.
const watchdog = 30 * time.Second

// each runs a test on an empty database of each kind.
func each(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, "sqlite:"+filepath.Join(t.TempDir(), "users.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, servers.Database(t)) })
}

func open(t *testing.T, url string) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, 4)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

var (
	ada = domain.NewUser{Name: "Ada", Email: "ada@example.com"}
	bob = domain.NewUser{Name: "Bob", Email: "bob@example.com"}
)

func TestCreate(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := open(t, url)
		created, err := s.Create(t.Context(), "one", ada)
		require.NoError(t, err)
		assert.Positive(t, created.ID)
		for _, tc := range []struct {
			desc string
			key  string
			user domain.NewUser
			want error
		}{
			{"again", "one", ada, nil},
			{"another user", "one", bob, domain.ErrKeyReused},
			{"another name", "one", domain.NewUser{Name: "Eve", Email: ada.Email}, domain.ErrKeyReused},
			{"another key", "two", ada, domain.ErrEmailTaken},
			{"no key", "", ada, domain.ErrEmailTaken},
		} {
			t.Run(tc.desc, func(t *testing.T) {
				u, err := s.Create(t.Context(), tc.key, tc.user)
				require.ErrorIs(t, err, tc.want)
				if err == nil {
					assert.Equal(t, created, u)
				}
			})
		}
		for _, email := range []string{"c@example.com", "d@example.com"} { // users without a key have no key in common
			_, err := s.Create(t.Context(), "", domain.NewUser{Name: "C", Email: email})
			require.NoError(t, err)
		}
		found, err := s.User(t.Context(), created.ID)
		require.NoError(t, err)
		assert.Equal(t, domain.User{ID: created.ID, Name: ada.Name, Email: ada.Email}, found)
		_, err = s.User(t.Context(), 1<<40)
		assert.ErrorIs(t, err, domain.ErrNotFound)
	})
}

// TestCreateTogether: concurrent requests with the same key create one user.
func TestCreateTogether(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := open(t, url)
		var ids sync.Map
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				u, err := s.Create(t.Context(), "key", ada)
				assert.NoError(t, err)
				ids.Store(u.ID, true)
			})
		}
		all.Wait()
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		assert.Equal(t, 1, n)
	})
}

// TestOpen: what is stored is there when the database is opened again.
func TestOpen(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		first, err := store.Open(t.Context(), url, 4)
		require.NoError(t, err)
		u, err := first.Create(t.Context(), "", ada)
		require.NoError(t, err)
		first.Close()
		again := open(t, url)
		require.NoError(t, again.Ping(t.Context()))
		_, err = again.User(t.Context(), u.ID)
		assert.NoError(t, err)
	})
}

// TestOpenTogether: of replicas that start at the same time on an empty database one
// migrates. (SQLite is for one process.)
func TestOpenTogether(t *testing.T) {
	url := servers.Database(t)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			s, err := store.Open(t.Context(), url, 4)
			if assert.NoError(t, err) {
				s.Close()
			}
		})
	}
	all.Wait()
}

func TestOpenFails(t *testing.T) {
	for _, url := range []string{
		"postgres://svc:hunter2@127.0.0.1:1/db",
		"postgres://svc:hunter2@127.0.0.1:no/db",
		"postgres://svc:hunter2@127.0.0.1/db?sslmode=maybe",
		"sqlite:/nonexistent/users.db",
	} {
		_, err := store.Open(t.Context(), url, 4)
		require.Error(t, err, url)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestContext(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		s := open(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.User(ctx, 1)
		require.ErrorIs(t, err, context.Canceled)
		_, err = s.Create(ctx, "key", ada)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, s.Ping(ctx), context.Canceled)
		_, err = s.Create(t.Context(), "key", ada)
		assert.NoError(t, err)
	})
}

// lookUp looks up a user until cancel is called.
func lookUp(t *testing.T, s store.Store, id int64) (cancel func(), ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	result := make(chan error, 1)
	go func() {
		_, err := s.User(ctx, id)
		result <- err
	}()
	return cancel, result
}

// TestQueryEnds: a lookup that takes too long is canceled in PostgreSQL as well.
func TestQueryEnds(t *testing.T) {
	url := servers.Database(t)
	s := open(t, url)
	u, err := s.Create(t.Context(), "", ada)
	require.NoError(t, err)
	running := servers.SlowUsers(t, url)
	cancel, ended := lookUp(t, s, u.ID)
	require.Eventually(t, running(1), watchdog, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Eventually(t, running(0), watchdog, 10*time.Millisecond)
}

// TestCloseWithoutAnAnswer: a process that shuts down does not wait for a server
// that does not accept the cancellation of a query.
func TestCloseWithoutAnAnswer(t *testing.T) {
	server := servers.Postgres(t)
	url := servers.Schema(t, server.URL)
	s, err := store.Open(t.Context(), url, 4)
	require.NoError(t, err)
	u, err := s.Create(t.Context(), "", ada)
	require.NoError(t, err)
	running := servers.SlowUsers(t, url)
	cancel, ended := lookUp(t, s, u.ID)
	require.Eventually(t, running(1), watchdog, 10*time.Millisecond)

	server.Pause() // only the process that accepts connections
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.Close()
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second): // pgx waits for 15
		t.Error("Close does not end")
	}
	server.Resume()
	require.Eventually(t, running(0), watchdog, 10*time.Millisecond)
	<-closed
}

// TestUnavailable: errors while PostgreSQL is away say so, and it works again without
// a restart.
func TestUnavailable(t *testing.T) {
	server := servers.Postgres(t)
	s := open(t, servers.Schema(t, server.URL))
	u, err := s.Create(t.Context(), "key", ada)
	require.NoError(t, err)

	server.Kill()
	for i := range 3 {
		_, err = s.User(t.Context(), u.ID)
		require.ErrorIs(t, err, domain.ErrUnavailable, fmt.Sprint(i))
	}
	_, err = s.Create(t.Context(), "key", ada)
	require.ErrorIs(t, err, domain.ErrUnavailable)
	require.ErrorIs(t, s.Ping(t.Context()), domain.ErrUnavailable)

	require.NoError(t, server.Start())
	again, err := s.Create(t.Context(), "key", ada)
	require.NoError(t, err)
	assert.Equal(t, u, again)
}
