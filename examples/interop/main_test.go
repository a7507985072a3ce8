package interop_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// limit is the deadline of requests that are to reach it. Nothing that a test
	// expects has to happen within it.
	limit = 30 * time.Millisecond

	// silence is the longest that a stream may be silent: what it says at first has
	// to be said within it.
	silence = 200 * time.Millisecond

	// handshake is the deadline within which a connection has to be upgraded, and
	// which it then has to outlive.
	handshake = 500 * time.Millisecond

	// ample is the deadline of those that are not.
	ample = time.Minute

	// watchdog ends a test that hangs. Nothing is expected to come near it.
	watchdog = 20 * time.Second
)
