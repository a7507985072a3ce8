package conformance_test

import (
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testhttp"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// TestConformance: what the client and the log record say does not depend on the
// framework.
func TestConformance(t *testing.T) {
	for i := range setups {
		s := &setups[i]
		t.Run(s.Name, func(t *testing.T) {
			for _, onRoute := range []bool{false, true} {
				for _, p := range protocols {
					name := "whole engine, HTTP/"
					if onRoute {
						name = "on the route, HTTP/"
					}
					t.Run(name+p.name, func(group *testing.T) {
						group.Parallel()
						// In parallel, because net/http waits before it closes a connection after a refusal.
						var ends sync.WaitGroup
						defer ends.Wait()
						for _, r := range rows {
							if r.applies(s, p, onRoute) {
								group.Run(r.desc, func(t *testing.T) {
									ends.Go(r.run(t, group, s, p, onRoute))
								})
							}
						}
					})
				}
			}
		})
	}
}

// applies reports whether there is such a row. The package comment says why not.
func (row row) applies(s *setup, p protocol, onRoute bool) bool {
	switch {
	case p.name != "1.1" && row.http1Only, onRoute && row.unrouted, onRoute && row.hints && s.Unhinted:
		return false
	}
	return true
}

// run returns a function that waits for the end of the service and checks what is left,
// after the row, within its group.
func (row row) run(t, group *testing.T, s *setup, p protocol, onRoute bool) (end func()) {
	row = row.completed(s, p, onRoute)
	sc := &scene{
		setup: s, errs: errmap.New(errmap.Config{Render: errmap.ErrorJSON, Rules: rules}),
		entered: make(chan struct{}), received: make(chan struct{}), logged: make(chan struct{}),
	}
	logged := sync.OnceFunc(func() { close(sc.logged) })
	defer logged()
	received := sync.OnceFunc(func() { close(sc.received) })
	var log journal
	srv := serve(group, row, sc, &log, onRoute)
	c := p.dial(t, srv.Listener.Addr().String())
	defer c.close()

	c.send(t, row.request)
	var got answer
	if row.leaves {
		<-sc.entered
		c.leave(t)
	} else {
		got = c.receive(t, row.request, received)
	}
	if row.speaks != "" {
		got.Body = converse(t, c.(*http1), row.speaks)
	}
	if !c.reusable() {
		c.close() // otherwise the server would wait for more from the client
	}
	first := log.next(t)
	logged()
	if row.answer.Status == http.StatusMethodNotAllowed {
		assert.Contains(t, got.Header["Allow"], "GET") // the routers differ in what else is allowed
		delete(got.Header, "Allow")
	}
	id := got.ID
	got.ID = ""
	assert.Equal(t, row.answer, got)
	if id != "" || row.answer.Header["Content-Type"] != "" {
		assert.Equal(t, first.ID, id, "the id in the response and in the log record")
	}
	assert.NotEmpty(t, first.ID)
	first.ID = ""
	assert.Equal(t, row.line, first.of(row))

	if !row.leaves && !row.alone && c.reusable() {
		c.send(t, request{Method: "GET", Path: "/after"})
		after := c.receive(t, request{Method: "GET"}, func() {})
		after.ID = ""
		assert.Equal(t, text(200, "after"), after, "the connection lives on")
		assert.Equal(t, "/after", log.next(t).Path)
	}
	return func() {
		srv.Close() // waits for the handlers
		assert.Empty(group, log.rest(row.stuck), "%s: one record for each request", row.desc)
		if row.complains {
			assert.NotEmpty(group, strings.TrimSpace(log.complaints.String()), row.desc)
		} else {
			assert.Empty(group, strings.TrimSpace(log.complaints.String()), row.desc)
		}
	}
}

// completed fills in what depends on the setup, and what is the same for almost all
// rows.
func (row row) completed(s *setup, p protocol, onRoute bool) row {
	q := &row.request
	if q.Method == "" {
		q.Method = http.MethodGet
	}
	if q.Path == "" {
		q.Path = "/items/7"
	}
	a, l := &row.answer, &row.line
	if row.stuck && p.name == "2" && onRoute && a.End == whole {
		a.End = reset // a handler is left behind only by a stack that the server calls
	}
	l.Text, l.Method, l.Path, l.Proto = "http request", q.Method, q.Path, p.name
	if l.Out == 0 && a.Status != http.StatusSwitchingProtocols { // its bytes are not counted
		l.Out = len(a.Body)
	}
	if l.Level == "" {
		l.Level = "INFO"
	}
	switch {
	case row.unrouted && s.Half && a.Status == http.StatusMethodNotAllowed, !row.unrouted && (onRoute || !row.early):
		l.Route = s.Notation(pattern)
	}
	return row
}

// serve starts the service of a row.
func serve(t *testing.T, row row, sc *scene, log *journal, onRoute bool) *httptest.Server {
	limit := limits.Config{MaxBodyBytes: bodyLimit, ErrorHandler: sc.errs.Write}
	if row.rate > 0 {
		limit.MinBodyRate, limit.BodyGrace = row.rate, 100*time.Millisecond
	}
	stack := bulwark.Chain(
		logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(log.lines(), nil))}),
		timeout.New(timeout.Config{Limit: patience, ErrorHandler: sc.errs.Write}),
		limits.New(limit),
		sc.errs.Recover,
	)
	method := row.request.Method
	if row.unrouted {
		method = http.MethodGet
	}
	routes := []route{
		{Method: method, Pattern: pattern, Handler: func(w http.ResponseWriter, r *http.Request) error { return row.handler(sc, w, r) }},
		{Method: http.MethodGet, Pattern: "/after", Handler: func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, "after")
			return err
		}},
	}
	var h http.Handler
	if onRoute {
		h = sc.Build(sc.errs, stack, routes, &log.complaints)
	} else {
		h = stack(sc.Build(sc.errs, nil, routes, &log.complaints))
	}
	return listen(t, h, &log.complaints)
}

