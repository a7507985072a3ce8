package timeout_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// limit is the deadline of tests on real sockets: long enough for two busy cores, short
	// enough for many tests.
	limit = 60 * time.Millisecond

	// soon is long before the client gives up.
	soon = 5 * time.Second
)
