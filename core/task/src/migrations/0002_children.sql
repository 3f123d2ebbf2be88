-- A wake that came while a worker had the task: the worker looks again instead of parking.
ALTER TABLE task ADD COLUMN woken BOOLEAN NOT NULL DEFAULT FALSE;

-- The children that a parent still waits for.
CREATE INDEX task_child_open ON task (parent) WHERE parent IS NOT NULL AND finished_at IS NULL;
