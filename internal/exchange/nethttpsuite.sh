#!/usr/bin/env bash
# Runs net/http's own test suite with Bulwark between server and handler.
#
#   internal/exchange/nethttpsuite.sh [STACK ...]
#
# STACK is one of logging, limits, timeout, all; all four without an argument.
# GOTOOLCHAIN chooses the Go release. Every top-level test that passes bare must
# pass wrapped; the script prints both counts and fails on the first difference.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
stacks=("$@")
[ ${#stacks[@]} -gt 0 ] || stacks=(logging limits timeout all)

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

goroot=$(cd "$here" && go env GOROOT)
gobin=$goroot/bin/go
sync=$(cd "$here" && go list -deps -f '{{with .Module}}{{if eq .Path "golang.org/x/sync"}}{{.Dir}}{{end}}{{end}}' ./limits | head -n 1)

# A GOROOT of our own: net/http is tested in its place, and its tests import us
# as they import everything that is not part of the standard library.
mkdir "$work/go"
for f in bin pkg lib go.env VERSION; do ln -s "$goroot/$f" "$work/go/$f"; done
cp -R "$goroot/src" "$work/go/src"
chmod -R u+w "$work/go/src"
vendor=$work/go/src/vendor
mkdir -p "$vendor/github.com/bulwark-go/bulwark" "$vendor/golang.org/x/sync"
for p in timeout limits errmap logging internal; do cp -R "$here/$p" "$vendor/github.com/bulwark-go/bulwark/"; done
cp "$here"/bulwark.go "$vendor/github.com/bulwark-go/bulwark/"
[ ! -f "$here/doc.go" ] || cp "$here/doc.go" "$vendor/github.com/bulwark-go/bulwark/"
[ -z "$sync" ] || cp -R "$sync/semaphore" "$vendor/golang.org/x/sync/"
chmod -R u+w "$vendor"
find "$vendor/github.com/bulwark-go" "$vendor/golang.org/x/sync" -name '*_test.go' -delete

suite=$work/go/src/net/http
cat > "$suite/bulwark_test.go" <<'GO'
package http_test

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/bulwark-go/bulwark"
	"github.com/bulwark-go/bulwark/limits"
	"github.com/bulwark-go/bulwark/logging"
	"github.com/bulwark-go/bulwark/timeout"
)

func bulwarkStack(h http.Handler) http.Handler {
	if h == nil {
		h = http.DefaultServeMux
	}
	var (
		logged  = logging.New(logging.Config{Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))})
		limited = limits.New(limits.Config{MaxBodyBytes: 1 << 40})
		timed   = timeout.New(timeout.Config{Limit: time.Hour})
	)
	// logging echoes the request's id by design; the suite compares headers.
	unnamed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("X-Request-Id")
		h.ServeHTTP(w, r)
	})
	switch os.Getenv("BULWARK_STACK") {
	case "logging":
		return logged(unnamed)
	case "limits":
		return limited(h)
	case "timeout":
		return timed(h)
	case "all":
		return bulwark.Chain(logged, timed, limited)(unnamed)
	}
	return h
}
GO
sed -i '/^func newClientServerTest(/a\	h = bulwarkStack(h)' "$suite/clientserver_test.go"
grep -q 'h = bulwarkStack(h)' "$suite/clientserver_test.go" || { echo "clientserver_test.go is not as expected" >&2; exit 1; }

export GOROOT=$work/go GOWORK=off GOFLAGS=-mod=mod
cd "$suite"
GOTOOLCHAIN=local "$gobin" test -c -o "$work/http.test" net/http

# run STACK: the names of the tests that pass, one a line.
run() {
	BULWARK_STACK=$1 timeout 300 "$work/http.test" -test.short -test.v > "$work/$1.out" 2>&1 || true
	sed -n 's/^--- PASS: \([^ ]*\).*/\1/p' "$work/$1.out" | sort > "$work/$1.pass"
	echo "$1: $(wc -l < "$work/$1.pass") passed, $(grep -c '^--- FAIL' "$work/$1.out" || true) failed"
}

"$gobin" version
run bare
[ -s "$work/bare.pass" ] || { tail -50 "$work/bare.out" >&2; exit 1; }
status=0
for stack in "${stacks[@]}"; do
	run "$stack"
	lost=$(comm -23 "$work/bare.pass" "$work/$stack.pass")
	if [ -n "$lost" ]; then
		status=1
		echo "passes bare and not with $stack:" >&2
		echo "$lost" >&2
		for t in $lost; do grep -n -A 12 -e "--- FAIL: $t" "$work/$stack.out" | head -40 >&2 || true; done
		tail -5 "$work/$stack.out" >&2
	fi
done
exit $status
