//go:build wire

package faults_test

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/itest/raw"
	"github.com/bulwark-go/bulwark/logging"
)

// TestMain lets more tests run in parallel than there are processors: nearly all of
// them wait, most for a deadline.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// limit is the deadline in tests that wait for one: long enough for a busy machine
// to get a request to its handler.
const limit = 300 * time.Millisecond

// latch is opened once: by the test, or by a cleanup that is registered after that of
// the server, so that the handlers return before the server waits for them.
type latch chan struct{}

func (l latch) open() {
	if !l.isOpen() {
		close(l)
	}
}

func (l latch) isOpen() bool {
	select {
	case <-l:
		return true
	default:
		return false
	}
}

// await waits for c.
func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(raw.Patience):
		t.Error("timed out waiting for " + what)
	}
}

// promptly repeats f, which returns how long after the deadline something happened that
// has 5 ms, such as the return of a handler that follows its context, until that is well
// within the 5 ms. A busy machine may need longer, which is not a fault.
func promptly(t *testing.T, f func(t *testing.T) (took time.Duration, check func())) {
	t.Helper()
	for range 50 {
		if took, check := f(t); took < 2*time.Millisecond {
			check()
			return
		}
	}
	t.Log("the machine is too busy for a handler to come back in time")
	t.Fail()
}

// line is the part of a log record that is compared.
type line struct {
	Status, Intended int
	Outcome          logging.Outcome
	Abandoned        bool
	Route            string
}

func lineOf(r logging.Record) line {
	return line{r.Status, r.StatusIntended, r.Outcome, r.Abandoned, r.Route}
}

// recordOf returns the next record of a path and skips others.
func recordOf(t *testing.T, records *raw.Records, path string) logging.Record {
	t.Helper()
	for !t.Failed() {
		if r := records.Next(t); r.Path == path {
			return r
		}
	}
	return logging.Record{}
}

// alone checks that there are no more records.
func alone(t *testing.T, records *raw.Records) {
	t.Helper()
	for _, r := range records.Rest() {
		assert.Fail(t, "another log record", "%+v", lineOf(r))
	}
}
