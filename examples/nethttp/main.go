// Command nethttp serves users with only net/http and Bulwark.
//
//	curl -i localhost:8080/users/123
//	curl -i localhost:8080/users -H 'Content-Type: application/json' -d '{"name":"Ada","email":"ada@example.org"}'
package main

import (
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/examples/internal/app"
	"github.com/bulwark-go/bulwark/examples/internal/users"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func main() { app.Main(service) }

func service(latency, limit time.Duration) http.Handler {
	store := users.NewStore(latency)

	// The responses for errors. Any other error is a 500, and its text is only
	// logged. There are built-in rules for deadlines, limits and bad JSON.
	errs := errmap.New(errmap.Config{
		Render: errmap.ErrorJSON,
		Rules: []errmap.Rule{
			errmap.Is(users.ErrNotFound, errmap.Problem{Status: http.StatusNotFound, Detail: "not found"}),
			errmap.Is(users.ErrBadID, errmap.Problem{Status: http.StatusBadRequest, Detail: "invalid id"}),
			errmap.As(func(e *users.InvalidError) errmap.Problem {
				return errmap.Problem{Status: http.StatusUnprocessableEntity, Detail: "invalid user", Fields: e.Fields}
			}),
		},
	})

	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		user, err := store.Get(r.Context(), r.PathValue("id"))
		if err != nil {
			return err
		}
		return reply(w, http.StatusOK, user)
	}))
	mux.Handle("POST /users", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		input, err := users.Decode(r)
		if err != nil {
			return err
		}
		user, err := store.Create(r.Context(), input)
		if err != nil {
			return err
		}
		w.Header().Set("Location", "/users/"+user.ID)
		return reply(w, http.StatusCreated, user)
	}))

	stack := bulwark.New(bulwark.Config{
		Logging: logging.Config{Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil))},
		Timeout: timeout.Config{Limit: limit},
		Errors:  errs,
	})
	return stack(mux)
}

func reply(w http.ResponseWriter, status int, user users.User) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err := w.Write(user.JSON())
	return err
}
