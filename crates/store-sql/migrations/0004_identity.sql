-- Who there is, and what they may do. Names are unique whatever their case: `name_key` is the name in lower case. An owner is the
-- unique id of a user, group, role or policy, which is never given twice.
--
--   accounts ──< principals (user, group, role) ──< inline_policies, policy_attachments, identity_tags, access_keys
--        │            └──< group_members
--        └──< policies ──< policy_versions
--   repositories ──< repository_policies, repository_tags      registry_policies

CREATE TABLE accounts (
    id         TEXT NOT NULL PRIMARY KEY,
    alias      TEXT UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE principals (
    unique_id    TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('user', 'group', 'role')),
    account      TEXT NOT NULL REFERENCES accounts (id),
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL,
    path         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    boundary     TEXT,
    description  TEXT,
    trust_policy TEXT,
    max_session  INTEGER,
    UNIQUE (account, kind, name_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX principals_by_boundary ON principals (boundary) WHERE boundary IS NOT NULL;

CREATE TABLE group_members (
    group_id TEXT NOT NULL REFERENCES principals (unique_id),
    user_id  TEXT NOT NULL REFERENCES principals (unique_id),
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_members_by_user ON group_members (user_id);

CREATE TABLE policies (
    unique_id       TEXT NOT NULL PRIMARY KEY,
    account         TEXT NOT NULL REFERENCES accounts (id),
    name            TEXT NOT NULL,
    name_key        TEXT NOT NULL,
    path            TEXT NOT NULL,
    description     TEXT,
    default_version INTEGER NOT NULL,
    latest_version  INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (account, name_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_versions (
    policy_id  TEXT NOT NULL REFERENCES policies (unique_id),
    version    INTEGER NOT NULL,
    document   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (policy_id, version)
) STRICT, WITHOUT ROWID;

-- By ARN, because the policies that come with Berth have no row.
CREATE TABLE policy_attachments (
    owner      TEXT NOT NULL REFERENCES principals (unique_id),
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (owner, policy_arn)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_attachments_by_policy ON policy_attachments (policy_arn, owner);

CREATE TABLE inline_policies (
    owner    TEXT NOT NULL REFERENCES principals (unique_id),
    name     TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity_tags (
    owner   TEXT NOT NULL,
    key_key TEXT NOT NULL,
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (owner, key_key)
) STRICT, WITHOUT ROWID;

ALTER TABLE access_keys ADD COLUMN owner TEXT;
ALTER TABLE access_keys ADD COLUMN status TEXT NOT NULL DEFAULT 'Active';
ALTER TABLE access_keys ADD COLUMN last_used_at INTEGER;
ALTER TABLE access_keys ADD COLUMN last_used_service TEXT;
ALTER TABLE access_keys ADD COLUMN last_used_region TEXT;
CREATE INDEX access_keys_by_owner ON access_keys (owner) WHERE owner IS NOT NULL;

CREATE TABLE repository_policies (
    repository_id INTEGER NOT NULL PRIMARY KEY REFERENCES repositories (id),
    document      TEXT NOT NULL
) STRICT;

CREATE TABLE repository_tags (
    repository_id INTEGER NOT NULL REFERENCES repositories (id),
    key           TEXT NOT NULL,
    value         TEXT NOT NULL,
    PRIMARY KEY (repository_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE registry_policies (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
