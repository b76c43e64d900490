#!/usr/bin/env bash
# Installs what the policy evaluator is compared with, tests/policy, into $cache/npm/policy-oracle. It is under the AGPL
# and stays there: the tests run it as a program of its own.
. "$(dirname "$0")/lib.sh"

source=$here/../policy
folder=$cache/npm/policy-oracle
done_file=$(stamp policy-oracle "$source/package.json" "$source/package-lock.json" "$here/requirements-node.txt")
[ -e "$done_file" ] && [ -d "$folder/node_modules/@cloud-copilot/iam-simulate" ] && exit 0

# tests/policy finds it too where it is the one of the cache.
need_node
mkdir -p "$folder"
cp "$source/package.json" "$source/package-lock.json" "$folder/"
npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error ||
    die "'npm ci' failed in $folder"
touch "$done_file"
