package chaos_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// line is the part of a log record that the tests read.
type line struct {
	Level     string `json:"level"`
	Text      string `json:"msg"`
	Method    string `json:"http.request.method"`
	Path      string `json:"url.path"`
	Route     string `json:"http.route"`
	Proto     string `json:"network.protocol.version"`
	Status    int    `json:"http.response.status_code"`
	Intended  int    `json:"status_intended"`
	Outcome   string `json:"outcome"`
	In        int    `json:"http.request.body.size"`
	Out       int    `json:"http.response.body.size"`
	Abandoned bool   `json:"abandoned"`
	ID        string `json:"request_id"`
	Mark      string `json:"mark"`
	Stray     string `json:"stray"`

	raw string
}

// level returns the level that a record must have: ERROR for a failure of the service.
func (l line) level() string {
	switch l.Outcome {
	case "error", "panic", "aborted", "write_error", "write_timeout", "short_body":
		return "ERROR"
	case "deadline":
		if l.Status != http.StatusRequestTimeout {
			return "ERROR"
		}
	}
	if l.Status >= 500 {
		return "ERROR"
	}
	return "INFO"
}

// journal gets the log records of all servers and passes each to its act.
type journal struct{ c *chaos }

// Write takes one record.
func (j *journal) Write(p []byte) (int, error) {
	l := line{raw: strings.TrimSpace(string(p))}
	if err := json.Unmarshal(p, &l); err != nil {
		return 0, err
	}
	a := j.c.find(l.Path)
	if a == nil {
		j.c.fault("a log record without a request, or one too many: " + l.raw)
		return len(p), nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch l.Text {
	case "http request":
		a.lines = append(a.lines, l)
		if len(a.lines) == 1 {
			close(a.logged)
		}
	case "http handler ended late":
		a.notes = append(a.notes, l)
		if len(a.notes) == 1 {
			close(a.noted)
		}
	default:
		a.faults = append(a.faults, "what is this: "+l.raw)
	}
	return len(p), nil
}

// complaints are the messages in the error logs of servers and frameworks.
type complaints struct {
	mu   sync.Mutex
	said []string
}

// expected are the messages that are allowed. On HTTP/2 the handler has its own
// goroutine, which may begin after the answer at the deadline. errmap's message about
// the handler's error then belongs to no request.
var expected = regexp.MustCompile(`^errmap: 504 for [A-Z]+ "/act/[^"]+": "context deadline exceeded"$`)

func (c *complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text := strings.TrimSpace(string(p)); len(c.said) < enough && !expected.MatchString(text) {
		c.said = append(c.said, "complaint: "+text)
	}
	return len(p), nil
}

func (c *complaints) unknown() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said
}

// stock is what a run must not leak.
type stock struct {
	goroutines, files int
	heap              uint64
}

func takeStock() stock {
	runtime.GC()
	runtime.GC() // the second one frees what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return stock{runtime.NumGoroutine(), descriptors(), m.HeapAlloc}
}

// descriptors returns the number of open descriptors, 0 if the system does not say.
func descriptors() int {
	open, _ := os.ReadDir("/proc/self/fd")
	return len(open)
}

// growth is how much the heap may grow, in bytes, for the tables of this test, and for
// what the runtime keeps of the largest number of goroutines, some for each of the
// requests that ask for all permits.
func growth() uint64 { return 4<<20 + uint64(permits()*len(places))<<11 }

func (s stock) compare(t *testing.T) {
	deadline := time.Now().Add(patience)
	now := takeStock()
	for (now.goroutines > s.goroutines || now.files > s.files) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond) // the kernel and the runtime do not report when they are done
		now = takeStock()
	}
	t.Logf("goroutines %d → %d, descriptors %d → %d, heap %d → %d KiB",
		s.goroutines, now.goroutines, s.files, now.files, s.heap>>10, now.heap>>10)
	if !assert.LessOrEqual(t, now.goroutines, s.goroutines, "goroutines") {
		buf := make([]byte, 1<<20)
		fmt.Printf("%s\n", buf[:runtime.Stack(buf, true)])
	}
	assert.LessOrEqual(t, now.files, s.files, "descriptors")
	assert.LessOrEqual(t, now.heap, s.heap+growth(), "bytes on the heap")
}
