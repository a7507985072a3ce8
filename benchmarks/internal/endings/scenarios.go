package endings

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

const (
	half  = "half of it, "
	other = "and the other half"
)

// Scenarios are all of them.
func Scenarios() []Scenario {
	return append(append(deadlines(), failures()...), append(bodies(), passing()...)...)
}

// flushed writes a half that goes out at once, where the writer can do that; most
// handlers do not mind if not.
func flushed(w http.ResponseWriter) error {
	_, err := io.WriteString(w, half)
	_ = http.NewResponseController(w).Flush()
	return err
}

// waits is the handler that heeds its context.
func waits(r *run) stacks.Handler {
	return func(w http.ResponseWriter, req *http.Request) error {
		select {
		case <-req.Context().Done():
			return req.Context().Err()
		case <-r.let:
			return says(w, req)
		}
	}
}

func deadlines() []Scenario {
	timed := func(raw string) func(*run, net.Conn) string {
		return func(r *run, conn net.Conn) string { return send(r, conn, raw).timed() }
	}
	return []Scenario{
		{Name: "heeded deadline", Limit: limit, About: "the handler waits for its context and returns the error",
			Client:  timed(get),
			Handler: waits},
		{Name: "ignored context", Limit: limit, About: "the handler is stuck for good",
			Client: timed(get),
			Handler: func(r *run) stacks.Handler {
				return func(w http.ResponseWriter, req *http.Request) error {
					<-r.let
					return says(w, req)
				}
			}},
		{Name: "stalled upload", Limit: limit, About: "the client sends half of its body and no more",
			Client:  timed(post(1000, half, "")),
			Handler: func(*run) stacks.Handler { return reads }},
		{Name: "flushed, then late", Limit: limit, About: "half of the response is out at the deadline; the handler writes the rest when it is let go",
			Client: timed(get),
			Handler: func(r *run) stacks.Handler {
				return func(w http.ResponseWriter, _ *http.Request) error {
					if err := flushed(w); err != nil {
						return err
					}
					<-r.let
					_, err := io.WriteString(w, other)
					return err
				}
			}},
		{Name: "client gone", Limit: limit, About: "the client leaves; the handler hears of it by its context",
			Client: func(r *run, conn net.Conn) string {
				if _, err := io.WriteString(conn, get); err != nil {
					return err.Error()
				}
				<-r.started
				conn.Close()
				return "has left"
			},
			Handler: waits},
		{Name: "WriteTimeout", About: "the server's WriteTimeout passes before the handler answers",
			WriteTimeout: limit / 5,
			Client:       func(r *run, conn net.Conn) string { return send(r, conn, get).String() },
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, req *http.Request) error {
					time.Sleep(limit) // past it
					return says(w, req)
				}
			}},
	}
}

func failures() []Scenario {
	plain := func(r *run, conn net.Conn) string { return send(r, conn, getOnce).String() }
	return []Scenario{
		{Name: "panic", About: "before anything is written",
			Client: plain,
			Handler: func(*run) stacks.Handler {
				return func(http.ResponseWriter, *http.Request) error { panic("boom") }
			}},
		{Name: "panic in the response", About: "when half of it is out",
			Client: plain,
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, _ *http.Request) error {
					_ = flushed(w)
					panic("boom")
				}
			}},
		{Name: "http.ErrAbortHandler", About: "when half of it is out, to break it off",
			Client: plain,
			Handler: func(*run) stacks.Handler {
				return func(w http.ResponseWriter, _ *http.Request) error {
					_ = flushed(w)
					panic(http.ErrAbortHandler)
				}
			}},
	}
}

func reads(w http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	return says(w, r)
}

