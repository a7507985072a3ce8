//go:build unix

package bulwarkredis_test

import (
	"context"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// silent discards what go-redis logs about servers that the tests stop.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func TestMain(m *testing.M) {
	redis.SetLogger(silent{})
	if os.Getenv(memberAddr) != "" {
		member()
		return
	}
	goleak.VerifyTestMain(m)
}
