-- Uploads that go on at another node: what it needs to know, and which node may write just now.

ALTER TABLE uploads ADD COLUMN received INTEGER NOT NULL DEFAULT 0;
ALTER TABLE uploads ADD COLUMN checkpoint BLOB;
ALTER TABLE uploads ADD COLUMN tail_key TEXT;
ALTER TABLE uploads ADD COLUMN taken_by TEXT;
ALTER TABLE uploads ADD COLUMN taken_until INTEGER;
ALTER TABLE uploads ADD COLUMN contested INTEGER NOT NULL DEFAULT 0;
ALTER TABLE uploads ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
CREATE INDEX uploads_by_tail_key ON uploads (tail_key) WHERE tail_key IS NOT NULL;
