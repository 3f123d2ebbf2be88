-- Where things can be: regions, zones, accounts, hosts, storages. What servers are made of: flavors, keypairs.
CREATE TABLE region (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL
);

CREATE TABLE zone (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  region_id  TEXT NOT NULL REFERENCES region (id),
  created_at BIGINT NOT NULL,
  version    BIGINT NOT NULL
);

CREATE TABLE account (
  id           TEXT PRIMARY KEY,
  name         TEXT NOT NULL,
  driver       TEXT NOT NULL,
  options      TEXT NOT NULL,
  capabilities TEXT NOT NULL,
  state        TEXT NOT NULL,
  fault        TEXT,
  zone_id      TEXT NOT NULL REFERENCES zone (id),
  synced_at    BIGINT,
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  version      BIGINT NOT NULL
);
CREATE UNIQUE INDEX account_name ON account (name) WHERE state <> 'deleted';

-- vcpus_used and memory_used are the sum of the claims on the host; only the scheduler changes them.
CREATE TABLE host (
  id                TEXT PRIMARY KEY,
  name              TEXT NOT NULL,
  account_id        TEXT NOT NULL REFERENCES account (id),
  zone_id           TEXT NOT NULL REFERENCES zone (id),
  external_id       TEXT NOT NULL,
  -- https://address:port of its agent, when it has one of ours.
  endpoint          TEXT,
  state             TEXT NOT NULL,
  -- Set by an operator; the state follows.
  intent            TEXT NOT NULL,
  faults            TEXT NOT NULL,
  architecture      TEXT NOT NULL,
  hypervisor        TEXT NOT NULL,
  driver            TEXT NOT NULL,
  vcpus             BIGINT NOT NULL,
  memory            BIGINT NOT NULL,
  vcpus_used        BIGINT NOT NULL,
  memory_used       BIGINT NOT NULL,
  cpu_overcommit    BIGINT NOT NULL,
  memory_overcommit BIGINT NOT NULL,
  memory_reserved   BIGINT NOT NULL,
  tags              TEXT NOT NULL,
  seen_at           BIGINT,
  created_at        BIGINT NOT NULL,
  updated_at        BIGINT NOT NULL,
  version           BIGINT NOT NULL
);
CREATE UNIQUE INDEX host_external ON host (account_id, external_id);

-- claimed is the sum of the claims on the storage; only the scheduler changes it. used is what the host reports.
CREATE TABLE storage (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  host_id    TEXT NOT NULL REFERENCES host (id),
  account_id TEXT NOT NULL REFERENCES account (id),
  backend    TEXT NOT NULL,
  capacity   BIGINT NOT NULL,
  claimed    BIGINT NOT NULL,
  used       BIGINT NOT NULL,
  enabled    BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX storage_name ON storage (host_id, name);

CREATE TABLE join_token (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  -- SHA-256 of the secret, so that reading the table lets nobody join.
  digest     TEXT NOT NULL UNIQUE,
  zone_id    TEXT NOT NULL REFERENCES zone (id),
  expires_at BIGINT NOT NULL,
  used_by    TEXT,
  -- SHA-256 of the key it was spent for: the same agent may ask again when the answer was lost.
  used_key   TEXT,
  created_at BIGINT NOT NULL
);

-- Our certificate authority for agents; one row.
CREATE TABLE authority (
  id          TEXT PRIMARY KEY,
  certificate TEXT NOT NULL,
  key         TEXT NOT NULL,
  created_at  BIGINT NOT NULL
);

CREATE TABLE flavor (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  vcpus      BIGINT NOT NULL,
  memory     BIGINT NOT NULL,
  disk       BIGINT NOT NULL,
  tags       TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version    BIGINT NOT NULL
);

CREATE TABLE keypair (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  project_id TEXT NOT NULL,
  domain_id  TEXT NOT NULL,
  public_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  version    BIGINT NOT NULL,
  UNIQUE (project_id, name)
);
