package endings

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
	"github.com/bulwark-go/bulwark/benchmarks/internal/stacks"
)

// Section runs every scenario against every library.
func Section() (report.Section, error) {
	restore, err := quiet()
	if err != nil {
		return report.Section{}, err
	}
	defer restore()
	libraries := stacks.Endings()
	t := report.Table{Head: []string{"ending"}}
	for _, l := range libraries {
		t.Head = append(t.Head, strings.Replace(l.Name, ": ", ":\n", 1))
	}
	about := []string{
		fmt.Sprintf("Each cell was run over a real socket with HTTP/1. It has what the client got, and below it the status and, if there is one, the outcome in the log record. The deadline is %v, stuck handlers are released after %v, and the client hangs up after %v.", limit, release, patience),
	}
	for _, s := range Scenarios() {
		row := []string{"**" + s.Name + "**"}
		for _, c := range side(s, libraries) {
			row = append(row, c.String())
		}
		t.Rows = append(t.Rows, row)
		about = append(about, "* **"+s.Name+"**: "+s.About)
	}
	return report.Section{
		Title:  "How requests end",
		About:  about[0] + "\n\n" + strings.Join(about[1:], "\n"),
		Tables: []report.Table{t},
	}, nil
}

// side runs a scenario against all libraries at the same time, because a scenario
// mostly waits.
func side(s Scenario, libraries []stacks.Stack) []Cell {
	cells := make([]Cell, len(libraries))
	var all sync.WaitGroup
	for i, l := range libraries {
		all.Go(func() { cells[i] = s.Run(l) })
	}
	all.Wait()
	return cells
}

func (c Cell) String() string {
	if c.Log == "" {
		return c.Client
	}
	return c.Client + "\n*log: " + c.Log + "*"
}

// quiet discards standard output, because the recovery of slog-http prints stacks
// there.
func quiet() (restore func(), err error) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	stdout := os.Stdout
	os.Stdout = null
	return func() {
		os.Stdout = stdout
		null.Close()
	}, nil
}
