package migration_test

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/bulwark-go/bulwark/errmap"
)

//nolint:staticcheck // deprecated, and what services have
func echoV4Before(e *echo.Echo) http.Handler {
	e.Use(
		middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: limit}),
		middleware.RequestID(),
		middleware.RequestLogger(),
		middleware.Recover(),
		middleware.BodyLimit("64KiB"),
	)
	return e
}

func echoV4After(e *echo.Echo) http.Handler {
	errs := errs.With(errmap.As(func(e *echo.HTTPError) errmap.Problem { return errmap.Problem{Status: e.Code} }))
	e.HTTPErrorHandler = echoV4ErrorHandler(errs)
	e.Use(echoV4Route)
	return stack(e)
}

func echoV4ErrorHandler(errs *errmap.Mapper) echo.HTTPErrorHandler {
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			errs.Note(c.Request(), err)
			return
		}
		errs.Write(c.Response(), c.Request(), err)
	}
}

func echoV4Route(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Request().Pattern = c.Path()
		c.Response().Header() // the hint to look at it
		return next(c)
	}
}

// echoV4Users is the route, which stays as it is.
func echoV4Users(c echo.Context) error {
	var u User
	if err := c.Bind(&u); err != nil {
		return err
	}
	return c.NoContent(http.StatusCreated)
}
