-- What the registry remembers. Times are milliseconds since 1970 (UTC), digests are `algorithm:hex`.
--
--   repositories ──< manifests ──< manifest_references (config, layer, child, subject)
--        │               └──< tags, tag_history
--        ├──< repository_blobs >── blobs ── key in the blob store, or the bytes themselves
--        └──< uploads ── key of an unfinished blob
--   access_keys, properties

CREATE TABLE properties (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE access_keys (
    access_key_id TEXT NOT NULL PRIMARY KEY,
    account       TEXT NOT NULL,
    principal     TEXT NOT NULL,
    secret_sealed BLOB NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX access_keys_by_principal ON access_keys (principal);

CREATE TABLE repositories (
    id         INTEGER NOT NULL PRIMARY KEY,
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (account, region, name)
) STRICT;

-- The bytes of one digest. Exactly one of storage_key and inline_bytes is set.
CREATE TABLE blobs (
    id             INTEGER NOT NULL PRIMARY KEY,
    digest         TEXT NOT NULL,
    domain         TEXT NOT NULL DEFAULT '',
    storage_key    TEXT UNIQUE,
    inline_bytes   BLOB,
    size           INTEGER NOT NULL,
    stored_at      INTEGER NOT NULL,
    scrubbed_at    INTEGER NOT NULL,
    quarantined_at INTEGER,
    UNIQUE (digest, domain),
    CHECK ((storage_key IS NULL) <> (inline_bytes IS NULL))
) STRICT;
CREATE INDEX blobs_by_scrub ON blobs (scrubbed_at);

-- A blob can be read through the repositories that link it, and through no other.
CREATE TABLE repository_blobs (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    digest        TEXT NOT NULL,
    blob_id       INTEGER NOT NULL REFERENCES blobs (id),
    size          INTEGER NOT NULL,
    linked_at     INTEGER NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blobs_by_blob ON repository_blobs (blob_id);

CREATE TABLE manifests (
    id            INTEGER NOT NULL PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    digest        TEXT NOT NULL,
    blob_id       INTEGER NOT NULL REFERENCES blobs (id),
    media_type    TEXT NOT NULL,
    artifact_type TEXT,
    subject       TEXT,
    annotations   TEXT NOT NULL,
    size          INTEGER NOT NULL,
    pushed_at     INTEGER NOT NULL,
    pushed_by     TEXT NOT NULL,
    UNIQUE (repository_id, digest)
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject, digest) WHERE subject IS NOT NULL;
CREATE INDEX manifests_by_blob ON manifests (blob_id);

CREATE TABLE manifest_references (
    manifest_id   INTEGER NOT NULL REFERENCES manifests (id) ON DELETE CASCADE,
    repository_id INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('blob', 'child')),
    digest        TEXT NOT NULL,
    size          INTEGER NOT NULL,
    PRIMARY KEY (manifest_id, kind, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_references_by_digest ON manifest_references (digest, repository_id, kind);

CREATE TABLE tags (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    name          TEXT NOT NULL,
    manifest_id   INTEGER NOT NULL REFERENCES manifests (id),
    digest        TEXT NOT NULL,
    tagged_at     INTEGER NOT NULL,
    tagged_by     TEXT NOT NULL,
    PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_manifest ON tags (manifest_id);

-- Every move of a tag, oldest first; a digest of NULL says that the tag went away.
CREATE TABLE tag_history (
    id            INTEGER NOT NULL PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    tag           TEXT NOT NULL,
    digest        TEXT,
    previous      TEXT,
    changed_at    INTEGER NOT NULL,
    changed_by    TEXT NOT NULL
) STRICT;
CREATE INDEX tag_history_by_tag ON tag_history (repository_id, tag, id);

CREATE TABLE uploads (
    id            TEXT NOT NULL PRIMARY KEY,
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    account       TEXT NOT NULL,
    principal     TEXT NOT NULL,
    storage_key   TEXT NOT NULL UNIQUE,
    algorithm     TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_expiry ON uploads (expires_at);
CREATE INDEX uploads_by_account ON uploads (account);
