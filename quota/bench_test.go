package quota_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/bulwark-go/bulwark/quota"
)

func BenchmarkTake(b *testing.B) {
	r := quota.Rate{Requests: 1000, Per: time.Second}
	for _, n := range []int{1, 1_000_000} {
		store := quota.NewMemoryStore(n)
		keys := make([]string, n)
		for i, j := range rand.Perm(n) {
			keys[i] = "10.0." + strconv.Itoa(j)
			_, _ = store.Take(context.Background(), keys[i], 1, r)
		}
		b.Run("keys="+strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				_, _ = store.Take(context.Background(), keys[i], 1, r)
				if i++; i == n {
					i = 0
				}
			}
		})
		b.Run("parallel/keys="+strconv.Itoa(n), func(b *testing.B) {
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.IntN(n); pb.Next(); {
					_, _ = store.Take(context.Background(), keys[i], 1, r)
					if i++; i == n {
						i = 0
					}
				}
			})
		})
	}
}

// BenchmarkFlood sends new keys to a full store. If its keys have requests left, a key
// is dropped for each. If they are being refused, there is no place to find.
func BenchmarkFlood(b *testing.B) {
	for _, requests := range []int{1000, 1} {
		b.Run("requests="+strconv.Itoa(requests), func(b *testing.B) {
			r := quota.Rate{Requests: requests, Per: time.Hour}
			store := quota.NewMemoryStore(0)
			var key [20]byte
			i := int64(0)
			take := func() {
				i++
				_, _ = store.Take(context.Background(), string(strconv.AppendInt(key[:0], i, 10)), 1, r)
			}
			for range 200_000 {
				take()
			}
			b.ReportAllocs()
			for b.Loop() {
				take()
			}
		})
	}
}

func BenchmarkMiddleware(b *testing.B) {
	h := quota.New(quota.Config{Rate: quota.Rate{Requests: 1 << 30, Per: time.Second}})(
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest("GET", "/", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		clear(w.Header())
		h.ServeHTTP(w, r)
	}
}
