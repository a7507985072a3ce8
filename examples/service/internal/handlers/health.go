package handlers

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
)

var errNotReady = errors.New("shutting down")

// Health serves /livez and /readyz. The platform restarts the service if /livez
// fails, and sends no requests to it while /readyz fails.
type Health struct {
	Ping   func(context.Context) error // of the store
	ending atomic.Bool
}

// End makes the service not ready. It stays so.
func (h *Health) End() { h.ending.Store(true) }

// live does not check the database, because a restart of the service would not
// repair the database.
func (h *Health) live(w http.ResponseWriter, _ *http.Request) error {
	return reply(w, http.StatusOK, map[string]string{"status": "alive"})
}

func (h *Health) ready(w http.ResponseWriter, r *http.Request) error {
	if h.ending.Load() {
		return errNotReady
	}
	if err := h.Ping(r.Context()); err != nil {
		return err
	}
	return reply(w, http.StatusOK, map[string]string{"status": "ready"})
}
