#!/usr/bin/env bash
# Builds cargo-deny and cargo-fuzz into $cache/cargo/bin, quickly rather than fast.
. "$(dirname "$0")/lib.sh"

export CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=false
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=false
unset CARGO_TARGET_DIR

while read -r crate version; do
    done_file=$cache/stamps/cargo-$crate-$version
    if [ -e "$done_file" ] && [ -x "$cache/cargo/bin/$crate" ]; then
        continue
    fi
    echo "building $crate $version"
    cargo install --quiet --locked --root "$cache/cargo" "$crate@$version" ||
        die "could not build $crate $version"
    touch "$done_file"
done < <(list "$here/cargo-tools.txt")
