# nethttp.sh and projects.sh source this file. It makes a copy of GOROOT in which
# the standard library, and so every test binary, can import Bulwark.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# make_goroot copies the GOROOT of the release that GOTOOLCHAIN chooses to $work/go.
# It puts Bulwark into the vendor directory of the copy, from which the standard
# library imports other modules. After that, $gobin uses the copy. Results are
# cached as usual: the cache does not depend on the path, and after a change in
# Bulwark only its importers are compiled again.
make_goroot() {
	local goroot sync vendor p
	goroot=$(cd "$root" && go env GOROOT)
	sync=$(cd "$root" && GOWORK=off go list -deps -f '{{with .Module}}{{if eq .Path "golang.org/x/sync"}}{{.Dir}}{{end}}{{end}}' ./limits | head -n 1)
	mkdir "$work/go"
	for p in bin pkg lib go.env VERSION; do ln -s "$goroot/$p" "$work/go/$p"; done
	cp -R "$goroot/src" "$work/go/src"
	chmod -R u+w "$work/go/src"

	vendor=$work/go/src/vendor
	mkdir -p "$vendor/github.com/bulwark-go/bulwark" "$vendor/golang.org/x/sync"
	for p in timeout limits errmap logging internal; do cp -R "$root/$p" "$vendor/github.com/bulwark-go/bulwark/"; done
	cp "$root"/*.go "$vendor/github.com/bulwark-go/bulwark/"
	[ -z "$sync" ] || cp -R "$sync/semaphore" "$vendor/golang.org/x/sync/"
	chmod -R u+w "$vendor"
	find "$vendor/github.com/bulwark-go" "$vendor/golang.org/x/sync" -name '*_test.go' -delete

	gobin=$goroot/bin/go
	# Tests that run the go command find it in PATH. It must be of the same release.
	export PATH=$goroot/bin:$PATH GOROOT=$work/go GOWORK=off GOFLAGS="${GOFLAGS-} -mod=mod" GOTOOLCHAIN=local
	"$gobin" version
}

# add FILE PATH: puts a file of testdata into the copy.
add() {
	cp "$here/testdata/$1" "$GOROOT/src/$2"
}

# patch FILE SED: fails unless it changes the file of the copy.
patch() {
	local file=$GOROOT/src/$1
	sed -i.orig "$2" "$file"
	! cmp -s "$file" "$file.orig" || { echo "$1 is not as expected" >&2; exit 1; }
	rm "$file.orig"
}

# passed FILE and failed FILE: print the names of the top-level tests that passed or
# failed, one per line.
passed() { sed -n 's/^--- PASS: \([^ ]*\).*/\1/p' "$1" | sort; }
failed() { sed -n 's/^--- FAIL: \([^ ]*\).*/\1/p' "$1" | sort; }
