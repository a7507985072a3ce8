package migration_test

import (
	"encoding/json"
	"net/http"
)

func netHTTPBefore(mux *http.ServeMux) http.Handler {
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, r *http.Request) {
		var u User
		if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	return http.TimeoutHandler(http.MaxBytesHandler(mux, maxBody), limit, "too slow")
}

func netHTTPAfter(mux *http.ServeMux) http.Handler {
	mux.Handle("POST /users", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		var u User
		if err := json.NewDecoder(r.Body).Decode(&u); err != nil {
			return err
		}
		w.WriteHeader(http.StatusCreated)
		return nil
	}))
	return stack(mux)
}
