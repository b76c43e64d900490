#!/usr/bin/env bash
# Installs AWS's SDK for JavaScript, as tests/sdk-js/package-lock.json pins it, into $cache/npm/ecr-sdk, and builds
# tests/sdk-rust, which is AWS's SDK for Rust, into $cache/sdk-rust.
. "$(dirname "$0")/lib.sh"

javascript=$here/../sdk-js
folder=$cache/npm/ecr-sdk
done_file=$(stamp sdk-js "$javascript/package.json" "$javascript/package-lock.json" "$here/requirements-node.txt")
if [ ! -e "$done_file" ] || [ ! -d "$folder/node_modules/@aws-sdk/client-ecr" ]; then
    need_node
    mkdir -p "$folder"
    cp "$javascript/package.json" "$javascript/package-lock.json" "$folder/"
    npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error ||
        die "'npm ci' failed in $folder"
    touch "$done_file"
fi

rust=$here/../sdk-rust
program=$cache/sdk-rust/debug/ecr-main-path
done_file=$(stamp sdk-rust "$rust/Cargo.toml" "$rust/Cargo.lock" "$rust/src/main.rs")
if [ ! -e "$done_file" ] || [ ! -x "$program" ]; then
    echo "building tests/sdk-rust"
    CARGO_TARGET_DIR=$cache/sdk-rust cargo build --quiet --locked --manifest-path "$rust/Cargo.toml" ||
        die "could not build tests/sdk-rust"
    touch "$done_file"
fi
