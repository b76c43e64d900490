-- What the API of ECR says of repositories, registries and images. Columns that may be NULL were added to tables that nodes of the
-- version before still write to.
--
--   repositories ──< lifecycle_policies      registry_settings (by account and region)

ALTER TABLE repositories ADD COLUMN tag_mutability TEXT NOT NULL DEFAULT 'MUTABLE';
-- A JSON list of tag patterns.
ALTER TABLE repositories ADD COLUMN mutability_filters TEXT NOT NULL DEFAULT '[]';
ALTER TABLE repositories ADD COLUMN scan_on_push INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN encryption TEXT NOT NULL DEFAULT 'AES256';

-- Bytes of the config and layers, or of the largest child; NULL where nobody has summed them up.
ALTER TABLE manifests ADD COLUMN image_size INTEGER;
ALTER TABLE manifests ADD COLUMN last_pulled_at INTEGER;

-- Parts that came through the API of ECR, and where the first one ended that was too short to be followed by another.
ALTER TABLE uploads ADD COLUMN parts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE uploads ADD COLUMN short_part_end INTEGER;

CREATE TABLE lifecycle_policies (
    repository_id     INTEGER NOT NULL PRIMARY KEY REFERENCES repositories (id),
    document          TEXT NOT NULL,
    last_evaluated_at INTEGER
) STRICT;

-- Everything that is set for a registry as a whole: one document of a kind and a name. The shapes are those of the API.
CREATE TABLE registry_settings (
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    document   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, kind, name)
) STRICT, WITHOUT ROWID;
