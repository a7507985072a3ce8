package costs

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// TestMain runs the tests, or is one of their servers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ServeCommand {
		if err := Serve(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestGoroutines: stacks that start a goroutine are distinguished from those that do not.
func TestGoroutines(t *testing.T) {
	for name, want := range map[string]float64{stacks.Bulwark: 0, stacks.TimeoutHandler: 1} {
		got, err := goroutines(name)
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
	}
}
