package measure

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
)

// server listens on loopback. It has no ErrorLog, because some contenders cause
// many errors.
func server(h http.Handler, http2 bool) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if http2 {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	return srv
}
