package errmap_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/exchange"
	"github.com/bulwark-go/bulwark/internal/testhttp"
)

// The ways in which handlers read bodies.
func readAll(_ http.ResponseWriter, r *http.Request) error {
	_, err := io.ReadAll(r.Body)
	return err
}

func decode(_ http.ResponseWriter, r *http.Request) error {
	var v struct{ A int }
	return json.NewDecoder(r.Body).Decode(&v)
}

func readAndUnmarshal(_ http.ResponseWriter, r *http.Request) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, new(struct{ A int }))
}

func form(_ http.ResponseWriter, r *http.Request) error { return r.ParseForm() }

func formFile(_ http.ResponseWriter, r *http.Request) error {
	_, _, err := r.FormFile("file")
	return err
}

func parseMultipart(_ http.ResponseWriter, r *http.Request) error {
	return r.ParseMultipartForm(1 << 20)
}

// loses reads as f does, and returns another error.
func loses(f func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := f(w, r); err != nil {
			return errors.New("cannot read your upload")
		}
		return nil
	}
}

const (
	jsonHead  = "POST / HTTP/1.1\nHost: x\nContent-Type: application/json\n"
	multiHead = "POST / HTTP/1.1\nHost: x\nContent-Type: multipart/form-data; boundary=B\n"
	formHead  = "POST / HTTP/1.1\nHost: x\nContent-Type: application/x-www-form-urlencoded\n"
)

func withBody(head, body string) string {
	return head + "Content-Length: " + strconv.Itoa(len(strings.ReplaceAll(body, "\n", "\r\n"))) + "\n\n" + body
}

// A faulty request body is the client's fault.
// https://github.com/traefik/traefik/pull/13528,
// https://github.com/roadrunner-server/roadrunner/issues/2302,
// https://github.com/SeldonIO/seldon-core/pull/944
func TestTheClientsOwnFault(t *testing.T) {
	const chunked = "Transfer-Encoding: chunked\n\n"
	for _, tt := range []struct {
		desc    string
		handler func(http.ResponseWriter, *http.Request) error
		request string
		want    int
	}{
		{"a malformed chunk", readAll, jsonHead + chunked + "ZZ\nab\n", 400},
		{"a malformed chunk, decoded", decode, jsonHead + chunked + "1\n{\nXY\n", 400},
		{"a malformed chunk whose error is lost", loses(readAll), jsonHead + chunked + "ZZ\nab\n", 400},
		{"a body that ends early", readAll, jsonHead + "Content-Length: 9\n\n{", 400},
		{"a chunked body that ends early", decode, jsonHead + chunked + "9\n{", 400},
		{"an empty body", decode, jsonHead + "Content-Length: 0\n\n", 400},
		{"an empty chunked body", decode, jsonHead + chunked + "0\n\n", 400},
		{"an empty body, unmarshaled", readAndUnmarshal, jsonHead + "Content-Length: 0\n\n", 400},
		{"no JSON", readAndUnmarshal, withBody(jsonHead, "<html>"), 400},
		{"JSON of another type", decode, withBody(jsonHead, `{"A":"x"}`), 400},
		{"no multipart form", formFile, withBody(jsonHead, "{}"), 400},
		{"no content at all", formFile, "POST / HTTP/1.1\nHost: x\nContent-Length: 0\n\n", 400},
		{"a multipart form without a boundary", parseMultipart, withBody("POST / HTTP/1.1\nHost: x\nContent-Type: multipart/form-data\n", "x"), 400},
		{"a multipart form without parts", parseMultipart, withBody(multiHead, "nothing of that"), 400},
		{"an empty multipart form", parseMultipart, withBody(multiHead, ""), 400},
		{"a multipart form that ends early", parseMultipart, multiHead + "Content-Length: 99\n\n--B\nContent-Disposition: form-data; name=a\n\nx", 400},
		{"a malformed part", parseMultipart, withBody(multiHead, "--B\nno header\n\nx\n--B--\n"), 400},
		{"a multipart form without the file", formFile, withBody(multiHead, "--B\nContent-Disposition: form-data; name=a\n\nx\n--B--\n"), 400},
		{"a multipart form that is too large", parseMultipart, withBody(multiHead, "--B\nContent-Disposition: form-data; name=a\n\n"+strings.Repeat("x", 12<<20)+"\n--B--\n"), 413},
		{"a malformed escape", form, withBody(formHead, "a=%zz"), 400},
		{"a malformed escape in the query", form, "GET /?a=%zz HTTP/1.1\nHost: x\n\n", 400},
		{"a semicolon", form, withBody(formHead, "a=1;b=2"), 400},
		{"a semicolon in the query", form, "GET /?a=1;b=2 HTTP/1.1\nHost: x\n\n", 400},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			errs, decided := errorJSON(), make(chan int, 1)
			srv := testhttp.HTTP1.Start(t, errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
				err := tt.handler(w, r)
				decided <- errs.Problem(r, err).Status
				return err
			}))
			early := strings.Contains(tt.desc, "ends early")
			status := exchangeOne(t, srv, tt.request, early)
			assert.Equal(t, tt.want, <-decided)
			if !early { // the exchange decides whether a client that has closed its half gets a response
				assert.Equal(t, tt.want, status)
			}
		})
	}
}

