package timeout_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// limit is the deadline of tests on real sockets: long enough for two busy
	// cores, short enough for many tests.
	limit = 60 * time.Millisecond

	// watchdog ends a test that hangs. Nothing is expected to come near it.
	watchdog = 10 * time.Second
)
