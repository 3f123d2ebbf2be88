-- Work in hand and work that is over. due_at is null when nobody may claim the task, so the two indexes that
-- engines read stay small however many tasks are kept.
CREATE TABLE task (
  id               TEXT PRIMARY KEY,
  kind             TEXT NOT NULL,
  state            TEXT NOT NULL,
  resource_noun    TEXT NOT NULL,
  resource_id      TEXT NOT NULL,
  resource_name    TEXT NOT NULL,
  project_id       TEXT,
  domain_id        TEXT,
  params           TEXT NOT NULL,
  who              TEXT NOT NULL,
  request_id       TEXT NOT NULL,
  parent           TEXT,
  progress         TEXT,
  error            TEXT,
  stuck            TEXT,
  cancel_requested BOOLEAN NOT NULL,
  cancelled_by     TEXT,
  abandoned        BOOLEAN NOT NULL,
  owner            TEXT,
  fence            BIGINT NOT NULL,
  due_at           BIGINT,
  created_at       BIGINT NOT NULL,
  started_at       BIGINT,
  finished_at      BIGINT
);
CREATE INDEX task_queue ON task (id) WHERE state = 'queued';
CREATE INDEX task_due ON task (due_at) WHERE due_at IS NOT NULL AND state <> 'queued';
CREATE INDEX task_resource ON task (resource_id, created_at);
CREATE INDEX task_project ON task (project_id, created_at);
CREATE INDEX task_age ON task (created_at);
CREATE INDEX task_parent ON task (parent) WHERE parent IS NOT NULL;

-- The journal: a row is written before the effect, completed after it.
CREATE TABLE task_step (
  task_id       TEXT NOT NULL,
  seq           BIGINT NOT NULL,
  name          TEXT NOT NULL,
  params        TEXT NOT NULL,
  token         TEXT NOT NULL,
  state         TEXT NOT NULL,
  output        TEXT,
  error         TEXT,
  attempts      BIGINT NOT NULL,
  undo_attempts BIGINT NOT NULL,
  started_at    BIGINT NOT NULL,
  finished_at   BIGINT,
  PRIMARY KEY (task_id, seq)
);

-- One task at a time holds a resource.
CREATE TABLE hold (
  resource TEXT PRIMARY KEY,
  task_id  TEXT NOT NULL,
  since    BIGINT NOT NULL
);
CREATE INDEX hold_task ON hold (task_id);

-- One replica at a time runs a reconciler.
CREATE TABLE reconciler (
  name       TEXT PRIMARY KEY,
  owner      TEXT,
  fence      BIGINT NOT NULL,
  due_at     BIGINT NOT NULL,
  failures   BIGINT NOT NULL,
  error      TEXT,
  started_at BIGINT,
  ended_at   BIGINT
);
