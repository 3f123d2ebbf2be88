-- What a reconciler failed to look at: not before due_at again, unless its generation moved.
CREATE TABLE setback (
  reconciler TEXT NOT NULL,
  resource   TEXT NOT NULL,
  name       TEXT NOT NULL,
  generation BIGINT NOT NULL,
  failures   BIGINT NOT NULL,
  error      TEXT NOT NULL,
  since      BIGINT NOT NULL,
  due_at     BIGINT NOT NULL,
  PRIMARY KEY (reconciler, resource)
);
