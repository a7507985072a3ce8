package migration_test

import (
	"net/http"

	gintimeout "github.com/gin-contrib/timeout"
	"github.com/gin-gonic/gin"

	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
)

func ginBefore(engine *gin.Engine) http.Handler {
	engine.Use(gin.Logger(), gin.Recovery()) // as gin.Default does
	engine.Use(gintimeout.New(gintimeout.WithTimeout(limit)))
	engine.POST("/users", func(c *gin.Context) {
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxBody)
		var u User
		if err := c.BindJSON(&u); err != nil {
			return // with 400
		}
		c.Status(http.StatusCreated)
	})
	return engine
}

func ginAfter(engine *gin.Engine) http.Handler {
	engine.Use(bulwarkgin.Errors(errs))
	engine.POST("/users", bulwarkgin.Handler(func(c *gin.Context) error {
		var u User
		if err := c.ShouldBindJSON(&u); err != nil {
			return err
		}
		c.Status(http.StatusCreated)
		return nil
	}))
	return stack(engine)
}
