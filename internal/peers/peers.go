// Package peers keeps the tables true in which each package says where it
// answers for what went wrong in the libraries that do its job today.
//
// A table is the comment of a peers_test.go, with a row for each such report:
//
//	T17  Flush panics            TestStreamIsNotHeldBack TestResponseControllerInTime
//	T10  a context is copied     "a sentence of the package's documentation"
package peers

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile(`\b(?:Test|Fuzz)\w+`)
	sentence = regexp.MustCompile(`"(.+?)"`)
)

// Check reports what is wrong with the table of the package whose tests run:
// a row that is missing from letter+first to letter+last or out of order, a test
// that does not exist, a sentence that is not in the documentation, and a row
// with neither.
func Check(t testing.TB, letter string, first, last int) {
	t.Helper()
	table, tests, doc := read(t)
	want := first
	for _, row := range regexp.MustCompile(`(?m)^//\t`+letter+`(\d+) .*$`).FindAllStringSubmatch(table, -1) {
		if row[1] != strconv.Itoa(want) {
			t.Errorf("%s%s stands where %s%d should", letter, row[1], letter, want)
			return
		}
		want++
		proofs := 0
		for _, name := range testName.FindAllString(row[0], -1) {
			proofs++
			if !strings.Contains(tests, "\nfunc "+name+"(") {
				t.Errorf("%s%s: there is no %s", letter, row[1], name)
			}
		}
		for _, s := range sentence.FindAllStringSubmatch(row[0], -1) {
			proofs++
			if !strings.Contains(doc, s[1]) {
				t.Errorf("%s%s: the documentation does not say %q", letter, row[1], s[1])
			}
		}
		if proofs == 0 {
			t.Errorf("%s%s: neither a test nor a sentence", letter, row[1])
		}
	}
	if want != last+1 {
		t.Errorf("the table ends before %s%d", letter, want)
	}
}

// read returns the package's table, its tests and its documentation, the latter
// on one line.
func read(t testing.TB) (table, tests, doc string) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		b, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Name() == "peers_test.go":
			table = string(b)
			tests += table
		case strings.HasSuffix(e.Name(), "_test.go"):
			tests += string(b)
		default:
			doc += string(b)
		}
	}
	doc = regexp.MustCompile(`\n\t*//`).ReplaceAllString(doc, " ")
	return table, tests, strings.Join(strings.Fields(doc), " ")
}
