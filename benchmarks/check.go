package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/bulwark-go/bulwark/benchmarks/internal/report"
)

// judge runs the command for -check, which takes no other flags.
func (o *options) judge(fs *flag.FlagSet) error {
	if fs.NFlag() > 1 {
		return errors.New("-check cannot be combined with other flags")
	}
	if fs.NArg() > 1 {
		return fmt.Errorf("unexpected argument %q", fs.Arg(1))
	}
	o.check = cmp.Or(fs.Arg(0), filepath.Join("benchmarks", "results.json"))
	return nil
}

// check compares the figures of a stored run with their bounds.
func check(name string, w io.Writer) error {
	file, err := os.ReadFile(name) //nolint:gosec // the caller has named the file
	if err != nil {
		return err
	}
	missed, err := report.Check(bytes.NewReader(file), w)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if missed > 0 {
		return fmt.Errorf("%s: bounds missed: %d", name, missed)
	}
	return nil
}
