package conformance_test

import (
	"testing"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/internal/itest/internal/frameworks"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	goleak.VerifyTestMain(m)
}

type (
	middleware = frameworks.Middleware
	route      = frameworks.Route
	setup      = frameworks.Setup
)

var setups = frameworks.All

func colons(pattern string) string { return frameworks.Colons(pattern) }
