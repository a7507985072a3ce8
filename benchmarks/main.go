package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bulwark-go/bulwark/benchmarks/internal/costs"
	"github.com/bulwark-go/bulwark/benchmarks/internal/endings"
	"github.com/bulwark-go/bulwark/benchmarks/internal/overload"
	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
)

func main() {
	parse, run, args := parse, run, os.Args[1:]
	switch first := append(args, "")[0]; first {
	case "overload":
		parse, run, args = parseOverload, runOverload, args[1:]
	case costs.ServeCommand:
		if err := costs.Serve(args[1:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintf(os.Stderr, "benchmarks: %v\n", err)
			os.Exit(1)
		}
		return
	}
	o, err := parse(args, os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "benchmarks: %v\n", err)
		os.Exit(2)
	}
	if err := run(o, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "benchmarks: %v\n", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	rows    []costs.Row
	effort  costs.Effort
	out     string
	partial string
	short   bool
	check   string // the file for -check; "" for a run

	overload overload.Effort // for the command overload
}

// parse prints the usage only for -h. The error for a mistyped flag is one line.
func parse(args []string, usage io.Writer) (options, error) {
	o := options{rows: rows(), effort: costs.Full}
	fs := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	rounds := fs.Int("rounds", 0, "rounds of turns for handlers in this process (default 1000, with -short 50); slower measurements have proportionally fewer")
	only := fs.String("only", "", "`rows` to run, by comma: "+strings.Join(names(o.rows), ", ")+" (default all)")
	short := fs.Bool("short", false, "a quick look of about a minute; the figures have no meaning")
	fs.StringVar(&o.out, "out", "benchmarks", "existing `directory` for RESULTS.md, results.json and the plots")
	check := fs.Bool("check", false, "do not measure; read a results.json (the argument, or benchmarks/results.json), print each bound with its figure, and fail if a bound is missed")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(usage)
		fmt.Fprintln(usage, "Usage of benchmarks:")
		fs.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	case *check:
		return o, o.judge(fs)
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case *rounds < 0:
		return o, fmt.Errorf("-rounds must not be negative: %d", *rounds)
	}
	if info, err := os.Stat(o.out); err != nil || !info.IsDir() {
		return o, fmt.Errorf("-out is not a directory: %s", o.out)
	}
	if *short {
		o.effort, o.short = costs.Short, true
	}
	if *rounds > 0 {
		o.effort.Rounds = *rounds
	}
	if *only != "" {
		return o, o.choose(*only)
	}
	return o, nil
}

// choose selects the rows that are named.
func (o *options) choose(only string) error {
	all, chosen := o.rows, strings.Split(only, ",")
	o.rows = nil
	for _, name := range chosen {
		if !slices.Contains(names(all), name) {
			return fmt.Errorf("-only: there is no row %q, only: %s", name, strings.Join(names(all), ", "))
		}
	}
	for _, r := range all {
		if slices.Contains(chosen, r.Name) {
			o.rows = append(o.rows, r)
		}
	}
	o.partial = "only " + only
	return nil
}

func names(rows []costs.Row) []string {
	var s []string
	for _, r := range rows {
		s = append(s, r.Name)
	}
	return s
}

// rows returns the rows of the cost table, and the endings.
func rows() []costs.Row {
	return append(costs.Rows(), costs.Row{Name: "endings", Run: func(costs.Effort) (report.Section, error) { return endings.Section() }})
}

// run measures the rows, reports its progress, and writes the results.
func run(o options, progress io.Writer) error {
	if o.check != "" {
		return check(o.check, os.Stdout)
	}
	page := report.Page{Run: report.Here()}
	var err error
	if page.Appendix, err = overloadSections(o.out); err != nil {
		return err
	}
	page.Run.Partial, page.Run.Short = o.partial, o.short
	start := time.Now()
	for i, r := range o.rows {
		fmt.Fprintf(progress, "[%2d/%d] %-16s", i+1, len(o.rows), r.Name)
		began := time.Now()
		s, err := r.Run(o.effort)
		if err != nil {
			fmt.Fprintln(progress)
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		s.Name = r.Name
		page.Sections = append(page.Sections, s)
		fmt.Fprintf(progress, " %5.1f s%s\n", time.Since(began).Seconds(), missed(s))
	}
	page.Run.Finished, page.Run.Took = time.Now(), time.Since(start)
	if err := page.Write(o.out); err != nil {
		return err
	}
	fmt.Fprintf(progress, "RESULTS.md, results.json and plots are in %s, after %v\n", o.out, page.Run.Took.Round(time.Second))
	return nil
}

// missed lists the bounds of a row that were not held.
func missed(s report.Section) string {
	var m []string
	for _, b := range s.Bounds {
		if !b.Held() {
			m = append(m, fmt.Sprintf("missed: %s %s, was %s", b.What, b.Want(), b.Got()))
		}
	}
	if len(m) == 0 {
		return ""
	}
	return "  " + strings.Join(m, "; ")
}
