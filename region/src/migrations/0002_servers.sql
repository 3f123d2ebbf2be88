-- Servers and what belongs to them.
CREATE TABLE network (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL,
  project_id TEXT NOT NULL,
  domain_id  TEXT NOT NULL,
  state      TEXT NOT NULL,
  fault      TEXT,
  cidr       TEXT NOT NULL,
  gateway    TEXT NOT NULL,
  bridge     TEXT,
  dns        TEXT NOT NULL,
  tags       TEXT NOT NULL,
  total      BIGINT NOT NULL,
  used       BIGINT NOT NULL,
  -- Where the search for a free address begins.
  hint       BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  version    BIGINT NOT NULL
);
CREATE UNIQUE INDEX network_name ON network (project_id, name) WHERE state <> 'deleted';
CREATE INDEX network_age ON network (project_id, created_at);

-- A network as it exists at one host (or once per account, where a cloud has networks of its own).
CREATE TABLE network_place (
  network_id  TEXT NOT NULL REFERENCES network (id),
  account_id  TEXT NOT NULL,
  -- Empty where the network belongs to the whole account.
  host_id     TEXT NOT NULL,
  external_id TEXT,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (network_id, account_id, host_id)
);

CREATE TABLE server (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  project_id    TEXT NOT NULL,
  domain_id     TEXT NOT NULL,
  state         TEXT NOT NULL,
  fault         TEXT,
  power_state   TEXT NOT NULL,
  power_seen_at BIGINT,
  -- When the last operation on it ended; older observations are ignored.
  commanded_at  BIGINT NOT NULL,
  account_id    TEXT,
  host_id       TEXT,
  external_id   TEXT,
  image_id      TEXT NOT NULL,
  image_name    TEXT NOT NULL,
  flavor_id     TEXT NOT NULL,
  flavor_name   TEXT NOT NULL,
  vcpus         BIGINT NOT NULL,
  memory        BIGINT NOT NULL,
  keypair_name  TEXT,
  public_key    TEXT,
  user_data     TEXT,
  apart_from    TEXT,
  tags          TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  updated_at    BIGINT NOT NULL,
  version       BIGINT NOT NULL
);
CREATE UNIQUE INDEX server_name ON server (project_id, name) WHERE state <> 'deleted';
CREATE INDEX server_age ON server (project_id, created_at, id);
CREATE INDEX server_state ON server (project_id, state, created_at);
CREATE INDEX server_host ON server (host_id);
CREATE INDEX server_external ON server (account_id, external_id);

CREATE TABLE disk (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL,
  project_id  TEXT NOT NULL,
  domain_id   TEXT NOT NULL,
  state       TEXT NOT NULL,
  fault       TEXT,
  size        BIGINT NOT NULL,
  root        BOOLEAN NOT NULL,
  -- Position on its server; the first is booted from.
  slot        BIGINT NOT NULL,
  server_id   TEXT,
  account_id  TEXT,
  host_id     TEXT,
  storage_id  TEXT,
  external_id TEXT,
  tags        TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  version     BIGINT NOT NULL
);
CREATE UNIQUE INDEX disk_name ON disk (project_id, name) WHERE state <> 'deleted';
CREATE INDEX disk_server ON disk (server_id);
CREATE INDEX disk_age ON disk (project_id, created_at, id);

CREATE TABLE snapshot (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL,
  project_id  TEXT NOT NULL,
  domain_id   TEXT NOT NULL,
  state       TEXT NOT NULL,
  fault       TEXT,
  disk_id     TEXT NOT NULL,
  size        BIGINT NOT NULL,
  external_id TEXT,
  created_at  BIGINT NOT NULL,
  updated_at  BIGINT NOT NULL,
  version     BIGINT NOT NULL
);
CREATE UNIQUE INDEX snapshot_name ON snapshot (project_id, name) WHERE state <> 'deleted';
CREATE INDEX snapshot_disk ON snapshot (disk_id);

-- An address in use. The gateway is one, without a server.
CREATE TABLE address (
  id         TEXT PRIMARY KEY,
  network_id TEXT NOT NULL REFERENCES network (id),
  number     BIGINT NOT NULL,
  address    TEXT NOT NULL,
  mac        TEXT NOT NULL UNIQUE,
  server_id  TEXT,
  slot       BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX address_number ON address (network_id, number);
CREATE INDEX address_server ON address (server_id);
