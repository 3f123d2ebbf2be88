-- Every state change, in the transaction that made it.
CREATE TABLE event (
  seq         {serial},
  tx          {txid},
  at          BIGINT NOT NULL,
  kind        TEXT NOT NULL,
  noun        TEXT NOT NULL,
  resource_id TEXT NOT NULL,
  name        TEXT NOT NULL,
  project_id  TEXT,
  domain_id   TEXT,
  actor       TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  data        TEXT NOT NULL
);
CREATE INDEX event_resource ON event (resource_id, seq);
CREATE INDEX event_project ON event (project_id, seq);

-- What a project may use and does use. max < 0 means no limit.
CREATE TABLE quota (
  project_id TEXT NOT NULL,
  resource   TEXT NOT NULL,
  max        BIGINT NOT NULL,
  used       BIGINT NOT NULL,
  PRIMARY KEY (project_id, resource)
);

-- The answer to a create, so that sending it again does not create again.
CREATE TABLE idempotency (
  id         TEXT PRIMARY KEY,
  request    TEXT NOT NULL,
  status     BIGINT NOT NULL,
  answer     TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_age ON idempotency (created_at);
