package conformance_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	echov4 "github.com/labstack/echo/v4"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/timeout"
)

// pattern is the route of every row.
const pattern = "/items/{id}"

// scene is one run of a row, with the signals between its handler and its client.
type scene struct {
	*setup
	errs     *errmap.Mapper
	entered  chan struct{} // closed by the handler
	received chan struct{} // closed when the client has some of the body
	logged   chan struct{} // closed when the log record is written
}

// row is a request, what the handler does, and the required result on every
// framework.
type row struct {
	desc    string
	request request // default: GET /items/7
	handler func(s *scene, w http.ResponseWriter, r *http.Request) error
	leaves  bool  // the client disconnects when the handler has begun
	rate    int64 // the minimum rate of a body, bytes per second
	speaks  string

	answer answer
	line   line

	hints     bool // it sends a 103
	unrouted  bool // the router has no such route, so only a stack around it sees the request
	early     bool // answered before the router, so that a stack around it does not know the route
	ownWords  bool // the text of the error is the framework's
	http1Only bool // see the package comment
	complains bool // the framework writes to its error log
	alone     bool // no other request follows on the connection
	stuck     bool // the handler is running when the answer is sent
}

var (
	errMissing = errors.New("no such item")
	errBroken  = errors.New("db-1.internal: password authentication failed")
)

// rules are the table of errors. The last is for Echo v4, whose errors have no
// StatusCode method.
var rules = []errmap.Rule{
	errmap.Is(errMissing, errmap.Problem{Status: http.StatusNotFound, Title: "no item"}),
	errmap.As(func(e *echov4.HTTPError) errmap.Problem { return errmap.Problem{Status: e.Code} }),
}

const (
	bodyLimit = 1000
	plain     = "text/plain; charset=utf-8"
)

// jsonError is the response to an error.
func jsonError(status int, text string) answer {
	body := fmt.Sprintf(`{"error":%q}`, text)
	return answer{Status: status, Body: body, End: whole, Header: map[string]string{
		"Content-Type": "application/json", "Content-Length": fmt.Sprint(len(body)), "X-Content-Type-Options": "nosniff",
	}}
}

// text is a plain success.
func text(status int, body string) answer {
	return answer{Status: status, Body: body, End: whole, Header: map[string]string{
		"Content-Type": plain, "Content-Length": fmt.Sprint(len(body)),
	}}
}

// streamed is a success without a length.
func streamed(body string, end ending) answer {
	return answer{Status: 200, Body: body, End: end, Header: map[string]string{"Content-Type": plain}}
}

func write(status int, body string) func(*scene, http.ResponseWriter, *http.Request) error {
	return func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(status)
		_, err := io.WriteString(w, body)
		return err
	}
}

func fail(err error) func(*scene, http.ResponseWriter, *http.Request) error {
	return func(*scene, http.ResponseWriter, *http.Request) error { return err }
}

func readBody(_ *scene, w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	_, err = fmt.Fprintf(w, "%d bytes", len(body))
	return err
}

