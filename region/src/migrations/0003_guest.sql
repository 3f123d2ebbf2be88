-- What the cloud tells of the guest in a server that is on, and since when.
ALTER TABLE server ADD COLUMN guest TEXT;
ALTER TABLE server ADD COLUMN guest_since BIGINT;
