// Command words checks comments, documents and messages for words and constructions
// that do not belong there. It reads the files that git tracks.
//
//	go run ./internal/words
//
// A line that must have such a word is listed in exceptions.txt with the reason.
package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// own is this directory, which is not checked because it contains the words.
const own = "internal/words/"

//go:embed exceptions.txt
var exceptions string

func main() {
	files, err := tracked()
	if err == nil {
		err = run(files, os.ReadFile, exceptions)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tracked returns the files that git tracks, relative to the working directory.
func tracked() ([]string, error) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return nil, fmt.Errorf("words: git ls-files: %w", err)
	}
	return strings.Split(strings.TrimRight(string(out), "\x00"), "\x00"), nil
}

// run checks the files. Its error lists every finding, one per line.
func run(files []string, read func(string) ([]byte, error), exceptions string) error {
	allowed, err := parse(exceptions)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		if !relevant(file) || skipped(file) {
			continue
		}
		content, err := read(file)
		if errors.Is(err, os.ErrNotExist) { // deleted, but not committed
			continue
		}
		if err != nil {
			return fmt.Errorf("words: %w", err)
		}
		errs = append(errs, check(file, content, allowed)...)
	}
	for _, e := range allowed {
		if !e.used {
			errs = append(errs, fmt.Errorf("internal/words/exceptions.txt: no finding in %s on a line with %q", e.file, e.fragment))
		}
	}
	return errors.Join(errs...)
}

// relevant reports whether the file has text that people read and that was written
// for this repository.
func relevant(file string) bool {
	if strings.Contains(file, "/testdata/") {
		return false
	}
	switch path.Ext(file) {
	case ".go", ".md", ".yml", ".yaml", ".sh":
		return true
	default:
		return file == ".ci/run"
	}
}

func skipped(file string) bool {
	return strings.HasPrefix(file, own)
}

// check returns the findings in a file.
func check(file string, content []byte, allowed []*exception) (errs []error) {
	for i, line := range bytes.Split(content, []byte("\n")) {
		for _, r := range rules {
			found := r.pattern.Find(line)
			if found == nil || excepted(file, string(line), allowed) {
				continue
			}
			errs = append(errs, fmt.Errorf("%s:%d: %q: instead: %s", file, i+1, bytes.TrimSpace(found), r.instead))
		}
	}
	return errs
}

// exception allows findings on lines of a file that contain a fragment.
type exception struct {
	file, fragment string
	used           bool
}

// parse reads lines of a file, a fragment of its line and a reason, separated by tabs.
func parse(list string) ([]*exception, error) {
	var all []*exception
	for line := range strings.Lines(list) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || slices.Contains(fields, "") {
			return nil, fmt.Errorf("internal/words/exceptions.txt: want file, fragment and reason, separated by tabs: %q", line)
		}
		all = append(all, &exception{file: fields[0], fragment: fields[1]})
	}
	return all, nil
}

func excepted(file, line string, allowed []*exception) bool {
	for _, e := range allowed {
		if e.file == file && strings.Contains(line, e.fragment) {
			e.used = true
			return true
		}
	}
	return false
}
