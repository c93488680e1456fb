-- New words in columns. SQLite changes a CHECK only with the table, or by its text, which is safe where no row can break the new one:
-- see "Making Other Kinds Of Table Schema Changes" at https://sqlite.org/lang_altertable.html.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '(''workflow'', ''plan'', ''stage'')', '(''workflow'', ''plan'', ''stage'', ''journal'')') WHERE type = 'table' AND name = 'sessions';
UPDATE sqlite_schema SET sql = replace(sql, '(''completed'', ''failed'')', '(''completed'', ''failed'', ''cancelled'')') WHERE type = 'table' AND name = 'sessions';
UPDATE sqlite_schema SET sql = replace(sql, '(''producer'', ''consumer'', ''node'', ''step'')', '(''producer'', ''consumer'', ''node'')') WHERE type = 'table' AND name = 'handler_runs';
UPDATE sqlite_schema SET sql = replace(sql, '(''error'', ''script_failed'', ''mutation_in_doubt'', ''event_parked'', ''effect_contradicted'', ''script_message'')', '(''error'', ''script_failed'', ''mutation_in_doubt'', ''event_parked'', ''effect_contradicted'', ''script_message'', ''approval_requested'', ''run_completed'', ''run_failed'')') WHERE type = 'table' AND name = 'notifications';
PRAGMA writable_schema = RESET;

-- What a session of a graph is beside a session: one row for each run of a plan and for each execution of the journal.
CREATE TABLE graph_runs (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    kind TEXT NOT NULL CHECK (kind IN ('plan', 'stage', 'journal')),
    -- The version of the graph that it follows to its end.
    script_id TEXT NOT NULL REFERENCES scripts (id),
    -- Worked out from its nodes, and kept so that it can be looked for.
    status TEXT NOT NULL CHECK (status IN ('running', 'awaiting-human', 'blocked', 'completed', 'failed', 'aborted')),
    -- Whether it waits for a person to let it start.
    held INTEGER NOT NULL DEFAULT 0 CHECK (held IN (0, 1)),
    -- Who leads it: `agent:…`, `user:…`, `windlass`.
    lead TEXT NOT NULL,
    notes TEXT,
    -- The run that it replaces.
    follows_id TEXT REFERENCES sessions (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    idempotency_key TEXT,
    failure_count INTEGER NOT NULL DEFAULT 0,
    deadline_at INTEGER,
    -- The number of the last entry of its journal.
    journal_seq INTEGER NOT NULL DEFAULT 0,
    -- How many checkpoints were saved.
    checkpoint_count INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_id, idempotency_key)
) STRICT;
CREATE INDEX graph_runs_workspace ON graph_runs (workspace_id, kind, session_id);
CREATE INDEX graph_runs_workflow ON graph_runs (workflow_id, session_id);
CREATE INDEX graph_runs_script ON graph_runs (script_id);
CREATE INDEX graph_runs_follows ON graph_runs (follows_id) WHERE follows_id IS NOT NULL;

