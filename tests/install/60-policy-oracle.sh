#!/usr/bin/env bash
# Installs what the policy evaluator is compared with, tests/policy, into $cache/npm/policy-oracle. It is under the AGPL
# and stays there: the tests run it as a program of its own.
. "$(dirname "$0")/lib.sh"

source=$here/../policy
folder=$cache/npm/policy-oracle
done_file=$(stamp policy-oracle "$source/package.json" "$source/package-lock.json" "$here/requirements-node.txt")
[ -e "$done_file" ] && [ -d "$folder/node_modules/@cloud-copilot/iam-simulate" ] && exit 0

new_enough() {
    command -v npm >/dev/null && [ "$(node --version 2>/dev/null | sed 's/^v//; s/[.].*//')" -ge 20 ] 2>/dev/null
}

# tests/policy finds it there too.
if ! new_enough; then
    python3 -m venv "$cache/node-env"
    "$cache/node-env/bin/pip" install --quiet --disable-pip-version-check \
        --requirement "$here/requirements-node.txt" || die "Node.js could not be installed"
    PATH=$cache/node-env/bin:$PATH
    new_enough || die "Node 20 or newer and npm are needed to compare policy decisions"
fi
mkdir -p "$folder"
cp "$source/package.json" "$source/package-lock.json" "$folder/"
npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error ||
    die "'npm ci' failed in $folder"
touch "$done_file"
