//go:build !race

package bulwarkotel_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/adapters/bulwarkotel"
	"github.com/bulwark-go/bulwark/logging"
)

// The remaining allocations are the SDK's.
func TestRequestAllocatesNothing(t *testing.T) {
	server, client, _ := hooks(t, bulwarkotel.Config{})
	r := logging.Record{
		Method: "GET", Scheme: "http", Route: "/users/{id}", Proto: "1.1", Status: 200, Outcome: logging.OutcomeOK,
		Start: time.Now(), Duration: time.Millisecond, Server: "third.example", Port: 443,
	}
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		server.OnStart(t.Context(), r)
		server.OnReturn(t.Context(), "", nil)
		server.OnRecord(t.Context(), r)
		client.OnStart(t.Context(), r)
		client.OnRecord(t.Context(), r)
	}))
}
