-- Capacity taken for one thing: a server on its host, a disk on its storage.
-- The sums are kept in host.vcpus_used, host.memory_used and storage.claimed by the same transaction.
CREATE TABLE claim (
  id         TEXT PRIMARY KEY,
  -- `server/<id>` or `disk/<id>`: what holds the capacity.
  consumer   TEXT NOT NULL,
  -- Whoever asks again with the same token is answered from these rows.
  token      TEXT NOT NULL,
  -- 0 takes vcpus and memory of the host; the disks of the same ask follow in their order.
  slot       BIGINT NOT NULL,
  host_id    TEXT NOT NULL,
  storage_id TEXT,
  vcpus      BIGINT NOT NULL,
  memory     BIGINT NOT NULL,
  disk       BIGINT NOT NULL,
  -- The token of the last change of the amounts.
  resized_by TEXT,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX claim_token ON claim (token, slot);
CREATE INDEX claim_consumer ON claim (consumer);
CREATE INDEX claim_host ON claim (host_id);
CREATE INDEX claim_storage ON claim (storage_id);
CREATE INDEX claim_age ON claim (created_at, id);

-- Members of affinity groups, by host.
CREATE TABLE claim_group (
  name     TEXT NOT NULL,
  claim_id TEXT NOT NULL,
  host_id  TEXT NOT NULL,
  PRIMARY KEY (name, claim_id)
);
CREATE INDEX claim_group_claim ON claim_group (claim_id);
CREATE INDEX claim_group_host ON claim_group (host_id);
