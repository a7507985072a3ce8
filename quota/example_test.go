package quota_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/bulwark-go/bulwark/errmap"
	"github.com/bulwark-go/bulwark/quota"
)

func ExampleNew() {
	limit := quota.New(quota.Config{Rate: quota.Rate{Requests: 2, Per: time.Minute}})
	h := limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }))

	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		fmt.Println(w.Code, w.Header().Get("RateLimit-Policy"))
	}
	// Output:
	// 200 "default";q=2;w=60
	// 200 "default";q=2;w=60
	// 429 "default";q=2;w=60
}

// A query costs as much as it reads, which is known afterwards.
func ExampleCharge() {
	limit := quota.New(quota.Config{Rate: quota.Rate{Requests: 1000, Per: time.Minute}})
	h := limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rows := 400
		quota.Charge(r.Context(), rows)
		fmt.Fprint(w, rows)
	}))

	for range 4 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 200
	// 200
	// 429
}

// With package errmap the response has the problem type of the draft for the
// RateLimit fields, and the name of the policy.
func ExampleError_ProblemType() {
	errs := errmap.New(errmap.Config{})
	h := quota.New(quota.Config{Name: "hourly", Rate: quota.Rate{Requests: 1, Per: time.Hour}, ErrorHandler: errs.Write})(http.NotFoundHandler())
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	fmt.Println(w.Body)
	// Output:
	// 429 application/problem+json
	// {"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["hourly"]}
}
