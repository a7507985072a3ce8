package costs

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
)

const (
	header = "Host: bench\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: */*\r\n"
	kib    = 1 << 10
)

// get returns the bytes of a request without a body.
func get() []byte {
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\n%s\r\n", measure.Path, header)
}

// post returns the bytes of a request with a body of 1 KiB.
func post() []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", measure.Path, header, kib, strings.Repeat("x", kib))
}

// interleave runs the contenders, which must respond with the given status.
func (e Effort) interleave(raw []byte, status int, cs []measure.Contender) (measure.Costs, error) {
	return measure.Turns{Rounds: e.Rounds, Batch: e.Batch, Raw: raw, Status: status}.Interleave(cs)
}

// answers is a handler that responds with a little JSON. If reads is set, it reads
// the body. If asks is set, it calls Done, as handlers do that wait for something.
type answers struct{ reads, asks bool }

func (h answers) ServeHTTP(w http.ResponseWriter, r *http.Request) { _ = h.serve(w, r) }

var user = []byte(`{"id":42,"name":"Ada Lovelace","email":"ada@example.com"}`)

func (h answers) serve(w http.ResponseWriter, r *http.Request) error {
	if h.asks {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		default:
		}
	}
	if h.reads {
		var p [kib]byte
		for {
			_, err := r.Body.Read(p[:])
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(user)
	return err
}
