# What both release scripts need. release.sh and release-adapters.sh source this
# file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

core=github.com/bulwark-go/bulwark

refuse() {
	printf 'release: %s\n' "$*" >&2
	exit 1
}

# begin ARGUMENTS: checks the arguments and the working tree, and sets version.
begin() {
	[ $# -eq 1 ] || refuse "want one version, such as v1.2.3"
	version=$1

	# From v2 on the path of a module ends in its major version, and the go command accepts no tag with build metadata.
	local number='(0|[1-9][0-9]*)' word='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
	[[ $version =~ ^v[01]\.$number\.$number(-$word(\.$word)*)?$ ]] || refuse "\"$version\" is not a version such as v0.1.0 or v1.2.3-rc.1"

	[ -z "$(git status --porcelain)" ] || refuse "the working tree is not clean"
}

# requires_core FILE: succeeds if the go.mod belongs to a module that uses types of
# the core. In the repository such a go.mod replaces the core.
requires_core() {
	grep -qE "^replace $core => " "$1"
}

# absent TAG…: fails if one of the tags exists.
absent() {
	local tag
	for tag in "$@"; do
		! git rev-parse --quiet --verify "refs/tags/$tag" >/dev/null || refuse "the tag $tag exists"
	done
}

# publishable TAG…: tags HEAD with all tags or none, and prints the command that
# pushes the tags.
publishable() {
	local tag
	made=()
	trap 'git tag -d "${made[@]}" >/dev/null' ERR
	for tag in "$@"; do
		git tag -a -m "$tag" "$tag"
		made+=("$tag")
	done
	printf 'tagged %s; to publish it:\n' "$(git rev-parse --short HEAD)"
	echo "git push --atomic origin $*"
}