func bodies() []Scenario {
	zipped := zeros(bomb) // before the client's time runs
	return []Scenario{
		{Name: "too large, stalling", About: "a body is declared larger than the limit; half of the limit comes and no more",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, post(2*bodyLimit, strings.Repeat("x", bodyLimit/2), "")).String()
			},
			Handler: func(*run) stacks.Handler { return reads }},
		{Name: "too large, chunked, stalling", About: "more than the limit comes, and no end",
			Client: func(r *run, conn net.Conn) string {
				raw := fmt.Sprintf("POST / HTTP/1.1\r\nHost: bench\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", bodyLimit+10, strings.Repeat("x", bodyLimit+10))
				return send(r, conn, raw).String()
			},
			Handler: func(*run) stacks.Handler { return reads }},
		{Name: "zip bomb", About: fmt.Sprintf("%d MiB under %d KiB of gzip; handlers undo the coding where nothing before them does", bomb>>20, bodyLimit>>10),
			Client: func(r *run, conn net.Conn) string {
				a := send(r, conn, post(len(zipped), zipped, "Content-Encoding: gzip\r\n"))
				return a.String() + said(r)
			},
			Handler: func(r *run) stacks.Handler {
				return func(w http.ResponseWriter, req *http.Request) error {
					n, err := io.Copy(io.Discard, decoded(req.Body))
					r.note <- ", the handler got " + size(n)
					if err != nil {
						return err
					}
					return says(w, req)
				}
			}},
		{Name: "retained body", About: "a handler keeps its body, and reads it in the middle of the next request",
			Client: retained,
			Log:    func([]byte) string { return "" },
			Handler: func(r *run) stacks.Handler {
				var kept io.Reader
				return func(_ http.ResponseWriter, req *http.Request) error {
					if kept == nil {
						kept = req.Body
						return nil
					}
					p := make([]byte, 100)
					n, err := kept.Read(p)
					r.note <- keptRead(string(p[:n]), err)
					return nil
				}
			}},
	}
}

const bomb = 16 << 20

func zeros(n int) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, n))
	_ = z.Close()
	return b.String()
}

// decoded undoes gzip, unless somebody has.
func decoded(body io.Reader) io.Reader {
	b := bufio.NewReader(body)
	if magic, _ := b.Peek(2); string(magic) != "\x1f\x8b" {
		return b
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return b
	}
	return z
}

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// said is what the handler has noted, if it has.
func said(r *run) string {
	select {
	case s := <-r.note:
		return s
	default:
		return ""
	}
}

const secret = "of somebody else"

// retained sends two requests, the second with a body that is not the first's.
func retained(r *run, conn net.Conn) string {
	from := bufio.NewReader(conn)
	for _, body := range []string{"of the first", secret} {
		if a := exchange(r, conn, from, post(len(body), body, "")); a.err != nil {
			return a.String()
		}
	}
	return said(r)
}

func keptRead(got string, err error) string {
	switch {
	case strings.Contains(got, secret):
		return "reads the next request's body"
	case errors.Is(err, io.EOF):
		return "reads an end"
	case err != nil:
		return "an error"
	default:
		return fmt.Sprintf("reads %q", got)
	}
}

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
		{Name: "a stream's first event", About: "the handler flushes it and goes on",
			Client: events,
			Handler: func(r *run) stacks.Handler {
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
			}},
		{Name: "Upgrade", About: "the handler takes the connection over for a WebSocket",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, "GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: bench\r\n\r\n").String()
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
		{Name: "forged X-Forwarded-For", About: "from a client that is no proxy: whom the log names",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, strings.Replace(getOnce, "\r\n\r\n", "\r\nX-Forwarded-For: "+forged+"\r\n\r\n", 1)).String()
			},
			Log:     has(forged, "the forged address", "the client"),
			Handler: func(*run) stacks.Handler { return says }},
		{Name: "token in the query", About: "what of it stands in the log",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, strings.Replace(getOnce, "GET /", "GET /?token="+token, 1)).String()
			},
			Log:     has(token, "the token", "nothing of it"),
			Handler: func(*run) stacks.Handler { return says }},
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

// events reads the first, tells the handler, and reads the rest.
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
