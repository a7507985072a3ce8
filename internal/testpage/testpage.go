// Package testpage compares the code on a page of documentation with the code of
// the tests that run it.
package testpage

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// block matches the blocks of Go on a page of Markdown.
var block = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// Shows reports each block of Go on the page that is not in files unchanged. It
// returns all blocks, joined.
func Shows(t testing.TB, page string, files ...string) (shown string) {
	t.Helper()
	var code, all strings.Builder
	for _, name := range files {
		code.WriteString(read(t, name))
	}
	for _, b := range block.FindAllStringSubmatch(read(t, page), -1) {
		if !strings.Contains(code.String(), "\n"+b[1]) {
			t.Errorf("%s: no test has the code\n%s", page, b[1])
		}
		all.WriteString(b[1])
	}
	if all.Len() == 0 {
		t.Errorf("%s shows no code", page)
	}
	return all.String()
}

// ShowsAll is like Shows. It also reports every match of the pattern in files that
// the page does not show.
func ShowsAll(t testing.TB, pattern, page string, files ...string) {
	t.Helper()
	shown := Shows(t, page, files...)
	for _, name := range files {
		for _, s := range regexp.MustCompile(pattern).FindAllString(read(t, name), -1) {
			if !strings.Contains(shown, s) {
				t.Errorf("%s does not show %q of %s", page, s, name)
			}
		}
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name) //nolint:gosec // a page of the repository
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
