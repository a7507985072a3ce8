package conformance_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long to wait for what is certain to come. It only matters
// where a test fails.
const patience = 30 * time.Second

// request is what a client sends, in words that both protocols have.
type request struct {
	method, path string
	header       map[string]string
	declared     int    // the Content-Length; 0: as long as the body, -1: none is sent
	body         string // what is sent of the body
	stalls       bool   // and then nothing more comes, not even its end
}

// bodiless tells that the request has no body.
func (r *request) bodiless() bool { return r.body == "" && r.declared == 0 && !r.stalls }

// answer is what a client sees, without what differs from run to run (Date, the
// request's id) and from protocol to protocol (the framing).
type answer struct {
	Early   []int // informational statuses, in their order
	Status  int
	Header  map[string]string
	Body    string
	Trailer map[string]string
	End     ending
}

// ending is how the transfer ended.
type ending string

const (
	whole ending = "whole"
	cut   ending = "cut"
	// reset: all that was declared came, and then a reset of the stream instead
	// of its end.
	reset ending = "whole, then reset"
	none  ending = "no answer"
)

// client is one connection.
type client interface {
	send(t *testing.T, r request)
	// receive returns the next answer, and calls seen whenever some of its body
	// has come.
	receive(t *testing.T, r request, seen func()) (a answer, id string)
	// leave goes without waiting for an answer.
	leave(t *testing.T)
	// reusable tells that the connection takes another request.
	reusable() bool
	close()
}

// protocol is a way to speak HTTP.
type protocol struct {
	name string // as the line has it
	dial func(t *testing.T, addr string) client
}

var protocols = []protocol{{"1.1", dialHTTP1}, {"2", dialHTTP2}}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
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
