package interop_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// limit is the deadline of requests that must reach it. Nothing that a test expects has
	// to happen before it.
	limit = 30 * time.Millisecond

	// silence is the longest silence that a stream may have. Its first write has to happen
	// within it.
	silence = 200 * time.Millisecond

	// handshake is the deadline before which a connection has to be upgraded, and which it
	// must outlive.
	handshake = 500 * time.Millisecond

	// ample is the deadline of all other requests.
	ample = time.Minute

	// watchdog ends a test that hangs. Nothing is expected to take nearly as long.
	watchdog = 20 * time.Second
)
