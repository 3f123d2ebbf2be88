-- What a project calls an image. Empty text means that the client left it out.
CREATE TABLE image (
  id               TEXT PRIMARY KEY,
  name             TEXT NOT NULL,
  status           TEXT NOT NULL,
  visibility       TEXT NOT NULL,
  project_id       TEXT NOT NULL,
  domain_id        TEXT NOT NULL,
  disk_format      TEXT NOT NULL,
  container_format TEXT NOT NULL,
  min_disk         BIGINT NOT NULL,
  min_ram          BIGINT NOT NULL,
  protected        BOOLEAN NOT NULL,
  os_hidden        BOOLEAN NOT NULL,
  size             BIGINT NOT NULL,
  virtual_size     BIGINT NOT NULL,
  checksum         TEXT NOT NULL,
  digest           TEXT NOT NULL,
  blob_id          TEXT,
  charged_gib      BIGINT NOT NULL,
  tags             TEXT NOT NULL,
  properties       TEXT NOT NULL,
  import_from      TEXT NOT NULL,
  fault            TEXT NOT NULL,
  lease            TEXT NOT NULL,
  lease_until      BIGINT NOT NULL,
  created_at       BIGINT NOT NULL,
  updated_at       BIGINT NOT NULL
);
CREATE INDEX image_project ON image (project_id, created_at);
CREATE INDEX image_age ON image (created_at, id);
CREATE INDEX image_name ON image (name);
CREATE INDEX image_visibility ON image (visibility, created_at);
CREATE INDEX image_lease ON image (status, lease_until);

-- Projects an image of visibility `shared` is shared with.
CREATE TABLE image_member (
  image_id   TEXT NOT NULL REFERENCES image (id) ON DELETE CASCADE,
  member_id  TEXT NOT NULL,
  status     TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (image_id, member_id)
);
CREATE INDEX image_member_project ON image_member (member_id);

-- Content, kept once by its digest. A row is written before the object and removed after it, so that whatever is
-- in the backend can be found from here: `storing` -> `ready` -> `deleting` -> gone.
CREATE TABLE image_blob (
  id         TEXT PRIMARY KEY,
  digest     TEXT NOT NULL,
  state      TEXT NOT NULL,
  refs       BIGINT NOT NULL,
  size       BIGINT NOT NULL,
  image_id   TEXT NOT NULL,
  lease      TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX image_blob_digest ON image_blob (digest) WHERE state = 'ready';
CREATE INDEX image_blob_state ON image_blob (state);
