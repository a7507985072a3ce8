package report

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Write writes the page, the plots and the bounds to dir, which must exist.
func (p Page) Write(dir string) error {
	for _, s := range p.Sections {
		for _, plot := range s.Plots {
			if err := write(filepath.Join(dir, plot.File), plot.SVG); err != nil {
				return err
			}
		}
		for _, plot := range s.Lines {
			if err := write(filepath.Join(dir, plot.File), plot.SVG); err != nil {
				return err
			}
		}
	}
	name := cmp.Or(p.Name, "RESULTS")
	if err := write(filepath.Join(dir, strings.ToLower(name)+".json"), p.JSON); err != nil {
		return err
	}
	return write(filepath.Join(dir, name+".md"), p.Markdown)
}

func write(name string, content func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := content(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