// listen serves HTTP/1 and, with prior knowledge, HTTP/2.
func listen(t *testing.T, h http.Handler, complaints io.Writer) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Config.ErrorLog = log.New(complaints, "", 0)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// converse uses a connection after the switch to another protocol.
func converse(t *testing.T, c *http1, words string) string {
	t.Helper()
	_, err := io.WriteString(c, words)
	require.NoError(t, err)
	reply, err := io.ReadAll(c.In)
	require.NoError(t, err)
	return string(reply)
}

// line is the part of a log record that is compared.
type line struct {
	Level     string `json:"level"`
	Text      string `json:"msg"`
	Method    string `json:"http.request.method"`
	Path      string `json:"url.path"`
	Route     string `json:"http.route"`
	Proto     string `json:"network.protocol.version"`
	Status    int    `json:"http.response.status_code"`
	Intended  int    `json:"status_intended"`
	Outcome   string `json:"outcome"`
	In        int    `json:"http.request.body.size"`
	Out       int    `json:"http.response.body.size"`
	Type      string `json:"error.type"`
	Message   string `json:"error.message"`
	Panic     string `json:"exception.message"`
	Abandoned bool   `json:"abandoned"`
	ID        string `json:"request_id"`
}

// of removes from the record what a row does not specify.
func (l line) of(row row) line {
	if row.ownWords {
		l.Message = ""
	}
	l.Message = measured.ReplaceAllString(l.Message, "${1}…")
	return l
}

// measured matches what differs from run to run in the text of an error.
var measured = regexp.MustCompile(`\b[0-9.]+[mµn]?s\b|(per second: )[0-9]+`)

// journal is what a server wrote: its log records and error messages.
type journal struct {
	complaints testhttp.Lines
	written    chan line
}

func (j *journal) lines() io.Writer {
	j.written = make(chan line, 100) // more than any row needs
	return j
}

// Write takes one record.
func (j *journal) Write(p []byte) (int, error) {
	var l line
	if err := json.Unmarshal(p, &l); err != nil {
		return 0, err
	}
	j.written <- l
	return len(p), nil
}

func (j *journal) next(t *testing.T) line {
	t.Helper()
	for {
		select {
		case l := <-j.written:
			if l.Text == "http request" {
				return l
			}
		case <-time.After(patience):
			require.Fail(t, "no log record")
		}
	}
}

// rest returns the records that were not expected. The late end of a stuck handler is.
func (j *journal) rest(stuck bool) (lines []line) {
	for {
		select {
		case l := <-j.written:
			if !stuck || l.Text != "http handler ended late" {
				lines = append(lines, l)
			}
		default:
			return lines
		}
	}
}
