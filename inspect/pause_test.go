package inspect_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/inspect"
)

// pauses returns for how long the world was stopped for other reasons than garbage
// collection, rounded up and sorted. At first they are those since the process began.
func pauses(since []float64) (all []float64) {
	s := []metrics.Sample{{Name: "/sched/pauses/total/other:seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	for i, n := range h.Counts {
		for range n {
			all = append(all, h.Buckets[i+1])
		}
	}
	for _, old := range since {
		i := slices.Index(all, old)
		all = slices.Delete(all, i, i+1)
	}
	return all
}

// BenchmarkStack shows the stack of one request among 10,000, and reports for how long
// the world was stopped.
func BenchmarkStack(b *testing.B) {
	in := inspect.New(inspect.Config{})
	release := newGate()
	h := stack(in, time.Hour, io.Discard)(http.HandlerFunc(release.wait))
	var wg sync.WaitGroup
	for range 10_000 {
		wg.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) })
	}
	defer wg.Wait()
	defer release.open()
	ask := func(query string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/?"+query, nil)
		r.Header.Set("Accept", "application/json")
		w := httptest.NewRecorder()
		in.ServeHTTP(w, r)
		return w
	}
	var one report
	for one.InFlight < 10_000 {
		decode(b, ask(""), &one)
	}
	query := "key=" + url.QueryEscape(one.Requests[100].Key)
	before := pauses(nil)
	for b.Loop() {
		var d detail
		if decode(b, ask(query), &d); len(d.Goroutines) != 1 {
			b.Fatal("there is no stack")
		}
	}
	took := pauses(before)
	b.ReportMetric(float64(len(took))/float64(b.N), "pauses/op")
	b.ReportMetric(took[len(took)/2]*1e6, "µs-median-pause")
	b.ReportMetric(took[len(took)-1]*1e6, "µs-longest-pause")
}