// begin sends some of a response.
func begin(w http.ResponseWriter) error {
	if _, err := io.WriteString(w, "half"); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// late sets a near deadline when the handler has begun. With a short one for the whole
// request the deadline could pass before that on a busy machine.
func late(r *http.Request) error {
	_, err := timeout.Reset(r.Context(), 100*time.Millisecond)
	return err
}

var rows = []row{
	{
		desc: "ok", handler: write(200, "fine"),
		answer: text(200, "fine"),
		line:   line{Status: 200, Outcome: "ok"},
	}, {
		desc: "created, with a body", request: request{Method: "POST", Body: "hello"},
		handler: func(_ *scene, w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Location", "/items/8")
			w.WriteHeader(201)
			_, err := io.Copy(w, r.Body)
			return err
		},
		answer: answer{Status: 201, Body: "hello", End: whole, Header: map[string]string{
			"Content-Type": plain, "Content-Length": "5", "Location": "/items/8",
		}},
		line: line{Status: 201, Outcome: "ok", In: 5},
	}, {
		desc: "nothing written", handler: fail(nil),
		answer: answer{Status: 200, End: whole, Header: map[string]string{"Content-Length": "0"}},
		line:   line{Status: 200, Outcome: "ok"},
	}, {
		desc: "no content", handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusNoContent)
			return nil
		},
		answer: answer{Status: 204, End: whole},
		line:   line{Status: 204, Outcome: "ok"},
	}, {
		desc: "HEAD", request: request{Method: "HEAD"}, handler: write(200, "fine"),
		answer: answer{Status: 200, End: whole, Header: map[string]string{"Content-Type": plain, "Content-Length": "4"}},
		line:   line{Status: 200, Outcome: "ok"},
	}, {
		desc: "HEAD of an error", request: request{Method: "HEAD"}, handler: fail(errMissing),
		answer: answer{Status: 404, End: whole, Header: map[string]string{"Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}},
		line:   line{Status: 404, Outcome: "ok", Message: "no such item"},
	}, {
		desc: "no such route", request: request{Path: "/nowhere"}, unrouted: true, ownWords: true,
		answer: jsonError(404, "not found"),
		line:   line{Status: 404, Outcome: "ok"},
	}, {
		desc: "no such method", request: request{Method: "DELETE"}, unrouted: true, ownWords: true,
		answer: jsonError(405, "method not allowed"),
		line:   line{Status: 405, Outcome: "ok"},
	}, {
		desc: "mapped error", handler: fail(fmt.Errorf("looking: %w", errMissing)),
		answer: jsonError(404, "no item"),
		line:   line{Status: 404, Outcome: "ok", Message: "looking: no such item"},
	}, {
		desc: "mapped error, headers of the success", handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("ETag", `"7"`)
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("Content-Length", "70000")
			return errMissing
		},
		answer: jsonError(404, "no item"),
		line:   line{Status: 404, Outcome: "ok", Message: "no such item"},
	}, {
		desc: "unmapped error", handler: fail(errBroken),
		answer: jsonError(500, "internal"),
		line:   line{Level: "ERROR", Status: 500, Outcome: "error", Type: "500", Message: errBroken.Error()},
	}, {
		desc: "error after an error response", handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, "taken")
			return errBroken
		},
		answer: text(409, "taken"),
		line:   line{Status: 409, Outcome: "ok", Message: errBroken.Error()},
	}, {
		desc: "failure after the response began", handler: func(s *scene, w http.ResponseWriter, r *http.Request) error {
			if err := begin(w); err != nil {
				return err
			}
			s.errs.Write(w, r, errBroken)
			return nil
		},
		answer: streamed("half", cut),
		line:   line{Level: "ERROR", Status: 200, Intended: 500, Outcome: "error", Type: "error", Message: errBroken.Error()},
	}, {
		desc: "panic", handler: func(*scene, http.ResponseWriter, *http.Request) error { panic("boom") },
		answer: jsonError(500, "internal"),
		line:   line{Level: "ERROR", Status: 500, Outcome: "panic", Type: "string", Panic: "boom"},
	}, {
		desc: "panic after the response began", handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			if err := begin(w); err != nil {
				return err
			}
			panic("boom")
		},
		answer: streamed("half", cut),
		line:   line{Level: "ERROR", Status: 200, Intended: 500, Outcome: "panic", Type: "string", Panic: "boom"},
	}, {
		desc: "http.ErrAbortHandler", handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			if err := begin(w); err != nil {
				return err
			}
			panic(http.ErrAbortHandler)
		},
		answer: streamed("half", cut),
		line:   line{Level: "ERROR", Status: 200, Outcome: "aborted", Type: "aborted"},
	}, {
		desc: "deadline, the handler is stuck", stuck: true, handler: func(s *scene, w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("ETag", `"7"`)
			if err := late(r); err != nil {
				return err
			}
			<-s.logged
			_, err := io.WriteString(w, "too late")
			return err
		},
		answer: jsonError(504, "timeout"),
		line:   line{Level: "ERROR", Status: 504, Outcome: "deadline", Abandoned: true, Type: "timeout.Error", Message: "timeout: limit of … exceeded, after …"},
	}, {
		desc: "deadline after the response began", stuck: true, handler: func(s *scene, w http.ResponseWriter, r *http.Request) error {
			if err := errors.Join(begin(w), late(r)); err != nil {
				return err
			}
			<-s.logged
			return r.Context().Err()
		},
		answer: streamed("half", cut),
		line:   line{Level: "ERROR", Status: 200, Outcome: "deadline", Abandoned: true, Type: "timeout.Error", Message: "timeout: limit of … exceeded while sending the response, after …"},
	}, {
		desc: "stalled upload", request: request{Method: "POST", Length: 10, Body: "x", Stalls: true}, stuck: true,
		handler: func(s *scene, _ http.ResponseWriter, r *http.Request) error {
			if _, err := io.ReadFull(r.Body, make([]byte, 1)); err != nil {
				return err
			}
			if err := late(r); err != nil {
				return err
			}
			_, err := io.ReadAll(r.Body)
			<-s.logged
			return err
		},
		answer: jsonError(408, "timeout"),
		line: line{Status: 408, Outcome: "deadline", Abandoned: true, In: 1, Type: "timeout.Error",
			Message: "timeout: limit of … exceeded while waiting for the request body, after …"},
	}, {
		desc: "trickling upload", request: request{Method: "POST", Length: 500, Body: "x", Stalls: true}, rate: 1 << 20,
		handler: readBody,
		answer:  jsonError(408, "request timeout"),
		line:    line{Status: 408, Outcome: "ok", In: 1, Message: "reading: limits: body too slow, in bytes per second: …, limit 1048576"},
	}, {
		desc: "too large, declared, stalls", request: request{Method: "POST", Length: 5000, Stalls: true}, early: true,
		handler: readBody,
		answer:  jsonError(413, "request entity too large"),
		line:    line{Status: 413, Outcome: "refused", Type: "http.MaxBytesError", Message: "http: request body too large"},
	}, {
		desc: "too large, declared, all sent", request: request{Method: "POST", Body: strings.Repeat("x", 5000)}, early: true,
		handler: readBody,
		answer:  jsonError(413, "request entity too large"),
		line:    line{Status: 413, Outcome: "refused", Type: "http.MaxBytesError", Message: "http: request body too large"},
	}, {
		desc: "too large, declared, asks first", early: true,
		request: request{Method: "POST", Length: 5000, Stalls: true, Header: []string{"Expect: 100-continue"}},
		handler: readBody,
		answer:  jsonError(413, "request entity too large"),
		line:    line{Status: 413, Outcome: "refused", Type: "http.MaxBytesError", Message: "http: request body too large"},
	}, {
		desc: "too large, undeclared, asks first", request: request{
			Method: "POST", Length: -1, Body: strings.Repeat("x", 1500), Stalls: true, Header: []string{"Expect: 100-continue"},
		},
		handler: readBody,
		answer:  asked(jsonError(413, "request entity too large")),
		line:    line{Status: 413, Outcome: "ok", In: bodyLimit + 1, Message: "reading: http: request body too large"},
	}, {
		desc: "too large, undeclared, stalls", request: request{Method: "POST", Length: -1, Body: strings.Repeat("x", 1500), Stalls: true},
		handler: readBody,
		answer:  jsonError(413, "request entity too large"),
		line:    line{Status: 413, Outcome: "ok", In: bodyLimit + 1, Message: "reading: http: request body too large"},
	}, {
		desc:    "exactly the limit",
		request: request{Method: "POST", Body: strings.Repeat("x", bodyLimit)},
		handler: readBody,
		answer:  text(200, "1000 bytes"),
		line:    line{Status: 200, Outcome: "ok", In: bodyLimit},
	}, {
		desc: "client gone", leaves: true, handler: func(s *scene, _ http.ResponseWriter, r *http.Request) error {
			close(s.entered)
			<-r.Context().Done()
			return r.Context().Err()
		},
		// The response to the error is sent: a client may have closed only its half.
		line: line{Status: 499, Intended: 500, Outcome: "client_gone", Out: len(`{"error":"internal"}`), Type: "client_gone", Message: "context canceled"},
	}, {
		desc: "server-sent events", handler: func(s *scene, w http.ResponseWriter, r *http.Request) error {
			w.Header().Set("Content-Type", "text/event-stream")
			if err := begin(w); err != nil {
				return err
			}
			select {
			case <-s.received: // it was sent at once
			case <-r.Context().Done():
			}
			_, err := io.WriteString(w, "data: 2\n\n")
			return err
		},
		answer: answer{Status: 200, Body: "halfdata: 2\n\n", End: whole, Header: map[string]string{"Content-Type": "text/event-stream"}},
		line:   line{Status: 200, Outcome: "ok"},
	}, {
		desc: "trailers", handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Trailer", "X-Sum")
			if err := begin(w); err != nil {
				return err
			}
			w.Header().Set("X-Sum", "42")
			w.Header().Set(http.TrailerPrefix+"X-Late", "yes")
			return nil
		},
		answer: answer{Status: 200, Body: "half", End: whole, Header: map[string]string{"Content-Type": plain},
			Trailer: map[string]string{"X-Sum": "42", "X-Late": "yes"}},
		line: line{Status: 200, Outcome: "ok"},
	}, {
		desc: "early hints", hints: true, handler: func(s *scene, w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Link", "</style.css>; rel=preload")
			s.beneath(w).WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
			_, err := io.WriteString(w, "fine")
			return err
		},
		answer: answer{Early: []int{103}, Status: 202, Body: "fine", End: whole, Header: map[string]string{
			"Content-Type": plain, "Content-Length": "4", "Link": "</style.css>; rel=preload",
		}},
		line: line{Status: 202, Outcome: "ok"},
	}, {
		desc: "early hints before an error", hints: true, handler: func(s *scene, w http.ResponseWriter, _ *http.Request) error {
			s.beneath(w).WriteHeader(http.StatusEarlyHints)
			return errMissing
		},
		answer: early103(jsonError(404, "no item")),
		line:   line{Status: 404, Outcome: "ok", Message: "no such item"},
	}, {
		desc: "WebSocket, the 101 by hand", request: upgrade, http1Only: true, speaks: "ping",
		handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			return talk(w, byHand)
		},
		answer: switched,
		line:   line{Status: 101, Outcome: "upgraded"},
	}, {
		desc: "WebSocket, the 101 through the writer", request: upgrade, http1Only: true, speaks: "ping",
		handler: func(_ *scene, w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			if g, ok := w.(interface{ WriteHeaderNow() }); ok {
				g.WriteHeaderNow() // Gin's own only remembers the status
			}
			return talk(w, "")
		},
		answer: switched,
		line:   line{Status: 101, Outcome: "upgraded"},
	},
}

var upgrade = request{Header: []string{"Connection: Upgrade", "Upgrade: websocket"}}

const byHand = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

var switched = answer{Status: 101, Body: "ping", End: whole, Header: map[string]string{"Upgrade": "websocket"}}

func asked(a answer) answer {
	a.Early = []int{100}
	return a
}

func early103(a answer) answer {
	a.Early = []int{103}
	return a
}

// talk hijacks the connection and echoes.
func talk(w http.ResponseWriter, greeting string) error {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := rw.WriteString(greeting); err != nil {
		return err
	}
	if err := rw.Flush(); err != nil {
		return err
	}
	if _, err := io.CopyN(rw, rw, 4); err != nil {
		return err
	}
	return rw.Flush()
}

// beneath returns the writer that a 103 is sent to.
func (s *scene) beneath(w http.ResponseWriter) http.ResponseWriter {
	if s.Own {
		return w.(interface{ Unwrap() http.ResponseWriter }).Unwrap()
	}
	return w
}
