// Package handlers is the service's HTTP API.
package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/examples/service/internal/domain"
)

// Users returns users.
type Users interface {
	User(ctx context.Context, id int64) (domain.User, error)
}

// Creator stores new users, one for each key.
type Creator interface {
	Create(ctx context.Context, key string, n domain.NewUser) (domain.User, error)
}

// Reputation asks the third party.
type Reputation interface {
	Score(ctx context.Context, email string) (float64, error)
}

// API is what the handlers need. If Reputation is nil, its route does not exist.
type API struct {
	Users      Users
	Creator    Creator
	Reputation Reputation
}

// routes returns the API without middleware.
func (a API) routes(errs *errmap.Mapper) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /users/{id}", errs.Handler(a.get))
	mux.Handle("POST /users", errs.Handler(a.create))
	if a.Reputation != nil {
		mux.Handle("GET /users/{id}/reputation", errs.Handler(a.reputation))
	}
	return mux
}

func (a API) get(w http.ResponseWriter, r *http.Request) error {
	user, err := a.user(r)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, message{user.ID})
}

func (a API) create(w http.ResponseWriter, r *http.Request) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	input, err := decode(r)
	if err != nil {
		return err
	}
	user, err := a.Creator.Create(r.Context(), key, input)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/users/"+strconv.FormatInt(user.ID, 10))
	return reply(w, http.StatusCreated, message{user.ID})
}

func (a API) reputation(w http.ResponseWriter, r *http.Request) error {
	user, err := a.user(r)
	if err != nil {
		return err
	}
	score, err := a.Reputation.Score(r.Context(), user.Email)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, map[string]float64{"score": score})
}

func (a API) user(r *http.Request) (domain.User, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return domain.User{}, fmt.Errorf("%w: %q", errBadID, r.PathValue("id"))
	}
	return a.Users.User(r.Context(), id)
}

// message is the representation of a user for clients.
type message struct{ id int64 }

// MarshalJSON returns {"message":"User 123"}.
func (m message) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"message": "User " + strconv.FormatInt(m.id, 10)})
}

func reply(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}
