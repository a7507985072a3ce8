// Command gin serves users with Gin, the engine wrapped whole.
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
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func main() { app.Main(service) }

func service(latency time.Duration) http.Handler {
	store := users.NewStore(latency)

	// What an error means to a client. What is not listed is a 500, and its
	// text stays in the log; deadlines, limits and bad JSON are known already.
	errs := errmap.New(errmap.Config{
		Render: errmap.ErrorJSON,
		Rules: []errmap.Rule{
			errmap.Is(users.ErrNotFound, errmap.Problem{Status: http.StatusNotFound, Title: "not found"}),
			errmap.Is(users.ErrBadID, errmap.Problem{Status: http.StatusBadRequest, Title: "invalid id"}),
			errmap.Is(users.ErrNotJSON, errmap.Problem{Status: http.StatusUnsupportedMediaType, Title: "not application/json"}),
			errmap.As(func(e *users.InvalidError) errmap.Problem {
				return errmap.Problem{Status: http.StatusUnprocessableEntity, Title: "invalid user", Fields: e.Fields}
			}),
		},
	})

	gin.SetMode(gin.ReleaseMode)
	engine := gin.New() // not Default: logging and recovery are outside
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

	stack := bulwark.Chain(
		logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(os.Stdout, nil))}),
		timeout.New(timeout.Config{Limit: 100 * time.Millisecond, ErrorHandler: errs.Write}),
		limits.New(limits.Config{MaxBodyBytes: 1 << 20, ErrorHandler: errs.Write}),
		errs.Recover,
	)
	return stack(engine)
}
