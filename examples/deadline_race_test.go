package examples_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
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

// The kinds of requests in TestDeadlineRace.
const (
	inTime      = iota // the handler returns long before its deadline
	waits              // it waits for its deadline, and has sent nothing by then
	waitsInBody        // it waits for its deadline, and has sent a part of the response by then
	around             // it returns at about its deadline
	kinds
)

// race changes everything that it can, before and after its deadline.
func race(c racing, id string) {
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
	endsIn := func(limit time.Duration) {
		_, _ = timeout.Reset(c.request().Context(), limit)
	}
	n := number(id)
	switch n % kinds {
	case inTime:
		mutate(5)
	case waits:
		endsIn(50 * time.Millisecond)
		mutate(5)
		<-c.request().Context().Done()
		mutate(50)
	case waitsInBody:
		mutate(5)
		c.write(id)
		c.flush()
		endsIn(50 * time.Millisecond)
		<-c.request().Context().Done()
		mutate(50)
	case around:
		endsIn(5 * time.Millisecond)
		mutate(n)
	}
	c.write(strings.Repeat(id, 20))
}

func number(id string) (n int) {
	_, _ = fmt.Sscanf(id, "<%d>", &n)
	return n
}

// A handler that continues to change its headers, its request and its framework's
// context after its deadline causes no data race, and no byte of one request in another.
func TestDeadlineRace(t *testing.T) {
	deadline := timeout.New(timeout.Config{Limit: time.Minute})
	ginEngine := func(mws ...gin.HandlerFunc) http.Handler {
		gin.SetMode(gin.ReleaseMode)
		e := gin.New()
		e.Use(mws...)
		e.GET("/:id", func(c *gin.Context) { race(ginRacing{c}, c.Param("id")) })
		return e
	}
	echoEngine := func(mws ...echo.MiddlewareFunc) http.Handler {
		e := echo.New()
		e.Use(mws...)
		e.GET("/:id", func(c *echo.Context) error {
			race(echoRacing{c}, c.Param("id"))
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
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", desc, h2), func(t *testing.T) { raceAgainst(t, h, h2) })
		}
	}
}

func raceAgainst(t *testing.T, h http.Handler, h2 bool) {
	srv := httptest.NewUnstartedServer(h)
	if h2 {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	defer srv.Close()
	if h2 { // one connection, and not one for each request
		res, err := srv.Client().Get(srv.URL + "/<000000>")
		if assert.NoError(t, err) {
			_ = res.Body.Close()
		}
	}
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			id := fmt.Sprintf("<%06d>", n)
			whole := strings.Repeat(id, 20)
			res, err := srv.Client().Get(srv.URL + "/" + id)
			if err != nil {
				// On HTTP/2 a client may report only the reset of the stream.
				assert.True(t, h2 && n%kinds != inTime, "%v", err)
				return
			}
			body, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			if res.StatusCode == http.StatusGatewayTimeout {
				assert.Contains(t, []int{waits, around}, n%kinds)
				assert.True(t, string(body) == "Gateway Timeout\n" || h2 && err != nil && len(body) == 0, "%q %v", body, err)
				assert.Empty(t, res.Header.Get("X-Id"), "of the abandoned success")
				return
			}
			assert.Equal(t, http.StatusOK, res.StatusCode)
			switch {
			case n%kinds == waitsInBody:
				assert.True(t, strings.HasPrefix(id+whole, string(body)), "%q", body)
				assert.Error(t, err, "never a clean end")
			case n%kinds == around && err != nil: // its deadline was between its bytes and its return
				assert.True(t, strings.HasPrefix(whole, string(body)), "%q", body)
			default:
				assert.NotEqual(t, waits, n%kinds, "too late for a success")
				assert.NoError(t, err)
				assert.Equal(t, whole, string(body))
				assert.Equal(t, id, res.Header.Get("X-Id"))
			}
		})
	}
	all.Wait()
}
