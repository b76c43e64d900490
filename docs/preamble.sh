# For the tested blocks of the how-to pages, in comments there: a server to talk to, and curl as its administrator.

export BERTH_ADMIN_ACCESS_KEY_ID=AKIATUTORIALTUTORIAL
export BERTH_ADMIN_SECRET_ACCESS_KEY=onlyForThisTutorialonlyForThisTutorial12
export BERTH_SERVER__LISTEN=127.0.0.1:0

# start [FLAGS] : a server; its URL is $url, its process $server, its log berth.log.
start() {
    : >ready.txt
    berth serve "$@" >>ready.txt 2>>berth.log &
    server=$!
    until grep -q '^berth ready' ready.txt; do
        sleep 0.1
        kill -0 $server
    done
    url=$(sed 's/.*url=//' ready.txt)
}

stop() {
    kill $server
    wait $server
}

as_admin() {
    curl -sS -u "$BERTH_ADMIN_ACCESS_KEY_ID:$BERTH_ADMIN_SECRET_ACCESS_KEY" "$@"
}

# use_aws ID SECRET [TOKEN] : from here on, aws and berth ask the server as whoever holds these.
use_aws() {
    export AWS_ENDPOINT_URL=$url AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2
    if [ $# = 3 ]; then export AWS_SESSION_TOKEN=$3; else unset AWS_SESSION_TOKEN; fi
}

use_aws_as_admin() {
    use_aws "$BERTH_ADMIN_ACCESS_KEY_ID" "$BERTH_ADMIN_SECRET_ACCESS_KEY"
}

# can_push NAME [CURL ARGUMENTS] : whether a push into the repository may begin.
can_push() {
    [ "$(status -X POST "$url/v2/$1/blobs/uploads/" "${@:2}")" = 202 ]
}

# fails COMMAND... : that it does. (`! COMMAND` does not end a shell that stops at errors.)
fails() {
    if "$@"; then return 1; fi
}

# eventually COMMAND... : waits until it succeeds. What others changed counts within a second.
eventually() {
    until "$@"; do sleep 0.2; done
}

# status [CURL ARGUMENTS] : the status code of an answer.
status() {
    curl -sS -o /dev/null -w '%{http_code}\n' "$@"
}

# push_image NAME : a small image with the tag 1; the digest of its layer is $layer.
push_image() {
    printf 'a layer of %s' "$1" >layer
    layer=sha256:$(sha256sum layer | cut -d' ' -f1)
    as_admin -f -X POST --data-binary @layer "$url/v2/$1/blobs/uploads/?digest=$layer"
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"a/b","config":%s,"layers":[]}' \
        "{\"mediaType\":\"text/plain\",\"digest\":\"$layer\",\"size\":$(wc -c <layer)}" >manifest
    as_admin -f -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @manifest \
        "$url/v2/$1/manifests/1"
}

# A PostgreSQL server with the role and database `berth`, on a free port in $PGPORT. It does not run as root.
start_postgres() {
    local as=() programs
    programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
    export PGPORT
    PGPORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    postgres_data=$(mktemp -d /tmp/berth-postgres.XXXXXX)
    [ "$(id -u)" != 0 ] || { chown postgres "$postgres_data"; as=(setpriv --reuid=postgres --regid=postgres --clear-groups --); }
    (cd / && "${as[@]}" "$programs/initdb" -D "$postgres_data/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null)
    (cd / && exec "${as[@]}" "$programs/postgres" -D "$postgres_data/data" -p "$PGPORT" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories="$postgres_data") >postgres.log 2>&1 &
    postgres=$!
    until psql -h 127.0.0.1 -U postgres -c 'CREATE ROLE berth LOGIN' >/dev/null 2>&1; do sleep 0.2; done
    psql -h 127.0.0.1 -U postgres -qc "CREATE DATABASE berth OWNER berth ENCODING 'UTF8' TEMPLATE template0"
}

stop_postgres() {
    kill -INT "$postgres"
    wait "$postgres" || true
    rm -rf "$postgres_data"
}
