#!/usr/bin/env bash
# Tags the adapters that require the core. Run it when release.sh has tagged the
# core and the tag can be fetched:
#
#   internal/release/release-adapters.sh v1.2.3
#
# In the repository these adapters replace the core by a directory. The tags are on
# a new commit on top of the core's tag, in which the adapters require the tagged
# core instead. The script moves no branch and pushes nothing. It prints the command
# that pushes the tags.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin "$@"
tagged=$(git rev-parse --quiet --verify "refs/tags/$version^{commit}") || refuse "there is no tag \"$version\""

tree=$(mktemp -d)
trap 'git worktree remove --force "$tree" >/dev/null 2>&1 || true; rm -rf "$tree"' EXIT
git worktree add --quiet --detach "$tree" "$tagged"
cd "$tree"

dirs=() tags=()
while read -r mod; do
	! requires_core "$mod" || dirs+=("${mod%/go.mod}") tags+=("${mod%/go.mod}/$version")
done < <(git ls-files 'adapters/*/go.mod')
[ ${#tags[@]} -gt 0 ] || refuse "no adapter requires the core"
absent "${tags[@]}"

for dir in "${dirs[@]}"; do
	(
		cd "$dir"
		export GOWORK=off GOFLAGS=-mod=mod
		go mod edit -dropreplace="$core" -require="$core@$version"
		go list -deps -test ./... >/dev/null # finds all packages, and adds the missing sums to go.sum
		! grep -qE '^(replace|exclude) ' go.mod || refuse "$dir/go.mod replaces or excludes what only this repository has"
	) || refuse "$dir does not work with $core@$version: can its tag be fetched?"
done
git commit --quiet -a -m "adapters: require the core's $version"
publishable "${tags[@]}"
