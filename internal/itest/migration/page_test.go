package migration_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	echov4 "github.com/labstack/echo/v4"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/testpage"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

// source is a stack to move from: a section of the page.
type source struct {
	name          string
	before, after func(handler) http.Handler
	// racy: the previous middleware runs handlers on another goroutine, which continue to
	// use the context of a framework that reuses it. The race detector reports that. Without
	// it the test still checks the rest.
	racy bool
}

var sources = []source{
	{
		"net/http",
		func(h handler) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /{$}", unmapped(h))
			return netHTTPBefore(mux)
		},
		func(h handler) http.Handler {
			mux := http.NewServeMux()
			if h != nil {
				mux.Handle("GET /{$}", errs.Handler(h))
			}
			return netHTTPAfter(mux)
		},
		false,
	}, {
		"chi",
		func(h handler) http.Handler {
			router := chi.NewRouter()
			s := chiBefore(router)
			router.Get("/", unmapped(h))
			return s
		},
		func(h handler) http.Handler {
			router := chi.NewRouter()
			s := chiAfter(router)
			if h != nil {
				router.Method("GET", "/", errs.Handler(h))
			}
			return s
		},
		false,
	}, {
		"Gin",
		func(h handler) http.Handler { return onGin(h, ginBefore) },
		func(h handler) http.Handler { return onGin(h, ginAfter) },
		true,
	}, {
		"Echo v5",
		func(h handler) http.Handler { return onEcho(h, echoBefore) },
		func(h handler) http.Handler { return onEcho(h, echoAfter) },
		false,
	}, {
		"Echo v4",
		func(h handler) http.Handler { return onEchoV4(h, echoV4Before) },
		func(h handler) http.Handler { return onEchoV4(h, echoV4After) },
		true,
	},
}

// unmapped is a handler that cannot return an error.
func unmapped(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _ = h(w, r) }
}

func onGin(h handler, build func(*gin.Engine) http.Handler) http.Handler {
	engine := gin.New()
	s := build(engine)
	engine.GET("/", func(c *gin.Context) {
		if err := h(c.Writer, c.Request); err != nil {
			_ = c.Error(err)
		}
	})
	return s
}

func onEcho(h handler, build func(*echo.Echo) http.Handler) http.Handler {
	e := echo.New()
	s := build(e)
	e.GET("/", func(c *echo.Context) error { return h(c.Response(), c.Request()) })
	return s
}

func onEchoV4(h handler, build func(*echov4.Echo) http.Handler) http.Handler {
	e := echov4.New()
	e.Logger.SetOutput(io.Discard)
	s := build(e)
	e.POST("/users", echoV4Users)
	e.GET("/", func(c echov4.Context) error { return h(c.Response(), c.Request()) })
	return s
}

func page(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/migration.md")
	require.NoError(t, err)
	return string(b)
}

// TestTable runs every cell of the page's table: what the client sees and what is
// logged, with the previous middleware of each framework, and with Bulwark.
func TestTable(t *testing.T) {
	var names []string
	for _, s := range sources {
		names = append(names, s.name)
	}
	rows := table(page(t))
	require.Len(t, rows, 1+len(endings))
	require.Equal(t, slices.Concat([]string{"what happens"}, names, []string{"with Bulwark"}), rows[0])
	for i, e := range endings {
		row := rows[1+i]
		require.Equal(t, e.desc, row[0])
		for j, s := range sources {
			t.Run(e.desc+"/"+s.name, func(t *testing.T) {
				before, after := row[1+j], row[len(row)-1]
				if !s.racy || !raceDetector {
					assert.Equal(t, before, e.observe(t, s.before, !strings.HasPrefix(before, "no response")), "before")
				}
				assert.Equal(t, after, e.observe(t, s.after, true), "after")
			})
		}
	}
}

// README shows rows of that table.
func TestReadmeShowsTheSameRows(t *testing.T) {
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	measured, shown := table(page(t)), table(string(readme))
	require.Greater(t, len(shown), 3)
	for _, row := range shown {
		assert.Contains(t, measured, row)
	}
}

// table returns the first table of a page, without the row of dashes.
func table(page string) (rows [][]string) {
	for line := range strings.SplitSeq(page, "\n") {
		switch {
		case strings.HasPrefix(line, "| ---"):
		case strings.HasPrefix(line, "| "):
			rows = append(rows, strings.Split(strings.Trim(line, "| "), " | "))
		case rows != nil:
			return rows
		}
	}
	return rows
}

// TestCode: the page shows exactly the code that TestTable runs.
func TestCode(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	testpage.ShowsAll(t, `(?m)^(var errs|func (stack|\w+(?:Before|After))\()`, "../../../docs/migration.md", files...)
}
