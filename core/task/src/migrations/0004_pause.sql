-- Kinds of tasks that no worker takes from the queue until somebody says so. The kind `all` stands for every one.
CREATE TABLE pause (
  kind   TEXT PRIMARY KEY,
  actor  TEXT NOT NULL,
  reason TEXT NOT NULL,
  since  BIGINT NOT NULL
);
