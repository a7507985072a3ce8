package migration_test

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httplog/v3"
)

func chiBefore(router chi.Router) http.Handler {
	router.Use(
		middleware.RequestID,
		httplog.RequestLogger(slog.Default(), &httplog.Options{Schema: httplog.SchemaOTEL, RecoverPanics: true}),
		middleware.Throttle(100),
		middleware.Timeout(limit),
		middleware.RequestSize(maxBody),
	)
	router.Post("/users", func(w http.ResponseWriter, r *http.Request) {
		var u User
		if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	return router
}

func chiAfter(router chi.Router) http.Handler {
	router.Method("POST", "/users", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		var u User
		if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
			return err
		}
		w.WriteHeader(http.StatusCreated)
		return nil
	}))
	return stack(router)
}
