package logging_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

const (
	upgrade   = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
)

func counting(_ *httptest.Server, c *logging.Config) { c.CountUpgraded = true }

// The handler gets the server's own connection, with the methods of its type, and
// the record is written when the handler returns
// (https://github.com/golang/go/issues/35892).
func TestAnUpgradeHasTheServersOwnConnection(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS=%v", secure), func(t *testing.T) {
			lines, conns, own := newLines(), make(chan net.Conn, 1), make(chan *bufio.ReadWriter, 2)
			logged := logging.New(logging.Config{Logger: lines.logger()})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, rw, err := w.(http.Hijacker).Hijack()
				if assert.NoError(t, err) {
					own <- rw
					_, _ = io.WriteString(c, switching)
					conns <- c
				}
			}))
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				logged.ServeHTTP(watching{w, w.(http.Hijacker), own}, r)
			}))
			var client net.Conn
			var err error
			if secure {
				s.StartTLS()
				client, err = tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
			} else {
				s.Start()
				client, err = net.Dial("tcp", s.Listener.Addr().String())
			}
			defer s.Close()
			require.NoError(t, err)
			defer client.Close()
			_, err = io.WriteString(client, upgrade)
			require.NoError(t, err)
			line := lines.next(t) // while the connection lives
			assert.Equal(t, "upgraded", line["outcome"])
			assert.EqualValues(t, 101, line["http.response.status_code"])
			assert.EqualValues(t, 0, line["http.response.body.size"])
			c := <-conns
			defer c.Close()
			if secure {
				assert.IsType(t, (*tls.Conn)(nil), c)
			} else {
				assert.IsType(t, (*net.TCPConn)(nil), c)
			}
			first, second := <-own, <-own
			assert.Same(t, first, second, "the server's own bufio.ReadWriter")
		})
	}
}

// watching records what the server's Hijack returns.
type watching struct {
	http.ResponseWriter
	http.Hijacker
	own chan<- *bufio.ReadWriter
}

func (w watching) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := w.Hijacker.Hijack()
	w.own <- rw
	return c, rw, err
}

// A connection that is hijacked to be answered by hand is not logged as 101 if the
// client asked for no upgrade.
func TestOnlyAnUpgradeThatWasAskedForIs101(t *testing.T) {
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = c.Close()
		}
	})
	s.Dial(t).Send(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	assert.NotContains(t, s.lines.next(t), "http.response.status_code")
}

// A counted connection has the methods of the connection that it wraps.
func TestACountedConnectionHasTheMethods(t *testing.T) {
	has := make(chan []bool, 1)
	s := start(t, testhttp.HTTP1, func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer c.Close()
		cw, isCW := c.(interface{ CloseWrite() error })
		_, isCR := c.(interface{ CloseRead() error })
		_, isSC := c.(interface {
			SyscallConn() (syscall.RawConn, error)
		})
		_, isNC := c.(interface{ NetConn() net.Conn })
		_, _ = io.WriteString(c, switching)
		assert.NoError(t, cw.CloseWrite())
		last, _ := io.ReadAll(c)
		assert.Equal(t, "last words", string(last), "after the half-close")
		has <- []bool{isCW, isCR, isSC, isNC}
	}, counting)
	c := s.Dial(t)
	c.Send(t, upgrade)
	_, err := http.ReadResponse(c.In, nil)
	require.NoError(t, err)
	_, err = io.WriteString(c, "last words")
	require.NoError(t, err)
	c.HalfClose(t)
	assert.Equal(t, []bool{true, true, true, false}, <-has)
	line := s.lines.next(t)
	assert.EqualValues(t, len(switching), line["http.response.body.size"])
	assert.EqualValues(t, len("last words"), line["http.request.body.size"])
}

// Thousands of upgrades leak nothing, whether the connection is closed or forgotten,
// counted or not.
func TestUpgradesLeakNothing(t *testing.T) {
	const upgrades = 2000
	for _, count := range []bool{false, true} {
		for _, forget := range []bool{false, true} {
			t.Run(fmt.Sprintf("counted=%v, forgotten=%v", count, forget), func(t *testing.T) {
				h := logging.New(logging.Config{Logger: slog.New(slog.DiscardHandler), CountUpgraded: count})(http.HandlerFunc(
					func(w http.ResponseWriter, _ *http.Request) {
						c, _, err := w.(http.Hijacker).Hijack()
						if err != nil {
							t.Error(err)
							return
						}
						_, _ = io.WriteString(c, switching)
						if !forget {
							_ = c.Close()
						}
					}))
				s := httptest.NewServer(h)
				defer s.Close()
				one := func() {
					c, err := net.Dial("tcp", s.Listener.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					_, _ = io.WriteString(c, upgrade)
					_, _ = io.ReadFull(c, make([]byte, len(switching)))
					_ = c.Close()
				}
				for range 100 {
					one()
				}
				before := heap()
				for range upgrades {
					one()
				}
				const each = 1 << 10 // bytes; one that was kept took twelve times that
				deadline := time.Now().Add(10 * time.Second)
				for after := heap(); after > before+upgrades*each; after = heap() {
					if time.Now().After(deadline) {
						t.Fatalf("%d bytes before, %d after %d upgrades", before, after, upgrades)
					}
					time.Sleep(10 * time.Millisecond) // finalizers close forgotten descriptors
				}
			})
		}
	}
}

// heap returns the bytes in use after a garbage collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
