-- Who vouches for people and workloads, what was done and by whom, and how much of the quotas each node has used.
--
--   accounts ──< oidc_providers, saml_providers ──< used_assertions      audit_links ──< audit_rows      nodes ──< throttle_use

-- `url` is the issuer without `https://`; the lists are JSON.
CREATE TABLE oidc_providers (
    unique_id   TEXT NOT NULL PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES accounts (id),
    url         TEXT NOT NULL,
    client_ids  TEXT NOT NULL,
    thumbprints TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (account, url)
) STRICT, WITHOUT ROWID;

CREATE TABLE saml_providers (
    unique_id   TEXT NOT NULL PRIMARY KEY,
    account     TEXT NOT NULL REFERENCES accounts (id),
    name        TEXT NOT NULL,
    metadata    TEXT NOT NULL,
    valid_until INTEGER,
    created_at  INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- Assertions are good once: the hash of each one's id, as long as it could be shown again.
CREATE TABLE used_assertions (
    provider   TEXT NOT NULL,
    id_hash    BLOB NOT NULL,
    used_until INTEGER NOT NULL,
    PRIMARY KEY (provider, id_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_assertions_by_end ON used_assertions (used_until);

-- Records of calls: one in a row where the row was written with a change, many where they came through the queue. `digest` is the
-- SHA-256 of `payload`, and outlives it. A row without a link has not been chained yet.
CREATE TABLE audit_rows (
    id       TEXT NOT NULL PRIMARY KEY,
    kind     TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    records  INTEGER NOT NULL,
    encoding TEXT NOT NULL,
    payload  BLOB,
    digest   BLOB NOT NULL,
    link     INTEGER,
    place    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_rows_unchained ON audit_rows (id) WHERE link IS NULL;
CREATE INDEX audit_rows_by_link ON audit_rows (link, place) WHERE link IS NOT NULL;
CREATE INDEX audit_rows_by_time ON audit_rows (last_at, id);

-- Each link signs the rows that it chains and the link before.
CREATE TABLE audit_links (
    number    INTEGER NOT NULL PRIMARY KEY,
    chained_at INTEGER NOT NULL,
    row_count  INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    signature BLOB NOT NULL,
    holder    TEXT NOT NULL
) STRICT;

CREATE TABLE nodes (
    name    TEXT NOT NULL PRIMARY KEY,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a node was asked for of a bucket in the last moment.
CREATE TABLE throttle_use (
    bucket TEXT NOT NULL,
    node   TEXT NOT NULL,
    asked  INTEGER NOT NULL,
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (bucket, node)
) STRICT, WITHOUT ROWID;
