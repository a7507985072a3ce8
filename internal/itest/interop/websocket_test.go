package interop_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// library is a WebSocket library, client and server.
type library struct {
	name string
	// echo serves a connection until the client closes it, and sends back what
	// it sends. There may be no response if it returns an error.
	echo func(w http.ResponseWriter, r *http.Request) error
	dial func(t *testing.T, url string) conversation
}

// conversation is a client's connection.
type conversation interface {
	ask(t *testing.T, text string) string
	close()
}

var libraries = []library{
	{name: "coder", echo: coderEcho, dial: coderDial},
	{name: "gorilla", echo: gorillaEcho, dial: gorillaDial},
}

func coderEcho(w http.ResponseWriter, r *http.Request) error {
	c, err := coder.Accept(w, r, nil)
	if err != nil {
		return err
	}
	defer c.CloseNow()
	for {
		kind, text, err := c.Read(r.Context())
		if err != nil {
			return nil // the client has closed it
		}
		if err := c.Write(r.Context(), kind, text); err != nil {
			return err
		}
	}
}

type coderConn struct{ *coder.Conn }

func coderDial(t *testing.T, url string) conversation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	c, _, err := coder.Dial(ctx, url, nil)
	require.NoError(t, err)
	return coderConn{c}
}

func (c coderConn) ask(t *testing.T, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchdog)
	defer cancel()
	require.NoError(t, c.Write(ctx, coder.MessageText, []byte(text)))
	_, answer, err := c.Read(ctx)
	require.NoError(t, err)
	return string(answer)
}

func (c coderConn) close() { _ = c.Close(coder.StatusNormalClosure, "") }

func gorillaEcho(w http.ResponseWriter, r *http.Request) error {
	c, err := new(gorilla.Upgrader).Upgrade(w, r, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		kind, text, err := c.ReadMessage()
		if err != nil {
			return nil // the client has closed it
		}
		if err := c.WriteMessage(kind, text); err != nil {
			return err
		}
	}
}

type gorillaConn struct{ *gorilla.Conn }

func gorillaDial(t *testing.T, url string) conversation {
	t.Helper()
	dialer := gorilla.Dialer{HandshakeTimeout: watchdog}
	c, res, err := dialer.DialContext(t.Context(), url, nil)
	require.NoError(t, err)
	require.Equal(t, 101, res.StatusCode)
	return gorillaConn{c}
}

func (c gorillaConn) ask(t *testing.T, text string) string {
	t.Helper()
	require.NoError(t, c.WriteMessage(gorilla.TextMessage, []byte(text)))
	_, answer, err := c.ReadMessage()
	require.NoError(t, err)
	return string(answer)
}

func (c gorillaConn) close() {
	_ = c.WriteMessage(gorilla.CloseMessage, gorilla.FormatCloseMessage(gorilla.CloseNormalClosure, ""))
	_, _, _ = c.NextReader() //nolint:dogsled // its answer: all of it is of no interest
	_ = c.Close()
}

// TestWebSocket: the connection outlives the deadline before which it was upgraded, with
// any middleware in between. Its log record is written at its end, and has its bytes if
// they are counted.
func TestWebSocket(t *testing.T) {
	between := append([]guest{{name: "nothing", make: func() wrapper { return func(h http.Handler) http.Handler { return h } }}}, guests...)
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			for _, g := range between {
				t.Run(g.name, func(t *testing.T) {
					each(t, []place{outside, inside}, func(t *testing.T, at place) {
						st := stack{errs: mapper(), timeout: timeout.Config{Limit: handshake}, at: at, mw: []wrapper{g.make()}}
						lib.converse(t, st, g.name == "nothing")
						st.counted = true
						lib.converse(t, st, g.name == "nothing")
					})
				})
			}
		})
	}
}

func (lib library) converse(t *testing.T, st stack, outlives bool) {
	t.Helper()
	s := st.serve(t, http1, st.errs.Handler(lib.echo))
	c := lib.dial(t, "ws"+strings.TrimPrefix(s.url, "http"))
	assert.Equal(t, "early", c.ask(t, "early"))
	if outlives {
		pass(t, handshake)
	}
	assert.Equal(t, "late", c.ask(t, "late"))
	s.quiet(t)
	c.close()
	l := s.logged(t, 101, logging.OutcomeUpgraded)
	assert.Equal(t, "INFO", l.Level)
	if st.counted {
		assert.Greater(t, l.In, int64(len("earlylate")))
		assert.Greater(t, l.Out, int64(len("earlylate")))
	} else {
		assert.Zero(t, l.In)
		assert.Zero(t, l.Out)
	}
}

// TestWebSocketRefused: the library responds to a request that cannot be upgraded. The
// error that it returns does not change an error response that has started.
func TestWebSocketRefused(t *testing.T) {
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			for _, tc := range []struct {
				desc   string
				p      protocol
				header []string
				status []int // coder's and gorilla's
			}{
				{"no upgrade", http1, nil, []int{426, 400}},
				{"another version", http1, []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-Websocket-Version: 8", "Sec-Websocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="}, []int{400, 400}},
				{"another origin", http1, []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-Websocket-Version: 13", "Sec-Websocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "Origin: https://evil.example.org"}, []int{403, 403}},
				{"HTTP/2", http2, nil, []int{426, 400}},
			} {
				t.Run(tc.desc, func(t *testing.T) {
					st := stack{errs: mapper()}
					s := st.serve(t, tc.p, st.errs.Handler(lib.echo))
					res := s.get(t, "/", tc.header...).whole(t)
					want := tc.status[0]
					if lib.name == "gorilla" {
						want = tc.status[1]
					}
					assert.Equal(t, want, res.status)
					assert.NotContains(t, res.body, "problem")
					l := s.logged(t, want, logging.OutcomeOK)
					assert.NotEmpty(t, l.Error)
				})
			}
		})
	}
}

// TestWebSocketPanic: after the upgrade a panic of the handler gets no response, and
// Recover does not write to its connection.
func TestWebSocketPanic(t *testing.T) {
	for _, lib := range libraries {
		t.Run(lib.name, func(t *testing.T) {
			st := stack{errs: mapper()}
			s := st.serve(t, http1, st.errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
				if lib.name == "coder" {
					c, err := coder.Accept(w, r, nil)
					if err != nil {
						return err
					}
					defer c.CloseNow()
				} else {
					c, err := new(gorilla.Upgrader).Upgrade(w, r, nil)
					if err != nil {
						return err
					}
					defer c.Close()
				}
				panic("boom")
			}))
			res, err := s.client.Do(s.request(t, http.MethodGet, "/", nil, "Connection: Upgrade", "Upgrade: websocket", "Sec-Websocket-Version: 13", "Sec-Websocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="))
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, 101, res.StatusCode)
			rest, _ := io.ReadAll(res.Body) // how the connection ends is the library's
			assert.NotContains(t, string(rest), "HTTP/1.1")
			l := s.logged(t, 101, logging.OutcomePanic)
			assert.Equal(t, "boom", l.Panic)
		})
	}
}
