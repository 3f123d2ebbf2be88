-- Tasks that are over, moved here with their steps some time after their end, so that the table which engines work on
-- stays small. What only an engine needs (parameters, outputs, leases) is not kept.
CREATE TABLE task_history (
  id               TEXT PRIMARY KEY,
  kind             TEXT NOT NULL,
  state            TEXT NOT NULL,
  resource_noun    TEXT NOT NULL,
  resource_id      TEXT NOT NULL,
  resource_name    TEXT NOT NULL,
  project_id       TEXT,
  domain_id        TEXT,
  who              TEXT NOT NULL,
  request_id       TEXT NOT NULL,
  parent           TEXT,
  progress         TEXT,
  error            TEXT,
  stuck            TEXT,
  cancel_requested BOOLEAN NOT NULL,
  cancelled_by     TEXT,
  created_at       BIGINT NOT NULL,
  started_at       BIGINT,
  finished_at      BIGINT
);
CREATE INDEX task_history_resource ON task_history (resource_id, created_at);
CREATE INDEX task_history_project ON task_history (project_id, created_at);
CREATE INDEX task_history_age ON task_history (created_at, id);
CREATE INDEX task_history_end ON task_history (finished_at);
CREATE INDEX task_history_parent ON task_history (parent) WHERE parent IS NOT NULL;

CREATE TABLE task_step_history (
  task_id       TEXT NOT NULL REFERENCES task_history (id) ON DELETE CASCADE,
  seq           BIGINT NOT NULL,
  name          TEXT NOT NULL,
  state         TEXT NOT NULL,
  error         TEXT,
  attempts      BIGINT NOT NULL,
  undo_attempts BIGINT NOT NULL,
  started_at    BIGINT NOT NULL,
  finished_at   BIGINT,
  PRIMARY KEY (task_id, seq)
);

CREATE INDEX task_end ON task (finished_at) WHERE finished_at IS NOT NULL;

-- What people see: one statement reads both, so a task that is being moved is in exactly one place.
CREATE VIEW task_record AS
  SELECT id, kind, state, resource_noun, resource_id, resource_name, project_id, domain_id, who, request_id, parent,
         progress, error, stuck, cancel_requested, cancelled_by, created_at, started_at, finished_at FROM task
  UNION ALL
  SELECT id, kind, state, resource_noun, resource_id, resource_name, project_id, domain_id, who, request_id, parent,
         progress, error, stuck, cancel_requested, cancelled_by, created_at, started_at, finished_at FROM task_history;

CREATE VIEW task_step_record AS
  SELECT task_id, seq, name, state, error, attempts, undo_attempts, started_at, finished_at FROM task_step
  UNION ALL
  SELECT task_id, seq, name, state, error, attempts, undo_attempts, started_at, finished_at FROM task_step_history;
