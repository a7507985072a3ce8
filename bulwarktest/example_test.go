package bulwarktest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/bulwarktest"
	"github.com/bulwark-go/bulwark/timeout"
)

// A client that stalls in the middle of its upload gets a 408 from a service
// behind package timeout, although the handler is blocked in a Read.
func ExampleClient_Stall() {
	upload := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	server := httptest.NewServer(timeout.New(timeout.Config{Limit: 50 * time.Millisecond})(upload))
	defer server.Close()

	r, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader(strings.Repeat("x", 1000)))
	if err != nil {
		fmt.Println(err)
		return
	}
	res := bulwarktest.Client{}.Stall(t, r, 10)
	fmt.Println(res.Status, res.Err)
	// Output: 408 <nil>
}

// HonorsContext finds a handler that waits for a slow backend without its context, and
// so keeps running after the request has ended.
func ExampleHonorsContext() {
	answer := make(chan string) // from a backend that does not answer
	good := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s := <-answer:
			fmt.Fprint(w, s)
		case <-r.Context().Done():
		}
	})
	bad := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, <-answer) })

	for _, h := range []http.Handler{good, bad} {
		bulwarktest.HonorsContext(t, h, httptest.NewRequest(http.MethodGet, "/", nil), 50*time.Millisecond)
	}
	close(answer)
	// Output:
	// bulwarktest: HonorsContext: the handler is still running 50ms after its context ended:
}

// t stands for the *testing.T of your test. It prints the first line of each failure.
var t testing.TB = printer{}

type printer struct{ testing.TB }

func (printer) Helper() {}

func (printer) Errorf(format string, args ...any) {
	line, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	fmt.Println(line)
}

func (printer) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
