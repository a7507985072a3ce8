package costs

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/measure"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// ServeCommand is the first argument of the program when it starts itself as a
// server. The second argument is the name of the server. The command is not for
// users.
const ServeCommand = "serve"

const bareServer = "bare"

// Serve runs the command ServeCommand.
func Serve(args []string, in io.Reader, out io.Writer) error {
	h := answers{asks: true}.serve
	for _, s := range stacks.Whole() {
		switch {
		case len(args) != 1:
		case args[0] == s.Name:
			return measure.ServeProcess(s.New(config(), h), in, out)
		case args[0] == bareServer && s.Name == stacks.Floor:
			return measure.ServeProcess(s.Bare(h), in, out)
		}
	}
	return fmt.Errorf("%s: no such server: %q", ServeCommand, args)
}

func cpu(e Effort) (report.Section, error) {
	load := measure.Load{Conns: conns, Requests: 1600, For: time.Minute}
	if e.Short {
		load.Requests = 320
	}
	s := report.Section{
		Title: "CPU time of a server under load",
		About: fmt.Sprintf("The CPU time of the whole server process for one request: median [quartiles] of interleaved rounds. Each server has its own process. They take turns at %d requests on %d connections over loopback, GET, to a handler that asks for Done. Each process measures its own time with getrusage. Reading, writing and the garbage collector are included.", load.Requests, conns),
	}
	cs, err := load.CPU(e.slow(200), get(), ServeCommand, []string{bareServer, stacks.Floor, stacks.Bulwark, stacks.Chi, stacks.Echo5})
	if errors.Is(err, errors.ErrUnsupported) {
		s.About += " Not measured here: the system has no getrusage."
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.Bounds = []report.Bound{report.AtMost("CPU time, × "+stacks.Floor, "%.2f", 1.05, cs.Ratio(stacks.Bulwark, stacks.Floor).Value)}
	t := report.Table{Head: []string{"", "µs a request", "× bare", "× " + stacks.Floor}}
	for _, c := range cs {
		t.Rows = append(t.Rows, []string{c.Name,
			fmt.Sprintf("%.1f [%.1f–%.1f]", c.Nanos.Median/1e3, c.Nanos.Q1/1e3, c.Nanos.Q3/1e3),
			ratioOf(cs.Ratio(c.Name, bareServer)), ratioOf(cs.Ratio(c.Name, stacks.Floor))})
	}
	s.Tables = []report.Table{t}
	return s, nil
}
