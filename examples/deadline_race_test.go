package examples_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v5"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/adapters/bulwarkecho"
	"github.com/bulwark-go/bulwark/adapters/bulwarkgin"
	"github.com/bulwark-go/bulwark/timeout"
)

// racing is everything that a handler of a framework can change.
type racing interface {
	header() http.Header
	request() *http.Request
	set(key string, v any)
	write(p string)
	flush()
}

type ginRacing struct{ *gin.Context }

func (c ginRacing) header() http.Header    { return c.Writer.Header() }
func (c ginRacing) request() *http.Request { return c.Request }
func (c ginRacing) set(k string, v any)    { c.Set(k, v) }
func (c ginRacing) write(p string)         { _, _ = c.Writer.WriteString(p) }
func (c ginRacing) flush()                 { c.Writer.Flush() }

type echoRacing struct{ *echo.Context }

func (c echoRacing) header() http.Header    { return c.Response().Header() }
func (c echoRacing) request() *http.Request { return c.Request() }
func (c echoRacing) set(k string, v any)    { c.Set(k, v) }
func (c echoRacing) write(p string)         { _, _ = io.WriteString(c.Response(), p) }
func (c echoRacing) flush()                 { _ = http.NewResponseController(c.Response()).Flush() }

// race changes everything that it can, before and after its deadline. Every third
// request is in time, and another third has half of a response by then.
//
// early has the ids of the requests whose handler returned well before its deadline. On
// a busy machine these are not all that are in time.
func race(c racing, early *sync.Map, id string, kind int) {
	mutate := func(n int) {
		for range n {
			c.header().Set("X-Id", id)
			c.header().Add("X-More", id)
			c.request().Header.Set("X-Mutated", id)
			c.request().URL.Path = "/mutated/" + id
			c.set("id", id)
			runtime.Gosched()
		}
	}
	mutate(5)
	if kind == 2 {
		c.write(id)
		c.flush()
	}
	if kind != 0 {
		<-c.request().Context().Done()
		mutate(50)
	}
	c.write(strings.Repeat(id, 20))
	if at, ok := c.request().Context().Deadline(); ok && time.Until(at) > raceLimit/2 {
		early.Store(id, true)
	}
}

const raceLimit = 80 * time.Millisecond

func kindOf(id string) (kind int) {
	var n int
	_, _ = fmt.Sscanf(id, "<%d>", &n)
	return n % 3
}

// A handler that continues to change its headers, its request and its framework's
// context after its deadline causes no data race, and no byte of one request in another.
func TestDeadlineRace(t *testing.T) {
	early := new(sync.Map)
	deadline := timeout.New(timeout.Config{Limit: raceLimit})
	ginEngine := func(mws ...gin.HandlerFunc) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		e := gin.New()
		e.Use(mws...)
		e.GET("/:id", func(c *gin.Context) { race(ginRacing{c}, early, c.Param("id"), kindOf(c.Param("id"))) })
		return e
	}
	echoEngine := func(mws ...echo.MiddlewareFunc) http.Handler {
		e := echo.New()
		e.Use(mws...)
		e.GET("/:id", func(c *echo.Context) error {
			race(echoRacing{c}, early, c.Param("id"), kindOf(c.Param("id")))
			return nil
		})
		return e
	}
	for desc, h := range map[string]http.Handler{
		"gin, whole engine":       deadline(ginEngine()),
		"gin, bulwarkgin.Wrap":    ginEngine(bulwarkgin.Wrap(deadline)),
		"echo, whole engine":      deadline(echoEngine()),
		"echo, bulwarkecho.Wrap":  echoEngine(bulwarkecho.Wrap(deadline)),
		"echo, WrapMiddleware":    echoEngine(echo.WrapMiddleware(deadline)),
		"gin, both ways at once":  deadline(ginEngine(bulwarkgin.Wrap(deadline))),
		"echo, both ways at once": deadline(echoEngine(bulwarkecho.Wrap(deadline))),
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", desc, h2), func(t *testing.T) { raceAgainst(t, h, h2, early) })
		}
	}
}

func raceAgainst(t *testing.T, h http.Handler, h2 bool, early *sync.Map) {
	early.Clear()
	const requests = 200
	srv := httptest.NewUnstartedServer(h)
	if h2 {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	defer srv.Close()
	if h2 { // or each request dials, and what the handshakes cost counts against the deadline
		res, err := srv.Client().Get(srv.URL + "/" + fmt.Sprintf("<%06d>", 0))
		if err == nil {
			_ = res.Body.Close()
		}
	}
	var all sync.WaitGroup
	var cut atomic.Int32 // of those whose handler was early
	lost := func(id string) {
		if _, ok := early.Load(id); ok {
			cut.Add(1)
		}
	}
	for n := range requests {
		all.Go(func() {
			id := fmt.Sprintf("<%06d>", n)
			res, err := srv.Client().Get(srv.URL + "/" + id)
			if err != nil { // it failed before anything arrived; a client may report only the reset of the stream
				lost(id) // as below, with all of it still in the server's buffer
				return
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			whole := strings.Repeat(id, 20)
			switch {
			case res.StatusCode == http.StatusGatewayTimeout:
				lost(id)
				assert.True(t, string(body) == "Gateway Timeout\n" || h2 && err != nil && len(body) == 0, "%q %v", body, err)
				assert.Empty(t, res.Header.Get("X-Id"), "of the abandoned success")
			case n%3 == 2:
				assert.True(t, strings.HasPrefix(id+whole, string(body)), "%q", body)
				assert.Error(t, err, "never a clean end")
			case n%3 == 0 && err != nil: // its handler was stopped between its bytes and its return: cut, visibly
				assert.True(t, strings.HasPrefix(whole, string(body)), "%q", body)
				lost(id)
			default:
				assert.Equal(t, http.StatusOK, res.StatusCode)
				assert.NoError(t, err)
				assert.Equal(t, whole, string(body))
				assert.Equal(t, id, res.Header.Get("X-Id"))
				assert.Zero(t, n%3, "too late for a success")
			}
		})
	}
	all.Wait()
	assert.Less(t, cut.Load(), int32(requests/10), "a handler that was early keeps its response")
}
