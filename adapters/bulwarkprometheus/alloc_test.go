//go:build !race

package bulwarkprometheus_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"

	"github.com/bulwark-go/bulwark/adapters/bulwarkprometheus"
	"github.com/bulwark-go/bulwark/logging"
)

func TestRequestAllocatesNothing(t *testing.T) {
	m := bulwarkprometheus.New(bulwarkprometheus.Config{Registerer: prometheus.NewRegistry()})
	server, client := m.Server(logging.Config{}), m.Client(logging.TransportConfig{})
	r := logging.Record{
		Method: "GET", Scheme: "http", Route: "/users/{id}", Proto: "1.1", Status: 200, Outcome: logging.OutcomeOK,
		Start: time.Now(), Duration: time.Millisecond, Server: "third.example", Port: 443,
	}
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		server.OnStart(t.Context(), r)
		server.OnRecord(t.Context(), r)
		client.OnStart(t.Context(), r)
		client.OnRecord(t.Context(), r)
	}))
}
