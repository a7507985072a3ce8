#!/usr/bin/env bash
# Runs the test suites of other projects with Bulwark around the handler of every http.Server.
#
#   internal/itest/suites/projects.sh [NAME ...]
#
# NAME is the first word of a line of the table at the end. Without an argument all
# suites run. GOTOOLCHAIN chooses the Go release. The projects come from the module
# proxy.
#
# A patch of http.Server.Serve wraps the handler, so httptest's servers and the
# servers that a project starts itself have the stack. The stack is logging,
# timeout, limits and errmap's Recover, as bulwark.New makes it, with limits that no
# test reaches.
#
# Each test that is not left out by name must pass. A test that failed on a busy
# machine is run again alone, and must pass three times in a row. If it fails again,
# it is run without Bulwark until it fails there too, at most 100 times or for a
# minute. A test that fails only with Bulwark fails the script. The script reports
# the others.
set -euo pipefail
unset CI # in which some projects run tests that need more tools

only=("$@")

# shellcheck source=internal/itest/suites/goroot.sh
. "$(dirname "$0")/goroot.sh"
make_goroot

add projects/server.go net/http/bulwark.go
add projects/testdeps.go testing/internal/testdeps/bulwark.go
patch net/http/server.go 's/^type Server struct {/&\n\tbulwarkHandler Handler/'
patch net/http/server.go '/^func (s\(rv\)\? \*Server) Serve(l net.Listener) error {/a\	s.bulwark()'

served=$work/served out=$work/out
total=0 bad=()

# suite NAME MODULE PACKAGE [FLAG ...]: runs the tests of a package of MODULE, which is path@version or std.
suite() {
	local name=$1 module=$2 package=$3 t tries
	shift 3
	[ ${#only[@]} -eq 0 ] || [[ " ${only[*]} " == *" $name "* ]] || return 0
	source_of "$module" "$package"
	"$gobin" test -gcflags='all=-N -l' -c -o "$work/suite.test" .
	: >"$served"
	for tries in 1 2 3; do
		wrapped -test.short "$@" && break
		# Three times: a TestMain that counts goroutines may count one that is about to end.
		tests_passed || break
		echo "$name: failed after its tests:" && sed '1,/^PASS$/d' "$out" | head -n 20
	done
	if [ "$status" -ne 0 ]; then
		# After a panic or a timeout some tests have not run.
		if [ -z "$(failed "$out")" ] || grep -q '^panic: ' "$out"; then
			echo "$name: did not finish:" && tail -n 40 "$out"
			bad+=("$name")
			return 0
		fi
		cp "$out" "$work/first"
		for t in $(failed "$work/first"); do again "$name" "$t"; done
		cp "$work/first" "$out"
	fi
	total=$((total + $(passed "$out" | wc -l)))
	echo "$name: $(passed "$out" | wc -l) passed, $(failed "$out" | wc -l) failed, $(grep -c '^--- SKIP' "$out" || true) skipped; $(wc -c <"$served") requests through the stack"
	[ -s "$served" ] || { echo "$name: no request came through the stack" && bad+=("$name"); }
}

# source_of MODULE PACKAGE: changes the directory to a writable copy of a package,
# because many tests write files.
source_of() {
	local dir json
	if [ "$1" = std ]; then
		cd "$GOROOT/src/$2"
		return
	fi
	dir=$work/modules/${1//\//_}
	if [ ! -d "$dir" ]; then
		mkdir -p "$work/modules"
		cd "$work/modules" # a directory without a go.mod
		json=$("$gobin" mod download -json "$1") || { echo "$json" && exit 1; }
		cp -R "$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$json")" "$dir"
		chmod -R u+w "$dir"
	fi
	cd "$dir/$2"
}

# wrapped FLAG …: runs the test binary with Bulwark, with its output in $out and its
# exit status in $status.
wrapped() {
	status=0
	BULWARK_SERVED=$served timeout 150 "$work/suite.test" -test.v "$@" >"$out" 2>&1 </dev/null || status=$?
	return $status
}

# tests_passed: reports whether all tests of the last run passed, even if the run
# failed afterwards, in TestMain.
tests_passed() {
	[ -z "$(failed "$out")" ] && grep -q '^PASS$' "$out"
}

# again NAME TEST: runs a test alone, three times in a row, and if it fails without
# Bulwark.
again() {
	local alone=(-test.short -test.v -test.run "^$2\$") n end=$((SECONDS + 60))
	if wrapped "${alone[@]}" -test.count=3 || tests_passed; then
		echo "$1: $2 failed once and passes alone:" && sed -n "/^=== RUN   $2\$/,/^--- FAIL: $2 /p" "$work/first" | grep '_test.go' | head -n 8 || true
		total=$((total + 1))
		return
	fi
	echo "$1: $2 fails with Bulwark:" && tail -n 40 "$out"
	for ((n = 1; n <= 100 && SECONDS < end; n++)); do
		timeout 150 "$work/suite.test" "${alone[@]}" >"$work/bare" 2>&1 </dev/null && continue
		[ -n "$(failed "$work/bare")" ] || continue # TestMain failed, for a goroutine that had not ended
		echo "$1: $2 also fails without it, in run $n:" && tail -n 40 "$work/bare"
		return
	done
	bad+=("$1 $2")
}

# ---- the table. Tests that are left out by name need the Internet.

# httputil: proxied upgrades, of which one side is closed first. (The suite of
# net/http itself is in nethttp.sh.)
suite httputil std net/http/httputil
suite httptest std net/http/httptest

# Hijacked connections: WebSocket, upgrades through proxies, CONNECT. NATS reads the
# client's certificate from a hijacked connection.
suite gorilla-websocket github.com/gorilla/websocket@v1.5.3 .
# Only TestDialViaProxy has a server. Its proxy loses what is buffered of a hijacked connection, so without Bulwark it fails once in 100 times.
suite coder-websocket github.com/coder/websocket@v1.8.15 .
suite x-websocket golang.org/x/net@v0.62.0 websocket
# TestSimpleHttpRequest asks example.com. TestMITMRequestCancel expects the proxy to have ended a context that it ends after the response: without Bulwark
# it fails once in 15 to 18 times on two busy cores.
suite goproxy github.com/elazarl/goproxy@v1.9.4 . -test.skip='^(TestSimpleHttpRequest|TestMITMRequestCancel)$'
suite apimachinery k8s.io/apimachinery@v0.37.2 pkg/util/proxy
suite spdy k8s.io/streaming@v0.37.2 pkg/httpstream/spdy
suite remotecommand k8s.io/client-go@v0.37.2 tools/remotecommand
suite nats github.com/nats-io/nats-server/v2@v2.15.3 server -test.run='^TestWS' # the other tests hardly use net/http
suite caddy github.com/caddyserver/caddy/v2@v2.11.9 modules/caddyhttp/reverseproxy

# HTTP/2, streams in both directions, trailers.
suite x-http2 golang.org/x/net@v0.62.0 http2
suite x-h2c golang.org/x/net@v0.62.0 http2/h2c
suite connect connectrpc.com/connect@v1.21.1 .

# Middleware and routers between us and the handler.
suite chi github.com/go-chi/chi/v5@v5.5.0 .
suite chi-middleware github.com/go-chi/chi/v5@v5.5.0 middleware
suite gzhttp github.com/klauspost/compress@v1.20.4 gzhttp

echo "$total tests passed"
[ "$total" -gt 0 ] || { echo "no suite is called ${only[*]}" && exit 1; }
[ ${#bad[@]} -eq 0 ] || { printf 'failed: %s\n' "${bad[@]}" && exit 1; }
