# Shared by the install scripts: where things go, and stamps that make a second run cheap.
# Sourced, not run. A stamp is named after a hash of everything that decides what is installed.

set -euo pipefail

cache=${BERTH_TEST_CACHE:-$HOME/.cache/berth}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$cache/stamps"

die() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# stamp NAME FILE... : prints the stamp's path for the present contents of the files.
stamp() {
    local name=$1
    shift
    echo "$cache/stamps/$name-$(cat -- "$@" | sha256sum | cut -c1-16)"
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# list FILE : the lines of a list without comments and blank ones.
list() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"
}

# need_node : puts a Node.js that is new enough, and its npm, on the path; where the machine has none, into $cache/node-env.
need_node() {
    new_node && return
    PATH=$cache/node-env/bin:$PATH
    new_node && return
    python3 -m venv "$cache/node-env"
    "$cache/node-env/bin/pip" install --quiet --disable-pip-version-check \
        --requirement "$here/requirements-node.txt" || die "Node.js could not be installed"
    hash -r
    new_node || die "Node 20 or newer and npm are needed"
}

new_node() {
    command -v npm >/dev/null && [ "$(node --version 2>/dev/null | sed 's/^v//; s/[.].*//')" -ge 20 ] 2>/dev/null
}
