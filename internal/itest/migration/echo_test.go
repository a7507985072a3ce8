package migration_test

import (
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
)

func echoBefore(e *echo.Echo) http.Handler {
	e.Logger = slog.Default()
	e.Use(
		middleware.RequestID(),
		middleware.RequestLogger(),
		middleware.Recover(),
		middleware.ContextTimeout(limit),
		middleware.BodyLimit(maxBody),
	)
	e.POST("/users", func(c *echo.Context) error {
		var u User
		if err := c.Bind(&u); err != nil {
			return err
		}
		return c.NoContent(http.StatusCreated)
	})
	return e
}

func echoAfter(e *echo.Echo) http.Handler {
	e.HTTPErrorHandler = bulwarkecho.ErrorHandler(errs)
	e.Use(bulwarkecho.Route)
	e.POST("/users", func(c *echo.Context) error {
		var u User
		if err := c.Bind(&u); err != nil {
			return err
		}
		return c.NoContent(http.StatusCreated)
	})
	return stack(e)
}