// exchangeOne sends a request, stops if the response comes early, and returns the
// status of the response, 0 if there is none.
func exchangeOne(t *testing.T, srv *testhttp.Server, request string, early bool) int {
	t.Helper()
	c := srv.Dial(t)
	go func() { // the server may answer before it has read everything
		_, _ = io.WriteString(c, strings.ReplaceAll(request, "\n", "\r\n"))
		if early {
			_ = c.Conn.(*net.TCPConn).CloseWrite()
		}
	}()
	res, _, _ := c.Receive(http.MethodGet)
	_ = c.Close()
	if res == nil {
		return 0
	}
	return res.StatusCode
}

// The same errors from another source are not the client's fault.
func TestNotTheClientsFault(t *testing.T) {
	html := json.Unmarshal([]byte("<html>"), new(int))
	_, marshal := json.Marshal(map[string]any{"x": json.RawMessage("{")})
	for _, tt := range []struct {
		desc string
		req  func() *http.Request
		err  error
		want int
	}{
		{"a database that hangs up", func() *http.Request { return post("application/json", "{}") }, io.ErrUnexpectedEOF, 500},
		{"a stream of an upstream that is over", func() *http.Request { return post("application/json", "{}") }, io.EOF, 500},
		{"the same for a GET", func() *http.Request { return get() }, io.EOF, 500},
		{"an upstream that sends HTML", func() *http.Request { return get() }, html, 500},
		{"an upstream that sends HTML for a POST without a body", func() *http.Request { return httptest.NewRequest(http.MethodPost, "/", nil) }, html, 500},
		{"an upstream that sends another type", func() *http.Request { return get() }, json.Unmarshal([]byte(`"x"`), new(int)), 500},
		{"what cannot be encoded", func() *http.Request { return post("application/json", "{}") }, marshal, 500},
		{"a malformed URL of ours", func() *http.Request { return post("application/json", "{}") }, urlError(), 500},
		{"a malformed part of an upstream", func() *http.Request { return get() }, fmt.Errorf("upstream: %w", errMessageTooLarge()), 500},
		{"an upstream that hangs up", func() *http.Request { return httptest.NewRequest(http.MethodPost, "/", nil) }, callError(io.EOF), 500},
		{"the same for a multipart form", func() *http.Request { return post("multipart/form-data; boundary=B", "--B--") }, callError(io.EOF), 500},
		{"a malformed header of an upstream", func() *http.Request { return post("multipart/form-data; boundary=B", "--B--") }, callError(textproto.ProtocolError("x")), 500},
		{"an upstream that sends too much", func() *http.Request { return get() }, &http.MaxBytesError{Limit: 1}, 500},
		{"a read deadline on another connection", func() *http.Request { return post("application/json", "{}") }, timeoutError{}, 504},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			h := errorJSON().Handler(func(_ http.ResponseWriter, r *http.Request) error {
				_, err := io.ReadAll(r.Body)
				return errors.Join(err, tt.err)
			})
			assert.Equal(t, tt.want, serve(h, tt.req()).Code)
		})
	}
}

func callError(err error) error { return &url.Error{Op: "Post", URL: "http://upstream", Err: err} }

// An upstream that hangs up is not an empty body.
func TestUpstreamThatHangsUp(t *testing.T) {
	upstream := testhttp.HTTP1.Start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	target, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = errorJSON().Write
	for _, tt := range []struct {
		desc string
		h    http.Handler
		want int
	}{
		{"a call", errorJSON().Handler(func(_ http.ResponseWriter, r *http.Request) error {
			_, err := upstream.Client().Do(upstream.Request(t, http.MethodPost, "/", http.NoBody))
			return err
		}), 500},
		{"a proxy", exchange.Func(nil, func(_ *exchange.Exchange, w http.ResponseWriter, r *http.Request) { proxy.ServeHTTP(w, r) }), 502},
		{"a proxy alone", proxy, 502},
	} {
		t.Run(tt.desc, func(t *testing.T) {
			s := testhttp.HTTP1.Start(t, tt.h)
			assert.Equal(t, tt.want, s.Do(s.Request(t, http.MethodPost, "/", http.NoBody)).Status)
		})
	}
}

// If the server's ReadTimeout passes while the body is read, the client is slow.
func TestReadTimeoutIsTheClients(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("lost=%v", lost), func(t *testing.T) {
			read := readAll
			if lost {
				read = loses(readAll)
			}
			testhttp.Each(t, func(t *testing.T, p testhttp.Protocol) {
				s := p.StartUnencrypted(t, errorJSON().Handler(read), func(s *httptest.Server) { s.Config.ReadTimeout = 200 * time.Millisecond })
				r := s.Request(t, http.MethodPost, "/", strings.NewReader("{}"), "Content-Type: application/json")
				r.ContentLength = -1
				got := s.Misbehaving().Stall(t, r, 1)
				require.NoError(t, got.Err)
				assert.Equal(t, 408, got.Status)
				assert.Equal(t, `{"error":"timeout"}`, got.Body)
			})
		})
	}
}

// The user's rule for the error comes first.
func TestRulesComeBeforeFaults(t *testing.T) {
	errs := errorJSON(errmap.Is(io.ErrUnexpectedEOF, errmap.Problem{Status: 499, Detail: "mine"}))
	h := errs.Handler(readAll)
	r := post("application/json", "{")
	r.Body = io.NopCloser(iotest.ErrReader(io.ErrUnexpectedEOF))
	assert.Equal(t, 400, serve(errorJSON().Handler(readAll), r).Code)
	assert.Contains(t, serve(h, r).Body.String(), "mine")
}
