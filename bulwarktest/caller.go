package bulwarktest

import (
	"net/http"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
)

// caller returns the source line that used a ResponseWriter. It is the innermost
// line outside the standard library and Bulwark.
func caller() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	std := standardLibrary()
	innermost := ""
	for {
		f, more := frames.Next()
		at := filepath.Base(f.File) + ":" + strconv.Itoa(f.Line)
		if innermost == "" {
			innermost = at
		}
		own := strings.HasPrefix(f.Function, "github.com/bulwark-go/bulwark/") && !strings.HasSuffix(f.File, "_test.go")
		if std != "" && f.File != "" && !own && !strings.HasPrefix(f.File, std) {
			return at
		}
		if !more {
			return innermost
		}
	}
}

// standardLibrary returns the directory with the source of the standard library. In
// a binary that was built with -trimpath it returns "", because the names of those
// files look like others.
func standardLibrary() string {
	file, _ := runtime.FuncForPC(reflect.ValueOf(http.Error).Pointer()).FileLine(reflect.ValueOf(http.Error).Pointer())
	return strings.TrimSuffix(file, "net/http/server.go")
}