-- One node in one run.
CREATE TABLE node_runs (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES graph_runs (session_id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    node_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    owner_type TEXT NOT NULL CHECK (owner_type IN ('agent', 'user', 'system', 'plugin')),
    owner_ref TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'ready', 'running', 'awaiting-human', 'blocked', 'completed', 'partial', 'failed', 'skipped', 'cancelled')),
    attempt_count INTEGER NOT NULL DEFAULT 0,
    retry_count INTEGER NOT NULL DEFAULT 0,
    -- Counts up only when the node is to have its effect once more: it is part of the effect's operation id.
    effect_round INTEGER NOT NULL DEFAULT 1,
    transient_failures INTEGER NOT NULL DEFAULT 0,
    -- What is known of its effect in this round, once a run of it has stopped.
    effect TEXT NOT NULL DEFAULT 'none' CHECK (effect IN ('none', 'in-doubt', 'happened')),
    -- Whether its run stopped after its effect, so that another run has to go on with it.
    must_continue INTEGER NOT NULL DEFAULT 0 CHECK (must_continue IN (0, 1)),
    input TEXT,
    output TEXT,
    blocked_reason TEXT,
    failure_class TEXT,
    -- The handler run that has the node, or had it last.
    run_id TEXT REFERENCES handler_runs (id) ON DELETE SET NULL,
    -- The node of an earlier run whose result it took over.
    carried_from TEXT REFERENCES node_runs (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    available_at INTEGER,
    deadline_at INTEGER,
    ready_at INTEGER,
    started_at INTEGER,
    completed_at INTEGER,
    updated_at INTEGER NOT NULL,
    UNIQUE (session_id, node_id),
    UNIQUE (session_id, position),
    CHECK ((status = 'blocked') = (blocked_reason IS NOT NULL)),
    CHECK ((status IN ('completed', 'partial', 'failed', 'skipped', 'cancelled')) = (completed_at IS NOT NULL))
) STRICT;
CREATE INDEX node_runs_run ON node_runs (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX node_runs_carried ON node_runs (carried_from) WHERE carried_from IS NOT NULL;
CREATE INDEX node_runs_inbox ON node_runs (workspace_id, owner_type, owner_ref) WHERE status IN ('ready', 'running', 'awaiting-human');

-- One try at a node: a submission, or what a handler run and those that continue it came to.
CREATE TABLE attempts (
    id TEXT NOT NULL PRIMARY KEY,
    node_run_id TEXT NOT NULL REFERENCES node_runs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number >= 1),
    status TEXT NOT NULL CHECK (status IN ('running', 'accepted', 'partial', 'rejected', 'failed', 'timed-out', 'cancelled')),
    submitted_by TEXT NOT NULL,
    handler_run_id TEXT REFERENCES handler_runs (id) ON DELETE SET NULL,
    input TEXT,
    output TEXT,
    notes TEXT,
    -- What the checks found: [{code, severity, path, message}].
    findings TEXT NOT NULL DEFAULT '[]',
    failure_class TEXT,
    failure_message TEXT,
    -- Of what was submitted: the same again is answered as the first time.
    digest TEXT,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    UNIQUE (node_run_id, number),
    CHECK ((status = 'running') = (ended_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX attempts_open ON attempts (node_run_id) WHERE status = 'running';
CREATE INDEX attempts_run ON attempts (handler_run_id) WHERE handler_run_id IS NOT NULL;

-- What was made: deliverables, documents, links, tickets, metrics. A version is never changed.
CREATE TABLE artifacts (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    session_id TEXT REFERENCES sessions (id) ON DELETE SET NULL,
    attempt_id TEXT REFERENCES attempts (id) ON DELETE SET NULL,
    node_id TEXT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('markdown', 'text', 'json', 'table', 'file', 'url', 'pr', 'ticket', 'metric', 'chromatic')),
    -- What a newer version replaces: `session/node/name`.
    slot TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    status TEXT NOT NULL CHECK (status IN ('current', 'superseded', 'rejected')),
    content TEXT,
    uri TEXT,
    meta TEXT NOT NULL DEFAULT '{}',
    schema_ref TEXT,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (workflow_id, slot, version)
) STRICT;
CREATE UNIQUE INDEX artifacts_current ON artifacts (workflow_id, slot) WHERE status = 'current';
CREATE INDEX artifacts_session ON artifacts (session_id, created_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX artifacts_attempt ON artifacts (attempt_id) WHERE attempt_id IS NOT NULL;

-- What a person is asked: a human node, the start of a held run, an escalation.
CREATE TABLE approvals (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    node_run_id TEXT REFERENCES node_runs (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('human-input', 'human-approval', 'human-review-edit', 'human-decision', 'start', 'review', 'question', 'escalation')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'changes-requested', 'answered', 'cancelled', 'expired')),
    prompt TEXT NOT NULL,
    -- Exactly what was shown, and the digest of it that an answer is bound to.
    presented TEXT NOT NULL,
    presented_digest TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    response TEXT,
    required_edits TEXT NOT NULL DEFAULT '[]',
    comments TEXT,
    responded_by TEXT,
    message_id TEXT,
    settled_at INTEGER,
    CHECK ((status = 'pending') = (settled_at IS NULL)),
    CHECK (status IN ('pending', 'cancelled', 'expired') OR responded_by IS NOT NULL),
    -- No agent answers.
    CHECK (responded_by IS NULL OR responded_by LIKE 'user:%')
) STRICT;
CREATE UNIQUE INDEX approvals_open ON approvals (node_run_id) WHERE status = 'pending' AND node_run_id IS NOT NULL;
CREATE UNIQUE INDEX approvals_start ON approvals (session_id) WHERE status = 'pending' AND kind = 'start';
CREATE INDEX approvals_workspace ON approvals (workspace_id, requested_at, id);
CREATE INDEX approvals_pending ON approvals (workspace_id, requested_at, id) WHERE status = 'pending';
CREATE INDEX approvals_session ON approvals (session_id, requested_at, id);
CREATE INDEX approvals_node ON approvals (node_run_id) WHERE node_run_id IS NOT NULL;

-- What kind of program a workflow has. Every workflow was a script before.
ALTER TABLE workflows ADD COLUMN kind TEXT NOT NULL DEFAULT 'script' CHECK (kind IN ('script', 'plan', 'card', 'journal'));
-- What people decide for a workspace: an object.
ALTER TABLE workspaces ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';

-- Of what belongs to one run of a graph, and its place there, from 1.
ALTER TABLE journal ADD COLUMN session_id TEXT REFERENCES sessions (id) ON DELETE SET NULL;
ALTER TABLE journal ADD COLUMN seq INTEGER;
CREATE UNIQUE INDEX journal_session ON journal (session_id, seq) WHERE session_id IS NOT NULL;

-- The run of a graph, and the question to a person, that a notification is about.
ALTER TABLE notifications ADD COLUMN session_id TEXT REFERENCES sessions (id) ON DELETE SET NULL;
ALTER TABLE notifications ADD COLUMN approval_id TEXT REFERENCES approvals (id) ON DELETE SET NULL;
CREATE INDEX notifications_session ON notifications (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX notifications_approval ON notifications (approval_id) WHERE approval_id IS NOT NULL;

-- A workflow has at most one open session, but for recorded plans, of which several executions may be open.
DROP INDEX sessions_open;
CREATE UNIQUE INDEX sessions_open ON sessions (workflow_id) WHERE result IS NULL AND kind <> 'journal';
-- A script has at most one open run, and each node of a run of a graph at most one.
DROP INDEX handler_runs_open;
CREATE UNIQUE INDEX handler_runs_open ON handler_runs (workflow_id) WHERE status IN ('queued', 'active') AND kind <> 'node';
CREATE UNIQUE INDEX handler_runs_open_node ON handler_runs (session_id, handler_name) WHERE status IN ('queued', 'active') AND kind = 'node';
CREATE INDEX handler_runs_open_nodes ON handler_runs (workflow_id) WHERE status IN ('queued', 'active') AND kind = 'node';
