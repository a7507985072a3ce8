package bulwarkgin_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
)

var errNotFound = errors.New("no such user")

// table stands for an *errmap.Mapper, which this package does not import.
type table struct{}

func (table) Write(w http.ResponseWriter, _ *http.Request, err error) {
	if errors.Is(err, errNotFound) {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	http.Error(w, "internal", http.StatusInternalServerError)
}

func (table) Note(_ *http.Request, err error) { fmt.Println("noted:", err) }

// get prints what a client sees.
func get(h http.Handler, path string) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", path, http.NoBody))
	fmt.Println(rec.Code, rec.Body)
}

// Handlers return their errors, and the mapper responds.
func ExampleErrors() {
	engine := gin.New()
	engine.Use(bulwarkgin.Errors(table{}))
	engine.GET("/users/:id", bulwarkgin.Handler(func(c *gin.Context) error {
		if c.Param("id") != "123" {
			return fmt.Errorf("user %s: %w", c.Param("id"), errNotFound)
		}
		c.JSON(http.StatusOK, gin.H{"message": "User 123"})
		return nil
	}))

	get(engine, "/users/123")
	get(engine, "/users/124")
	// Output:
	// 200 {"message":"User 123"}
	// 404 not found
}

// If the handler has written a response, it stays, and the error is only logged.
func ExampleErrors_answered() {
	engine := gin.New()
	engine.Use(bulwarkgin.Errors(table{}))
	engine.GET("/audit", func(c *gin.Context) {
		c.JSON(http.StatusConflict, gin.H{"error": "taken"})
		_ = c.Error(errors.New("audit trail is full"))
	})

	get(engine, "/audit")
	// Output:
	// noted: audit trail is full
	// 409 {"error":"taken"}
}

// Wrap runs net/http middleware on a group. Errors comes after it, so that the
// middleware sees the response to an error, too.
func ExampleWrap() {
	noStore := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			fmt.Println("route:", r.Pattern)
			next.ServeHTTP(w, r)
		})
	}
	engine := gin.New()
	private := engine.Group("/private", bulwarkgin.Wrap(noStore), bulwarkgin.Errors(table{}))
	private.GET("/:name", bulwarkgin.Handler(func(*gin.Context) error { return errNotFound }))

	get(engine, "/private/diary")
	// Output:
	// route: /private/:name
	// 404 not found
}
