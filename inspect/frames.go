package inspect

import (
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// module is the path of Bulwark's module.
const module = "github.com/bulwark-go/bulwark"

// packageOf returns the import path in the name of a function.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/')
	if i := strings.IndexByte(function[slash+1:], '.'); i >= 0 {
		return function[:slash+1+i]
	}
	return function
}

// root is the directory of Bulwark's module, in the form that this build uses for
// file names.
var root = func() string {
	_, file, _, _ := runtime.Caller(0)
	return strings.TrimSuffix(file, "inspect/frames.go")
}()

// ours reports whether a frame is in one of Bulwark's packages, and not in its
// tests or examples. It looks at the file, because an inlined function literal of
// Bulwark has the name of the function around it. Adapters are modules with their
// own directories.
func ours(f frame) bool {
	if rest, ok := strings.CutPrefix(packageOf(f.Function), module+"/adapters/"); ok {
		return !strings.HasSuffix(rest, "_test")
	}
	file, ok := strings.CutPrefix(f.File, root)
	if !ok || strings.HasSuffix(file, "_test.go") {
		return false
	}
	switch dir, rest, _ := strings.Cut(file, "/"); dir {
	case "timeout", "limits", "errmap", "logging", "quota", "inspect":
		return true
	case "internal":
		return !strings.HasPrefix(rest, "itest/")
	default:
		return rest == "" // the root package
	}
}

// server reports whether a function is in a package that serves HTTP.
func server(function string) bool {
	p := packageOf(function)
	return p == "net/http" || strings.HasPrefix(p, "net/http/internal/") || p == "golang.org/x/net/http2"
}

// dispatch has the functions with which net/http calls a handler.
var dispatch = map[string]bool{
	"net/http.HandlerFunc.ServeHTTP": true, "net/http.(*ServeMux).ServeHTTP": true, "net/http.StripPrefix.func1": true,
}

// parked reports whether a frame belongs to the runtime and makes a goroutine wait.
func parked(f frame) bool {
	switch packageOf(f.Function) {
	case "runtime":
		return true
	case "sync", "internal/sync", "internal/poll", "internal/runtime/sync":
		_, name, _ := strings.Cut(f.Function, ".")
		return strings.HasPrefix(name, "runtime_")
	}
	return false
}

// handlerFrames returns a handler's stack without the frames that all handlers
// have: those of the runtime, the server and Bulwark. If a stack has no other
// frames, it is returned unchanged.
func handlerFrames(all []frame) []frame {
	end := len(all)
	for end > 0 && (ours(all[end-1]) || server(all[end-1].Function) || packageOf(all[end-1].Function) == "runtime") {
		end--
	}
	begin := 0
	for begin < end-1 && parked(all[begin]) {
		begin++
	}
	var kept []frame
	for _, f := range all[begin:end] {
		if !ours(f) && !dispatch[f.Function] {
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 {
		return all
	}
	return kept
}

// application distinguishes the functions of the program from those of libraries.
type application struct{ prefix string }

func newApplication() application {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path != "" {
		return application{info.Main.Path}
	}
	return application{"main"}
}

func (a application) has(function string) bool {
	p := packageOf(function)
	return p == "main" || p == a.prefix || strings.HasPrefix(p, a.prefix+"/") || p == a.prefix+"_test"
}

// Bounds of a stack in a log record.
const (
	maxFrames  = 32
	maxCallees = 3 // frames of libraries that the application's innermost frame has called
	maxText    = 4 << 10
)

// text returns a stack in the format of debug.Stack. The application's own frames
// are within the first few lines.
func (a application) text(frames []frame) string {
	for i, f := range frames {
		if a.has(f.Function) {
			frames = frames[max(0, i-maxCallees):]
			break
		}
	}
	var b strings.Builder
	for i, f := range frames {
		line := f.Function + "\n\t" + f.File + ":" + strconv.FormatInt(f.Line, 10) + "\n"
		if i == maxFrames || b.Len()+len(line) > maxText {
			b.WriteString("…\n")
			break
		}
		b.WriteString(line)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
