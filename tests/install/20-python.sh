#!/usr/bin/env bash
# Makes the Python environment that runs the tests, in the cache.
. "$(dirname "$0")/lib.sh"

done_file=$(stamp python "$here/requirements.txt")
[ -e "$done_file" ] && [ -x "$cache/venv/bin/pytest" ] && exit 0

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed"
rm -rf "$cache/venv"
python3 -m venv "$cache/venv"
"$cache/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
touch "$done_file"
