package bulwarktest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// AnswersOnce checks that handler writes one response to request. It serves the
// request once. The test fails if the handler
//
//   - returns without a response, so that the client gets an empty 200,
//   - sets a second status, sets a header after the response has started, or writes
//     a second JSON value (usually because a return is missing after an error
//     response),
//   - writes a body that the status does not allow, or whose length differs from
//     Content-Length,
//   - writes after it has returned,
//   - panics.
//
// The failure shows the source lines. It is no fault if the handler aborts its
// response with panic(http.ErrAbortHandler).
func AnswersOnce(t testing.TB, handler http.Handler, request *http.Request) {
	t.Helper()
	a := &answer{header: http.Header{}, method: request.Method}
	g := start(handler, a, request)
	<-g.done
	panicked := !g.report(t, "AnswersOnce")
	faults := a.ended(panicked || g.panicked != nil)
	t.Cleanup(func() {
		for _, fault := range a.late() {
			t.Errorf("bulwarktest: AnswersOnce: %s", fault)
		}
	})
	for _, fault := range faults {
		t.Errorf("bulwarktest: AnswersOnce: %s", fault)
	}
}

// answer is a ResponseWriter that records faults that a client would not notice.
type answer struct {
	mu       sync.Mutex
	method   string
	header   http.Header
	sent     http.Header // the header that the client gets; nil before the response has started
	status   int
	begun    string // the source line
	body     bytes.Buffer
	faults   []string
	returned bool
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := caller()
	switch {
	case a.returned:
		a.faultf("%s: WriteHeader(%d) after the handler has returned", at, status)
	case a.sent != nil:
		a.faultf("%s: WriteHeader(%d), but the response started with %d at %s", at, status, a.status, a.begun)
	case status >= 200 || status == http.StatusSwitchingProtocols:
		a.begin(status, at)
	}
}

func (a *answer) begin(status int, at string) {
	a.status, a.sent, a.begun = status, a.header.Clone(), at
}

func (a *answer) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := caller()
	if a.returned {
		a.faultf("%s: Write after the handler has returned", at)
		return 0, http.ErrHandlerTimeout
	}
	if a.sent == nil {
		a.begin(http.StatusOK, at)
	}
	if a.bodiless() {
		if a.method != http.MethodHead && len(p) > 0 {
			a.faultf("%s: Write of a body, but a response with status %d has none", at, a.status)
		}
		return len(p), nil
	}
	return a.body.Write(p)
}

func (a *answer) Flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sent == nil && !a.returned {
		a.begin(http.StatusOK, caller())
	}
}

func (a *answer) bodiless() bool {
	return a.method == http.MethodHead || a.status < 200 || a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

func (a *answer) faultf(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// late returns the faults since the call of ended.
func (a *answer) late() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.faults)
}

// ended returns the faults until the handler returned. Later faults are kept for
// late.
func (a *answer) ended(aborted bool) (faults []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.returned = true
	switch {
	case aborted:
	case a.sent == nil:
		a.faultf("the handler returned without a response")
	default:
		a.checkHeader()
		a.checkBody()
	}
	faults, a.faults = a.faults, nil
	return faults
}

// checkHeader finds headers that were set too late to be sent.
func (a *answer) checkHeader() {
	trailers := strings.ToLower(strings.Join(a.sent.Values("Trailer"), ","))
	for _, name := range slices.Sorted(maps.Keys(a.header)) {
		if strings.HasPrefix(name, http.TrailerPrefix) || slices.Contains(strings.FieldsFunc(trailers, isListSeparator), strings.ToLower(name)) {
			continue
		}
		if !slices.Equal(a.header[name], a.sent[name]) {
			a.faultf("%s was set to %q after the response started at %s: the client gets %q", name, a.header[name], a.begun, a.sent[name])
		}
	}
}

func isListSeparator(r rune) bool { return r == ',' || r == ' ' || r == '\t' }

func (a *answer) checkBody() {
	if a.bodiless() {
		return
	}
	if declared := a.sent.Get("Content-Length"); declared != "" && declared != strconv.Itoa(a.body.Len()) {
		a.faultf("Content-Length is %s, but the body has %d bytes", declared, a.body.Len())
	}
	media, _, _ := mime.ParseMediaType(a.sent.Get("Content-Type"))
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return
	}
	values := json.NewDecoder(bytes.NewReader(a.body.Bytes()))
	var first, second json.RawMessage
	if values.Decode(&first) == nil && !errors.Is(values.Decode(&second), io.EOF) {
		a.faultf("the response of type %s has more after its JSON value: %.100s", media, bytes.TrimSpace(a.body.Bytes()[len(first):]))
	}
}
