package logging_test

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/logging"
)

// server is a real server with the middleware in front of a handler.
type server struct {
	*httptest.Server
	lines *lines
}

// start starts a server; wrap puts middleware around the logging one, or nil.
func start(t *testing.T, h2 bool, h http.HandlerFunc, change ...func(*httptest.Server, *logging.Config)) *server {
	t.Helper()
	l := newLines()
	cfg := logging.Config{Logger: l.logger()}
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	for _, c := range change {
		c(s, &cfg)
	}
	s.Config.Handler = logging.New(cfg)(h)
	if h2 {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return &server{s, l}
}

// raw is a connection to an HTTP/1 server on which one can misbehave.
func (s *server) raw(t *testing.T, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	return c, bufio.NewReader(c)
}

// get is a request whose body is read; an error of the transport is returned.
func (s *server) get(t *testing.T, path string) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
	require.NoError(t, err)
	res, err := s.Client().Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	_, err = io.Copy(io.Discard, res.Body)
	return res, err
}

func bothProtocols(t *testing.T, f func(t *testing.T, h2 bool)) {
	t.Run("HTTP/1", func(t *testing.T) { f(t, false) })
	t.Run("HTTP/2", func(t *testing.T) { f(t, true) })
}

// quietServer keeps what goes to a server's ErrorLog out of the tests' output.
var quietServer = &http.Server{ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 1}
