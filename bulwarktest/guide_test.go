package bulwarktest_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/bulwarktest"
	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/internal/testpage"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

// docs/testing.md shows the functions below.

func TestGuideShowsThisCode(t *testing.T) {
	shown := testpage.Shows(t, "../docs/testing.md", "guide_test.go")
	require.Equal(t, 5, strings.Count(shown, "func Test"))
}

var errNoReport = errors.New("no such report")

func newService(backend func(r *http.Request) (string, error)) http.Handler {
	errs := errmap.New(errmap.Config{Rules: []errmap.Rule{
		errmap.Is(errNoReport, errmap.Problem{Status: http.StatusNotFound, Code: "report_not_found"}),
	}})
	mux := http.NewServeMux()
	mux.Handle("GET /report", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		report, err := backend(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, report)
		return err
	}))
	mux.Handle("POST /upload", errs.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return err
		}
		w.WriteHeader(http.StatusCreated)
		return nil
	}))
	return bulwark.New(bulwark.Config{
		Logging: logging.Config{Logger: slog.New(slog.DiscardHandler)},
		Timeout: timeout.Config{Limit: 10 * time.Second},
		Limits:  limits.Config{MaxBodyBytes: 1 << 20},
		Errors:  errs,
	})(mux)
}

func TestReportNotFound(t *testing.T) {
	service := newService(func(*http.Request) (string, error) { return "", errNoReport })
	rec := httptest.NewRecorder()
	service.ServeHTTP(rec, httptest.NewRequest("GET", "/report", nil))
	if rec.Code != http.StatusNotFound || !strings.Contains(rec.Body.String(), `"code":"report_not_found"`) {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

func TestReportTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newService(func(r *http.Request) (string, error) {
			<-r.Context().Done() // a database that does not answer
			return "", r.Context().Err()
		})
		began, rec := time.Now(), httptest.NewRecorder()
		service.ServeHTTP(rec, httptest.NewRequest("GET", "/report", nil))
		if rec.Code != http.StatusGatewayTimeout || time.Since(began) != 10*time.Second {
			t.Errorf("got %d after %v", rec.Code, time.Since(began))
		}
	})
}

func TestReportHonorsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := newService(func(r *http.Request) (string, error) {
			<-r.Context().Done()
			return "", r.Context().Err()
		})
		bulwarktest.HonorsContext(t, service, httptest.NewRequest("GET", "/report", nil), time.Second)
	})
}

func TestReportAnswersOnceAndLeaksNothing(t *testing.T) {
	for _, err := range []error{nil, errNoReport, errors.New("connection refused")} {
		service := newService(func(*http.Request) (string, error) { return "all is well", err })
		bulwarktest.AnswersOnce(t, service, httptest.NewRequest("GET", "/report", nil))
		bulwarktest.LeaksNothing(t, service, httptest.NewRequest("GET", "/report", nil))
	}
}

func TestUploadFromMisbehavingClients(t *testing.T) {
	server := httptest.NewServer(newService(nil))
	defer server.Close()
	upload := func(size int) *http.Request {
		r, err := http.NewRequest("POST", server.URL+"/upload", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if res := (bulwarktest.Client{}).Trickle(t, upload(10), time.Millisecond); res.Status != http.StatusCreated {
		t.Errorf("trickled: got %+v", res)
	}
	if res := (bulwarktest.Client{}).HalfClose(t, upload(10)); res.Status != http.StatusCreated {
		t.Errorf("half-closed: got %+v", res)
	}
	if res := (bulwarktest.Client{}).Stall(t, upload(2<<20), 10); res.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("stalled with a declared length over the limit: got %+v", res)
	}
}
