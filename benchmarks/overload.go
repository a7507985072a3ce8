package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/overload"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
)

// parseOverload is parse for "benchmarks overload".
func parseOverload(args []string, usage io.Writer) (options, error) {
	o := options{overload: overload.Full}
	flags := flag.NewFlagSet("benchmarks overload", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.out, "out", "benchmarks", "existing `directory` for OVERLOAD.md and the plot")
	short := flags.Bool("short", false, "a quick look with two loads; the figures have no meaning")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(usage)
		fmt.Fprintln(usage, "Usage of benchmarks overload:")
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if info, err := os.Stat(o.out); err != nil || !info.IsDir() {
		return o, fmt.Errorf("-out is not a directory: %s", o.out)
	}
	if *short {
		o.overload, o.short = overload.Short, true
	}
	return o, nil
}

// runOverload runs the simulation and writes a separate page, because it takes
// longer than all other rows and has other readers.
func runOverload(o options, progress io.Writer) error {
	page := report.Page{
		Name: "OVERLOAD", Title: "Overload", Command: "go run ./benchmarks overload",
		Run: report.Here(),
	}
	page.Run.Short = o.short
	start := time.Now()
	s, err := overload.Section(o.overload, progress)
	if err != nil {
		return err
	}
	page.Sections = append(page.Sections, s)
	page.Run.Finished, page.Run.Took = time.Now(), time.Since(start)
	if err := page.Write(o.out); err != nil {
		return err
	}
	fmt.Fprintf(progress, "OVERLOAD.md and the plot are in %s, after %v%s\n", o.out, page.Run.Took.Round(time.Second), missed(s))
	return nil
}

// overloadSections returns the sections that the last overload run wrote to dir, or
// "" if there was none.
func overloadSections(dir string) (string, error) {
	page, err := os.ReadFile(filepath.Join(dir, "OVERLOAD.md")) //nolint:gosec // the caller has named the directory
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	_, sections, ok := strings.Cut(string(page), "\n## ")
	if !ok {
		return "", errors.New("OVERLOAD.md has no section")
	}
	title, rest, _ := strings.Cut(sections, "\n")
	return "\n## " + title + "\n\nFrom the run that [OVERLOAD.md](OVERLOAD.md) describes.\n" + rest, nil
}
