package endings

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func passing() []Scenario {
	return []Scenario{
		{Name: "103 Early Hints", About: "before a 200",
			Client: func(r *run, conn net.Conn) string { return send(r, conn, getOnce).String() },
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, req *http.Request) error {
					w.Header().Set("Link", "</style.css>; rel=preload")
					w.WriteHeader(http.StatusEarlyHints)
					return says(w, req)
				}
			}},
		{Name: "a stream's first event", About: "the handler flushes the first event, and later writes more",
			Client:  events,
			Handler: flushesAndWaits},
		{Name: "Upgrade", About: "the handler takes over the connection for a WebSocket",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, "GET "+measure.Path+" HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: bench\r\n\r\n").String()
			},
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, _ *http.Request) error {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return err
					}
					_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: bench\r\n\r\n")
					conn.Close()
					return err
				}
			}},
		{Name: "forged X-Forwarded-For", About: "a client that is not a proxy sends it; which address is logged",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, strings.Replace(getOnce, "\r\n\r\n", "\r\nX-Forwarded-For: "+forged+"\r\n\r\n", 1)).String()
			},
			Log:     has(forged, "the forged address", "the client"),
			Handler: func(*run) stacks.Handler { return says }},
		{Name: "token in the query", About: "how much of the token is logged",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, strings.Replace(getOnce, measure.Path, measure.Path+"?token="+token, 1)).String()
			},
			Log:     has(token, "the token", "nothing"),
			Handler: func(*run) stacks.Handler { return says }},
	}
}

// flushesAndWaits returns a handler that notes when the client has got the first
// event.
func flushesAndWaits(r *run) stacks.Handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		if err := flushed(w); err != nil {
			return err
		}
		select {
		case <-r.seen:
			r.note <- ", at once"
		case <-time.After(calm / 2):
			r.note <- ", with the last"
		}
		_, err := io.WriteString(w, other)
		return err
	}
}

const (
	forged = "203.0.113.99"
	token  = "s3cr3t"
)

func has(text, yes, no string) func([]byte) string {
	return func(lines []byte) string {
		if bytes.Contains(lines, []byte(text)) {
			return yes
		}
		return no
	}
}

func says(w http.ResponseWriter, _ *http.Request) error {
	_, err := io.WriteString(w, half+other)
	return err
}

// events reads the first event, tells the handler, and reads the rest.
func events(r *run, conn net.Conn) string {
	from := bufio.NewReader(conn)
	if _, err := io.WriteString(conn, getOnce); err != nil {
		return err.Error()
	}
	if _, err := from.Peek(1); err != nil {
		return answer{err: err}.String()
	}
	close(r.seen)
	return exchange(r, conn, from, "").String() + said(r)
}
