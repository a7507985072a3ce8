package overload

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// backend is shared by the handlers. It has workers that take turns at the requests
// in flight, quantum by quantum, as processors do. If there are no more requests
// than workers, each request runs at full speed; if there are more, all get slower.
// So a limit equal to the number of workers costs no capacity, and having no limit
// costs time.
type backend struct {
	workers chan struct{}
	stop    chan struct{}
	worked  atomic.Int64 // nanoseconds of service for requests that have ended
}

const quantum = 10 * time.Millisecond

func newBackend() *backend {
	return &backend{workers: make(chan struct{}, workers), stop: make(chan struct{})}
}

// query is the parameter of a request that says how long its service takes, in
// nanoseconds.
const query = "ns"

// ServeHTTP does not notice a client that leaves, as most handlers do not.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.ParseInt(r.URL.Query().Get(query), 10, 64)
	service := time.Duration(n)
	if !b.work(service) {
		return
	}
	b.worked.Add(n)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"ok":true}`))
}

// work reports whether the service was finished before the backend stopped. A
// worker continues with a request at the planned time, because late timers must not
// make the service longer.
func (b *backend) work(service time.Duration) bool {
	planned := time.Now()
	for left := service; left > 0; left -= quantum {
		select {
		case b.workers <- struct{}{}:
		default:
			select {
			case b.workers <- struct{}{}:
				planned = time.Now()
			case <-b.stop:
				return false
			}
		}
		planned = planned.Add(min(left, quantum))
		time.Sleep(time.Until(planned))
		<-b.workers
	}
	return true
}
