#!/usr/bin/env bash
# Builds our validator of manifests and compose files, tests/deploy/validate, into $cache/go/bin.
. "$(dirname "$0")/lib.sh"

source=$here/../deploy/validate
done_file=$(stamp validate "$source"/*.go "$source/go.mod" "$source/go.sum")
[ -e "$done_file" ] && [ -x "$cache/go/bin/validate" ] && exit 0

go=
for found in go /usr/local/go/bin/go "$cache/go-env/bin/go"; do
    if command -v "$found" >/dev/null; then go=$found && break; fi
done
[ -n "$go" ] || die "Go is needed to build tests/deploy/validate"
echo "building validate"
(cd "$source" && GOFLAGS=-buildvcs=false "$go" build -mod=readonly -trimpath -o "$cache/go/bin/validate" .) ||
    die "could not build tests/deploy/validate"
touch "$done_file"
