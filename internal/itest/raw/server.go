package raw

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/logging"
)

// Server is an http.Server on a real socket.
type Server struct {
	*http.Server

	Addr string
	Log  *testhttp.Lines // its ErrorLog
}

// Start runs srv until the test ends: HTTP/1 and, with prior knowledge, HTTP/2 on one
// port. Release stuck handlers in a cleanup that is registered later.
func Start(t testing.TB, srv *http.Server) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is there at once
	if err != nil {
		t.Fatal(err)
	}
	return StartOn(t, srv, l)
}

// StartOn is like Start, on the given listener.
func StartOn(t testing.TB, srv *http.Server, l net.Listener) *Server {
	t.Helper()
	s := &Server{Server: srv, Addr: l.Addr().String(), Log: new(testhttp.Lines)}
	if srv.Protocols == nil {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	srv.ErrorLog = s.Log.Logger()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-ended
	})
	return s
}

// Records collects the log records of a server.
type Records struct{ all chan logging.Record }

// NewRecords returns a new Records.
func NewRecords() *Records { return &Records{make(chan logging.Record, 4096)} }

// Config returns a configuration for package logging with which r collects the
// records.
func (r *Records) Config() logging.Config {
	return logging.Config{
		Logger:   slog.New(slog.DiscardHandler),
		OnRecord: func(_ context.Context, rec logging.Record) { r.all <- rec },
	}
}

// Next waits for the next record.
func (r *Records) Next(t testing.TB) logging.Record {
	t.Helper()
	select {
	case rec := <-r.all:
		return rec
	case <-time.After(Patience):
		t.Error("no log record came")
		return logging.Record{}
	}
}

// Rest returns the remaining records. It does not wait.
func (r *Records) Rest() (rest []logging.Record) {
	for {
		select {
		case rec := <-r.all:
			rest = append(rest, rec)
		default:
			return rest
		}
	}
}
