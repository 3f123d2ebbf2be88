CREATE TABLE keystone_domain (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  enabled     BOOLEAN NOT NULL,
  extra       TEXT NOT NULL,
  created_at  BIGINT NOT NULL
);

CREATE TABLE keystone_project (
  id          TEXT PRIMARY KEY,
  domain_id   TEXT NOT NULL REFERENCES keystone_domain (id) ON DELETE CASCADE,
  parent_id   TEXT REFERENCES keystone_project (id),
  name        TEXT NOT NULL,
  description TEXT NOT NULL,
  enabled     BOOLEAN NOT NULL,
  tags        TEXT NOT NULL,
  extra       TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  UNIQUE (domain_id, name)
);

-- epoch: raised to end every token of the user issued before.
CREATE TABLE keystone_user (
  id                 TEXT PRIMARY KEY,
  domain_id          TEXT NOT NULL REFERENCES keystone_domain (id) ON DELETE CASCADE,
  name               TEXT NOT NULL,
  enabled            BOOLEAN NOT NULL,
  default_project_id TEXT,
  password_hash      TEXT,
  password_at        BIGINT,
  epoch              BIGINT NOT NULL,
  extra              TEXT NOT NULL,
  created_at         BIGINT NOT NULL,
  UNIQUE (domain_id, name)
);

CREATE TABLE keystone_group (
  id          TEXT PRIMARY KEY,
  domain_id   TEXT NOT NULL REFERENCES keystone_domain (id) ON DELETE CASCADE,
  name        TEXT NOT NULL,
  description TEXT NOT NULL,
  extra       TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  UNIQUE (domain_id, name)
);

CREATE TABLE keystone_member (
  group_id TEXT NOT NULL REFERENCES keystone_group (id) ON DELETE CASCADE,
  user_id  TEXT NOT NULL REFERENCES keystone_user (id) ON DELETE CASCADE,
  PRIMARY KEY (group_id, user_id)
);
CREATE INDEX keystone_member_user ON keystone_member (user_id);

CREATE TABLE keystone_role (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL UNIQUE,
  description TEXT NOT NULL,
  extra       TEXT NOT NULL,
  created_at  BIGINT NOT NULL
);

-- actor_kind: user or group; target_kind: project, domain or system (target_id is then `all`).
CREATE TABLE keystone_assignment (
  actor_kind  TEXT NOT NULL,
  actor_id    TEXT NOT NULL,
  target_kind TEXT NOT NULL,
  target_id   TEXT NOT NULL,
  role_id     TEXT NOT NULL REFERENCES keystone_role (id) ON DELETE CASCADE,
  PRIMARY KEY (actor_kind, actor_id, target_kind, target_id, role_id)
);
CREATE INDEX keystone_assignment_target ON keystone_assignment (target_kind, target_id);
CREATE INDEX keystone_assignment_role ON keystone_assignment (role_id);

CREATE TABLE keystone_region (
  id               TEXT PRIMARY KEY,
  parent_region_id TEXT REFERENCES keystone_region (id),
  description      TEXT NOT NULL,
  extra            TEXT NOT NULL,
  created_at       BIGINT NOT NULL
);

CREATE TABLE keystone_service (
  id          TEXT PRIMARY KEY,
  type        TEXT NOT NULL,
  name        TEXT NOT NULL,
  description TEXT NOT NULL,
  enabled     BOOLEAN NOT NULL,
  extra       TEXT NOT NULL,
  created_at  BIGINT NOT NULL
);

CREATE TABLE keystone_endpoint (
  id         TEXT PRIMARY KEY,
  service_id TEXT NOT NULL REFERENCES keystone_service (id) ON DELETE CASCADE,
  region_id  TEXT REFERENCES keystone_region (id),
  interface  TEXT NOT NULL,
  url        TEXT NOT NULL,
  enabled    BOOLEAN NOT NULL,
  extra      TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX keystone_endpoint_service ON keystone_endpoint (service_id);

-- The newest key signs; a key is published until retires_at, when no token signed with it can be alive.
CREATE TABLE keystone_key (
  kid         TEXT PRIMARY KEY,
  public_key  TEXT NOT NULL,
  private_key TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  retires_at  BIGINT
);

-- kind: token (an audit id), user (value: lowest good epoch), project or domain (value: issued until then is void).
CREATE TABLE keystone_revocation (
  kind       TEXT NOT NULL,
  subject    TEXT NOT NULL,
  value      BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (kind, subject)
);
CREATE INDEX keystone_revocation_age ON keystone_revocation (expires_at);
