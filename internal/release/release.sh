#!/usr/bin/env bash
# Tags a release, the core and every adapter with the same version:
#
#   internal/release/release.sh v1.2.3
#
# It changes no file and pushes nothing: it prints the command that does. CONTRIBUTING.md says what comes before and after.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

core=github.com/bulwark-go/bulwark

refuse() {
	printf 'release: %s\n' "$*" >&2
	exit 1
}

[ $# -eq 1 ] || refuse "want one version, such as v1.2.3"
version=$1

# From v2 on the path of a module ends in its major version, and the go command takes no tag with build metadata.
number='(0|[1-9][0-9]*)' word='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
[[ $version =~ ^v[01]\.$number\.$number(-$word(\.$word)*)?$ ]] || refuse "\"$version\" is no version such as v0.1.0 or v1.2.3-rc.1"

[ -z "$(git status --porcelain)" ] || refuse "the working tree is not clean"
grep -qF "## [${version#v}] - " CHANGELOG.md || refuse "CHANGELOG.md has no entry \"## [${version#v}] - \" and a date"

# What is published requires nothing of ours, so there is no version to write into a go.mod, and the commit that was tested is the one
# that is tagged. A replace would hold here and nowhere else.
tags=()
while read -r mod; do
	dir=${mod%go.mod}
	path=$core${dir:+/${dir%/}}
	grep -qx "module $path" "$mod" || refuse "$mod is not the module $path"
	! grep -qE "^(replace|exclude) |^(require )?[[:space:]]*$core[/ ]" "$mod" || refuse "$mod replaces, excludes or requires what only this repository has"
	tags+=("$dir$version")
done < <(git ls-files go.mod 'adapters/*/go.mod')

for tag in "${tags[@]}"; do
	! git rev-parse --quiet --verify "refs/tags/$tag" >/dev/null || refuse "the tag $tag exists"
done

made=()
trap 'git tag -d "${made[@]}" >/dev/null' ERR # all or none
for tag in "${tags[@]}"; do
	git tag -a -m "$tag" "$tag"
	made+=("$tag")
done
printf 'tagged %s; to publish it:\n' "$(git rev-parse --short HEAD)"
echo "git push --atomic origin ${tags[*]}"
