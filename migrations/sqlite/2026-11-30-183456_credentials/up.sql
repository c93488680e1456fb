-- What callers from outside show: tokens, links that sign a person in, and cookies of browsers. The secrets themselves are not here.
CREATE TABLE credentials (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('token', 'sign_in', 'browser')),
    -- What a person calls it.
    name TEXT NOT NULL,
    -- As whom its holder acts, and what it allows.
    actor TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- The only workspace that it is good for; none for the whole instance.
    workspace_id TEXT REFERENCES workspaces (id),
    -- SHA-256 of the secret, in hexadecimal digits in lower case.
    digest TEXT NOT NULL UNIQUE CHECK (length(digest) = 64),
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- To the minute.
    last_used_at INTEGER,
    ended_at INTEGER,
    ended_by TEXT CHECK ((ended_by IS NULL) = (ended_at IS NULL))
) STRICT;
CREATE INDEX credentials_created ON credentials (created_at, id);
CREATE INDEX credentials_workspace ON credentials (workspace_id, created_at, id);
CREATE INDEX credentials_expires ON credentials (expires_at);
CREATE INDEX credentials_ended ON credentials (ended_at) WHERE ended_at IS NOT NULL;
