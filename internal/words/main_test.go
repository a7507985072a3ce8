package main

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Findings of one file with the given line.
func findings(line string) []error { return check("a.go", []byte(line), nil) }

func TestFound(t *testing.T) {
	for _, line := range []string{
		"// Default nil: nobody's.",
		"Whoever cancels a request",
		"a handler of one's own",
		"// Where it writes nothing, Default does.",
		"| Where nothing was sent | 499 |",
		"// joined is errors.Join on one line, nil where none is given.",
		"// the answer stands, also where there is no log",
		"is Server.MaxHeaderBytes' to bound",
		"which is the application's to count",
		"as slowly as it likes",
		"it goes to the log line",
		"// behaviour",
		"the request was cancelled",
		"func TestG48_G49_Disconnect(t *testing.T) {",
		"func TestErrorHandlerIsTold(t *testing.T) {",
		"func TestCancelIsNoPanic(t *testing.T) {",
		"func TestWrapWhereNextDoesNotRun(t *testing.T) {",
		"// the line says that the client had everything",
		"// matches tells whether the model allows it",
		"// outer middleware hands on another request",
		"// a departure of the client",
		"// It only matters where a test fails.",
	} {
		assert.NotEmpty(t, findings(line), line)
	}
}

func TestNotFound(t *testing.T) {
	for _, line := range []string{
		"// the address where the server listens",
		"// Where is the handler stuck?",
		"// the client's body is closed",
		"// it's to be closed by the caller",
		"// a log record, in one line",
		"// canceled by the client",
		"func TestHTTP2_Stream(t *testing.T) {",
		"func TestCancelIsNotAPanic(t *testing.T) {",
		"func TestIsNotFound(t *testing.T) {",
		"// the line of code in which it is stuck",
		"// it tells the server the budget",
		"// returns true when the handler has returned",
	} {
		assert.Empty(t, findings(line), line)
	}
}

func reader(content string) func(string) ([]byte, error) {
	return func(file string) ([]byte, error) {
		if file == "gone.go" {
			return nil, fs.ErrNotExist
		}
		return []byte(content), nil
	}
}

func TestRun(t *testing.T) {
	files := []string{"a.go", "b.md", "c.png", "gone.go", "x/testdata/d.md", own + "rules.go"}
	err := run(files, reader("fine\nnobody knows\n"), "")
	require.Error(t, err)
	assert.Equal(t, `a.go:2: "nobody": instead: name the actor: the client, the handler, the caller, you
b.md:2: "nobody": instead: name the actor: the client, the handler, the caller, you`, err.Error())
	require.NoError(t, run(files, reader("fine\n"), ""))
}

func TestExceptions(t *testing.T) {
	require.NoError(t, run([]string{"a.go"}, reader("nobody knows\n"), "# comment\n\na.go\tnobody knows\ta quotation\n"))
	require.ErrorContains(t, run([]string{"a.go"}, reader("fine\n"), "a.go\tnobody knows\ta quotation\n"), "no finding in a.go")
	require.ErrorContains(t, run(nil, nil, "a.go\tnobody knows\n"), "want file, fragment and reason")
}
