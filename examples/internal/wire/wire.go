// Package wire speaks HTTP/1 and HTTP/2 byte by byte and frame by frame, for
// tests: it does what a client would not, and says how each transfer ended, which
// net/http's client does not once it has the whole body.
package wire

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Request is what a client sends, in words that both protocols have.
type Request struct {
	Method, Path string
	Header       map[string]string
	Declared     int    // the Content-Length; 0: as long as the body, -1: none is sent
	Body         string // what is sent of the body
	Stalls       bool   // and then nothing more comes, not even its end
}

// Bodiless tells that the request has no body.
func (r *Request) Bodiless() bool { return r.Body == "" && r.Declared == 0 && !r.Stalls }

// Length is the Content-Length, -1 where none is sent.
func (r *Request) Length() int {
	if r.Declared < 0 || r.Bodiless() {
		return -1
	}
	return max(r.Declared, len(r.Body))
}

// fields are the names of the header's fields, in an order that does not change.
func (r *Request) fields() []string {
	names := make([]string, 0, len(r.Header))
	for k := range r.Header {
		names = append(names, k)
	}
	slices.Sort(names)
	return names
}

// Answer is what a client sees, without what differs from protocol to protocol
// (the framing) and from second to second (Date).
type Answer struct {
	Early   []int // informational statuses, in their order
	Status  int   // 0: none came
	ID      string
	Header  map[string]string
	Body    string
	Trailer map[string]string
	End     Ending
}

// Ending is how the transfer ended.
type Ending string

// The endings.
const (
	Whole Ending = "whole"
	Cut   Ending = "cut"
	// Reset: all that was declared came, and then a reset of the stream instead
	// of its end.
	Reset Ending = "whole, then reset"
	None  Ending = "no answer"
	// Left: it was not waited for.
	Left Ending = "left"
)

// Seen is called whenever some more of an answer has come, with its status and
// the bytes of its body so far. It returns whether to go on.
type Seen func(status, received int) bool

// dial connects for as long as patience, after which everything fails.
func dial(addr string, patience time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, patience) //nolint:noctx // patience bounds it
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

// flat is a header with one value a field, without what is not compared, nil
// where nothing is left; id is the request's.
func flat(h http.Header) (fields map[string]string, id string) {
	for k := range h {
		switch k {
		case "Date", "Trailer", "Connection":
		case "X-Request-Id":
			id = h.Get(k)
		default:
			if fields == nil {
				fields = map[string]string{}
			}
			fields[k] = h.Get(k)
		}
	}
	return fields, id
}

// Head is the head of the request as HTTP/1.1 has it.
func (r *Request) Head() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: test\r\n", r.Method, r.Path)
	for _, k := range r.fields() {
		fmt.Fprintf(&b, "%s: %s\r\n", k, r.Header[k])
	}
	switch n := r.Length(); {
	case n >= 0:
		fmt.Fprintf(&b, "Content-Length: %d\r\n", n)
	case !r.Bodiless():
		b.WriteString("Transfer-Encoding: chunked\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// Coded is p as it goes into the body: as a chunk, where no length is sent.
func (r *Request) Coded(p string) string {
	if r.Declared < 0 && p != "" {
		return fmt.Sprintf("%x\r\n%s\r\n", len(p), p)
	}
	return p
}

// End is what comes after the body.
func (r *Request) End() string {
	if r.Declared < 0 && !r.Stalls {
		return "0\r\n\r\n"
	}
	return ""
}
