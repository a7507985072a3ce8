package respwriter

import (
	"errors"
	"net/http"
)

// Tracker records the final status that is written to a writer. It is for writers
// that may buffer: middleware around such a writer does not see the status at once.
// The other methods of the writer are found through Unwrap.
type Tracker struct {
	http.ResponseWriter
	Status int // 0: none
}

// Unwrap is for http.ResponseController.
func (t *Tracker) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// WriteHeader records the status if it is final. 101 is final.
func (t *Tracker) WriteHeader(status int) {
	if t.Status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		t.Status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

// Write records the 200 of a first write.
func (t *Tracker) Write(p []byte) (int, error) {
	t.Begin()
	return t.ResponseWriter.Write(p)
}

// Begin records the 200 that the server sends implicitly.
func (t *Tracker) Begin() {
	if t.Status == 0 {
		t.Status = http.StatusOK
	}
}

// FlushError flushes. A first flush sends a 200.
func (t *Tracker) FlushError() error {
	err := http.NewResponseController(t.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		t.Begin()
	}
	return err
}
