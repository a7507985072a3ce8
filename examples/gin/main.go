// Command gin serves users with Gin. The stack is around the whole engine.
//
//	curl -i localhost:8080/users/123
//	curl -i localhost:8080/users -H 'Content-Type: application/json' -d '{"name":"Ada","email":"ada@example.org"}'
package main

import (
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
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

	gin.SetMode(gin.ReleaseMode)
	engine := gin.New() // not gin.Default: the stack logs and recovers
	engine.HandleMethodNotAllowed = true
	engine.Use(bulwarkgin.Errors(errs))
	engine.GET("/users/:id", bulwarkgin.Handler(func(c *gin.Context) error {
		user, err := store.Get(c.Request.Context(), c.Param("id"))
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, user)
		return nil
	}))
	engine.POST("/users", bulwarkgin.Handler(func(c *gin.Context) error {
		input, err := users.Decode(c.Request)
		if err != nil {
			return err
		}
		user, err := store.Create(c.Request.Context(), input)
		if err != nil {
			return err
		}
		c.Header("Location", "/users/"+user.ID)
		c.JSON(http.StatusCreated, user)
		return nil
	}))

	stack := bulwark.New(bulwark.Config{
		Logging: logging.Config{Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil))},
		Timeout: timeout.Config{Limit: limit},
		Errors:  errs,
	})
	return stack(engine)
}
