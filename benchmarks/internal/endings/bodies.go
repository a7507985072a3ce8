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

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func reads(w http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	return says(w, r)
}

func bodies() []Scenario {
	zipped := zeros(bomb) // compressed before the client's patience starts
	return []Scenario{
		{Name: "too large, stalling", About: "the declared length is above the limit; the client sends half of the limit and then stalls",
			Client: func(r *run, conn net.Conn) string {
				return send(r, conn, post(2*bodyLimit, strings.Repeat("x", bodyLimit/2), "")).String()
			},
			Handler: func(*run) stacks.Handler { return reads }},
		{Name: "too large, chunked, stalling", About: "the client sends more than the limit, and no end",
			Client: func(r *run, conn net.Conn) string {
				raw := fmt.Sprintf("POST "+measure.Path+" HTTP/1.1\r\nHost: bench\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", bodyLimit+10, strings.Repeat("x", bodyLimit+10))
				return send(r, conn, raw).String()
			},
			Handler: func(*run) stacks.Handler { return reads }},
		{Name: "zip bomb", About: fmt.Sprintf("%d MiB in less than %d KiB of gzip; the handler decodes it if no middleware has", bomb>>20, bodyLimit>>10),
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
		{Name: "retained body", About: "a handler keeps its body, and reads it during the next request",
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

// decoded decodes gzip, unless middleware has already done so.
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

// said returns the note of the handler, or "".
func said(r *run) string {
	select {
	case s := <-r.note:
		return s
	default:
		return ""
	}
}

const secret = "of another client"

// retained sends two requests with different bodies.
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
