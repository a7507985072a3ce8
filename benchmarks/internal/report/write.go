package report

import (
	"io"
	"os"
	"path/filepath"
)

// Write writes RESULTS.md and the plots to dir, which must exist.
func (p Page) Write(dir string) error {
	for _, s := range p.Sections {
		for _, plot := range s.Plots {
			if err := write(filepath.Join(dir, plot.File), plot.SVG); err != nil {
				return err
			}
		}
	}
	return write(filepath.Join(dir, "RESULTS.md"), p.Markdown)
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
