package handlers

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
)

var errNotReady = errors.New("shutting down")

// Health answers those who ask whether to restart the service (/livez) and
// whether to send it requests (/readyz).
type Health struct {
	Ping   func(context.Context) error // of the store
	ending atomic.Bool
}

// End makes the service not ready, for good.
func (h *Health) End() { h.ending.Store(true) }

// live depends on nothing: a restart would not bring the database back.
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
