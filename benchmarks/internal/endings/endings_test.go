package endings_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bulwark-go/bulwark/benchmarks/internal/endings"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// promised is what Bulwark promises.
var promised = map[string]endings.Cell{
	"heeded deadline":              {"504, at the deadline", "504 deadline"},
	"ignored context":              {"504, at the deadline", "504 deadline"},
	"stalled upload":               {"408, at the deadline", "408 deadline"},
	"flushed, then late":           {"200, aborted, at the deadline", "200 deadline"},
	"client gone":                  {"has left", "499 client_gone"},
	"WriteTimeout":                 {"connection closed, no response", "write_timeout"},
	"panic":                        {"500", "500 panic"},
	"panic in the response":        {"200, aborted", "200 panic"},
	"http.ErrAbortHandler":         {"200, aborted", "200 aborted"},
	"too many at once":             {"503", "503 refused; 200 ok"},
	"after a panic":                {"200", "500 panic; 200 ok"},
	"too large, stalling":          {"413", "413 refused"},
	"too large, chunked, stalling": {"413", "413 ok"},
	"zip bomb":                     {"413, the handler got 1 MiB", "413 ok"},
	"retained body":                {"an error", ""},
	"103 Early Hints":              {"103, 200", "200 ok"},
	"a stream's first event":       {"200, at once", "200 ok"},
	"Upgrade":                      {"101", "101 upgraded"},
	"forged X-Forwarded-For":       {"200", "the client"},
	"token in the query":           {"200", "nothing"},
}

// TestPromises: Bulwark's column of the table is what was promised.
func TestPromises(t *testing.T) {
	scenarios := endings.Scenarios()
	require.Len(t, scenarios, len(promised))
	bulwark := stacks.Endings()[0]
	require.Equal(t, stacks.Bulwark, bulwark.Name)
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, promised[s.Name], s.Run(bulwark))
		})
	}
}
