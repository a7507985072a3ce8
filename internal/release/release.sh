#!/usr/bin/env bash
# Tags a release: the core, and every adapter that does not require the core, with
# the same version:
#
#   internal/release/release.sh v1.2.3
#
# It changes no file and pushes nothing. It prints the command that pushes the tags.
# CONTRIBUTING.md describes the steps before and after.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin "$@"
grep -qF "## [${version#v}] - " CHANGELOG.md || refuse "CHANGELOG.md has no entry \"## [${version#v}] - \" and a date"

# The modules that are tagged here do not require each other. So no version has to
# be written into a go.mod, and the tested commit is the tagged one. A replace
# directive would have no effect for users. release-adapters.sh tags the adapters
# that require the core.
tags=()
while read -r mod; do
	dir=${mod%go.mod}
	path=$core${dir:+/${dir%/}}
	! requires_core "$mod" || continue
	grep -qx "module $path" "$mod" || refuse "$mod is not the module $path"
	! grep -qE "^(replace|exclude) |^(require )?[[:space:]]*$core[/ ]" "$mod" || refuse "$mod replaces, excludes or requires what only this repository has"
	tags+=("$dir$version")
done < <(git ls-files go.mod 'adapters/*/go.mod')
absent "${tags[@]}"
publishable "${tags[@]}"
