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
