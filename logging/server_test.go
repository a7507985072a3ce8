package logging_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

// server is a real server with the middleware in front of a handler.
type server struct {
	*testhttp.Server

	lines *lines
}

// start starts a server; each change may put middleware around the logging one.
func start(t *testing.T, p testhttp.Protocol, h http.HandlerFunc, changes ...func(*httptest.Server, *logging.Config)) *server {
	t.Helper()
	l := newLines()
	cfg := logging.Config{Logger: l.logger()}
	return &server{p.Start(t, nil, func(s *httptest.Server) {
		for _, change := range changes {
			change(s, &cfg)
		}
		s.Config.Handler = logging.New(cfg)(h)
	}), l}
}

// quietServer keeps what goes to a server's ErrorLog out of the tests' output.
var quietServer = &http.Server{ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 1}
