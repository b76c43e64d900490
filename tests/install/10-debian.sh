#!/usr/bin/env bash
# Installs the Debian packages that are missing. Starts no service.
. "$(dirname "$0")/lib.sh"

missing=()
for package in $(list "$here/debian-packages.txt"); do
    if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        missing+=("$package")
    fi
done
[ ${#missing[@]} = 0 ] && exit 0

command -v apt-get >/dev/null ||
    die "these programs are needed and this is not a Debian system; install them by hand: ${missing[*]}"
echo "installing: ${missing[*]}"

# A package's installation must not start its daemon: the tests start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy" ||
        die "root (or sudo without password) is needed to install: ${missing[*]}"
    trap 'as_root rm -f "$policy"' EXIT
fi
as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
    die "'apt-get update' failed; still missing: ${missing[*]}"
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" ||
    die "'apt-get install' failed; still missing: ${missing[*]}"
