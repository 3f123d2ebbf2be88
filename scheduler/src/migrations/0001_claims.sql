-- Capacity taken for one thing: a server on its host, a disk on its storage.
-- The sums are kept in host.vcpus_used, host.memory_used and storage.claimed by the same transaction.
CREATE TABLE claim (
  id         TEXT PRIMARY KEY,
  -- `server/<id>` or `disk/<id>`: what holds the capacity.
  consumer   TEXT NOT NULL,
  -- The same token twice makes one claim.
  token      TEXT NOT NULL,
  host_id    TEXT NOT NULL,
  storage_id TEXT,
  vcpus      BIGINT NOT NULL,
  memory     BIGINT NOT NULL,
  disk       BIGINT NOT NULL,
  -- Affinity groups the consumer belongs to, JSON list.
  groups     TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX claim_token ON claim (token);
CREATE INDEX claim_consumer ON claim (consumer);
CREATE INDEX claim_host ON claim (host_id);
