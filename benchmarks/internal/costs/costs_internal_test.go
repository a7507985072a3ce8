package costs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestGoroutines tells those who start one from those who do not.
func TestGoroutines(t *testing.T) {
	assert.Zero(t, goroutines(stacks.Bulwark))
	assert.Equal(t, 1., goroutines(stacks.TimeoutHandler))
}
