#!/usr/bin/env bash
# Runs net/http's own test suite with Bulwark between server and handler, or around
# the transport.
#
#   internal/itest/suites/nethttp.sh server [PART ...]
#   internal/itest/suites/nethttp.sh transport [PART ...]
#
# server puts the middleware between server and handler. transport puts the outbound
# transports around every http.Transport. PART is logging, limits, timeout or all;
# all means the three in their documented order. Without an argument all four parts
# run. GOTOOLCHAIN chooses the Go release. Every top-level test that passes without
# Bulwark must pass with each part. The script prints the counts and fails if they
# differ. No test is left out. Many tests have short timeouts: one that failed on a
# busy machine is run again alone, and must pass three times in a row.
#
# For transport, RoundTrip of http.Transport is patched to call NewTransport's
# RoundTripper. So http.Client still sees an http.Transport. With any other
# RoundTripper, http.Client uses a second timer to cancel, and whether its error
# says "Client.Timeout exceeded" depends on which timer is first, so tests of that
# error sometimes fail with every wrapper. Our own tests cover this case.
set -euo pipefail

usage="usage: nethttp.sh server|transport [PART ...]"
side=${1:?$usage}
shift
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(logging limits timeout all)

# shellcheck source=internal/itest/suites/goroot.sh
. "$(dirname "$0")/goroot.sh"
make_goroot

case $side in
server)
	add nethttp/server_test.go net/http/bulwark_test.go
	patch net/http/clientserver_test.go '/^func newClientServerTest(/a\	h = bulwarkStack(h)'
	;;
transport)
	add nethttp/transport.go net/http/bulwark.go
	add nethttp/transport_test.go net/http/bulwark_test.go
	# The wrapper is between http.Transport and its callers. The transport below the
	# wrapper is also an *http.Transport, as in real use.
	patch net/http/roundtrip.go 's/return t\.roundTrip(req)/return t.bulwarkRoundTrip(req)/'
	patch net/http/transport.go 's/^type Transport struct {/&\n\tbulwark bulwarkState/'
	# CancelRequest, which is deprecated, identifies a request by its address. The
	# transport below the wrapper has a copy of the request.
	patch net/http/transport.go 's/cancel := t\.reqCanceler\[req\]/var cancel context.CancelCauseFunc\n\tfor r, c := range t.reqCanceler {\n\t\tif r.URL == req.URL {\n\t\t\tcancel = c\n\t\t}\n\t}/'
	;;
*)
	echo "$usage" >&2
	exit 2
	;;
esac

cd "$GOROOT/src/net/http"
"$gobin" test -c -o "$work/http.test" net/http

# run PART: runs the tests and writes the names of those that pass to PART.pass.
run() {
	local t
	BULWARK_PART=$1 timeout 300 "$work/http.test" -test.short -test.v >"$work/$1.out" 2>&1 || true
	passed "$work/$1.out" >"$work/$1.pass"
	for t in $(failed "$work/$1.out"); do
		if BULWARK_PART=$1 timeout 60 "$work/http.test" -test.short -test.run "^$t\$" -test.count=3 >"$work/again" 2>&1; then
			echo "$1: $t failed once and passes alone:" && grep -A 8 -e "--- FAIL: $t" "$work/$1.out" | grep '_test.go' || true
			echo "$t" >>"$work/$1.pass"
		fi
	done
	sort -o "$work/$1.pass" "$work/$1.pass"
	echo "$1: $(wc -l <"$work/$1.pass") passed, $(failed "$work/$1.out" | wc -l) failed" $(failed "$work/$1.out")
}

run bare
[ -s "$work/bare.pass" ] || { tail -50 "$work/bare.out" >&2; exit 1; }
status=0
for part in "${parts[@]}"; do
	run "$part"
	lost=$(comm -23 "$work/bare.pass" "$work/$part.pass")
	if [ -n "$lost" ]; then
		status=1
		echo "passes bare and not with $part:" >&2
		echo "$lost" >&2
		for t in $lost; do grep -n -A 12 -e "--- FAIL: $t" "$work/$part.out" | head -40 >&2 || true; done
		tail -5 "$work/$part.out" >&2
	fi
done
exit $status
