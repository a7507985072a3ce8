//go:build unix

package store_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/examples/service/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(servers.Main{M: m}) }
