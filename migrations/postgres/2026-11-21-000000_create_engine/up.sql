-- Times are microseconds since the epoch, UTC. Ids are UUIDv7 with a prefix. Payloads are JSON text.
-- The same file for SQLite has the same tables, columns, constraints and indexes, with a CHECK instead of a domain.

-- The values of columns. A statement checks a domain only if it sets such a column, but every CHECK of a table whenever it writes a
-- row: those of a run took as long as the rest of its insertion.
CREATE DOMAIN workflow_status AS TEXT CHECK (VALUE IN ('draft', 'ready', 'active', 'paused', 'archived'));
CREATE DOMAIN session_kind AS TEXT CHECK (VALUE IN ('workflow', 'plan', 'stage'));
CREATE DOMAIN session_trigger AS TEXT CHECK (VALUE IN ('schedule', 'manual', 'event', 'retry'));
CREATE DOMAIN session_result AS TEXT CHECK (VALUE IN ('completed', 'failed'));
CREATE DOMAIN handler_kind AS TEXT CHECK (VALUE IN ('producer', 'consumer', 'node', 'step'));
CREATE DOMAIN run_phase AS TEXT CHECK (VALUE IN
    ('pending', 'executing', 'preparing', 'prepared', 'mutating', 'mutated', 'emitting', 'committed'));
CREATE DOMAIN run_status AS TEXT CHECK (VALUE IN
    ('queued', 'active', 'paused:transient', 'paused:approval', 'paused:reconciliation',
     'failed:logic', 'failed:internal', 'committed', 'crashed'));
CREATE DOMAIN mutation_outcome AS TEXT CHECK (VALUE IN ('success', 'failure', 'skipped'));
CREATE DOMAIN event_status AS TEXT CHECK (VALUE IN ('pending', 'reserved', 'consumed', 'skipped', 'parked'));
CREATE DOMAIN past_status AS TEXT CHECK (VALUE IN ('consumed', 'skipped'));
CREATE DOMAIN mutation_status AS TEXT CHECK (VALUE IN
    ('in_flight', 'applied', 'failed', 'needs_reconcile', 'indeterminate', 'would_send'));
CREATE DOMAIN mutation_resolver AS TEXT CHECK (VALUE IN
    ('user_assert_failed', 'user_assert_applied', 'user_skip', 'reconciliation'));
CREATE DOMAIN stateful_kind AS TEXT CHECK (VALUE IN ('producer', 'consumer'));
CREATE DOMAIN log_level AS TEXT CHECK (VALUE IN ('log', 'warn', 'error'));
CREATE DOMAIN notification_kind AS TEXT CHECK (VALUE IN
    ('error', 'script_failed', 'mutation_in_doubt', 'event_parked', 'script_message'));

-- One row about this database.
CREATE TABLE instance (
    id TEXT NOT NULL PRIMARY KEY CHECK (id = 'windlass'),
    -- When a worker last began to prune old records.
    pruned_at BIGINT NOT NULL,
    -- Where the instance was moved to, without a password. From then on nothing runs here.
    moved_to TEXT
);
INSERT INTO instance (id, pruned_at) VALUES ('windlass', 0);

CREATE TABLE workspaces (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE workflows (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    -- Compared byte by byte, as SQLite does.
    name TEXT COLLATE "C" NOT NULL,
    title TEXT NOT NULL,
    -- Set by people only; the engine never changes it.
    status workflow_status NOT NULL,
    -- Why the workflow waits for a person.
    error TEXT,
    error_class TEXT,
    -- Whether the script has to be repaired first.
    maintenance BOOLEAN NOT NULL DEFAULT FALSE,
    -- The run that set the error or the maintenance.
    stopped_by_run_id TEXT,
    -- The stopped run that must be retried before any other run.
    pending_retry_run_id TEXT,
    -- The label of workers that may claim its runs, if not any, and the priority of its runs: higher is sooner.
    label TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    active_script_id TEXT,
    transient_failures INTEGER NOT NULL DEFAULT 0,
    backoff_until BIGINT,
    -- How many of its runs in a row were lost with their workers.
    lost_runs INTEGER NOT NULL DEFAULT 0,
    -- Its mutations in the hour that began at this time.
    window_started_at BIGINT,
    window_mutations INTEGER NOT NULL DEFAULT 0,
    window_doubts INTEGER NOT NULL DEFAULT 0,
    -- When the workflow is due next; NULL while it has an open run or nothing to do.
    due_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (workspace_id, name),
    UNIQUE (id, workspace_id),
    CHECK ((error IS NULL) = (error_class IS NULL)),
    CHECK (status <> 'active' OR active_script_id IS NOT NULL)
);
CREATE INDEX workflows_due ON workflows (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX workflows_stopped_by ON workflows (stopped_by_run_id) WHERE stopped_by_run_id IS NOT NULL;
CREATE INDEX workflows_pending_retry ON workflows (pending_retry_run_id) WHERE pending_retry_run_id IS NOT NULL;

-- Limits on runs with the same key: how many may run at once, or start in a time window.
CREATE TABLE limits (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    key TEXT NOT NULL,
    at_once INTEGER,
    -- The most runs that start in a window of so many microseconds, and how many have started in the current one.
    rate INTEGER,
    rate_window BIGINT,
    window_started_at BIGINT,
    taken INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, key),
    CHECK ((rate IS NULL) = (rate_window IS NULL)),
    CHECK (at_once IS NOT NULL OR rate IS NOT NULL)
);

-- The limit keys of the runs of a workflow's active script.
CREATE TABLE workflow_keys (
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    key TEXT NOT NULL,
    PRIMARY KEY (workflow_id, key)
);
CREATE INDEX workflow_keys_key ON workflow_keys (key);

-- The running workers, as of their last heartbeat. A worker that stops deletes its row.
CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    -- The workspace that it works for; NULL for all.
    workspace_id TEXT REFERENCES workspaces (id),
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    version TEXT NOT NULL,
    labels TEXT NOT NULL,
    slots INTEGER NOT NULL,
    -- Its active runs, and the runs that it has ended since it started.
    running INTEGER NOT NULL,
    done BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    last_heartbeat_at BIGINT NOT NULL
);
CREATE INDEX workers_heartbeat ON workers (last_heartbeat_at);

CREATE TABLE scripts (
    id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    major INTEGER NOT NULL CHECK (major >= 1),
    minor INTEGER NOT NULL CHECK (minor >= 0),
    file_name TEXT NOT NULL,
    source TEXT NOT NULL,
    digest TEXT NOT NULL,
    manifest TEXT NOT NULL,
    -- The tools that it may call.
    granted TEXT NOT NULL,
    comment TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (workflow_id, major, minor)
);

CREATE TABLE topics (
    id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (workflow_id, name),
    UNIQUE (id, workflow_id)
);

-- The subscriptions of the active script's consumers.
CREATE TABLE subscriptions (
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    consumer TEXT NOT NULL,
    topic TEXT NOT NULL,
    PRIMARY KEY (workflow_id, consumer, topic)
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    kind session_kind NOT NULL,
    trigger session_trigger NOT NULL,
    result session_result,
    error TEXT,
    error_class TEXT,
    -- Runs begun, and runs committed.
    begun_run_count INTEGER NOT NULL DEFAULT 0,
    handler_run_count INTEGER NOT NULL DEFAULT 0,
    cost BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    CHECK ((result IS NULL) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX sessions_open ON sessions (workflow_id) WHERE result IS NULL;
CREATE INDEX sessions_workflow ON sessions (workflow_id, created_at);
CREATE INDEX sessions_ended ON sessions (ended_at, id) WHERE ended_at IS NOT NULL;

CREATE TABLE handler_runs (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id),
    script_id TEXT NOT NULL REFERENCES scripts (id),
    kind handler_kind NOT NULL,
    handler_name TEXT NOT NULL,
    phase run_phase NOT NULL,
    status run_status NOT NULL,
    retry_of TEXT REFERENCES handler_runs (id) DEFERRABLE INITIALLY DEFERRED,
    -- The mutation of this run, or of the run that it retries.
    mutation_id TEXT,
    mutation_outcome mutation_outcome,
    prepare_result TEXT,
    input_state TEXT,
    output_state TEXT,
    error TEXT,
    error_class TEXT,
    error_at TEXT,
    cost BIGINT NOT NULL DEFAULT 0,
    claimed_by TEXT,
    lease_expires_at BIGINT,
    fence BIGINT NOT NULL DEFAULT 0,
    -- Its workflow's label and priority when it was enqueued, and its rank in the queue: a time, earlier for a higher priority.
    label TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    rank BIGINT NOT NULL,
    -- Whether it counts against a limit, so that other runs may wait for its end.
    limited BOOLEAN NOT NULL DEFAULT FALSE,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    FOREIGN KEY (workflow_id, workspace_id) REFERENCES workflows (id, workspace_id),
    CHECK ((status = 'committed') = (phase = 'committed')),
    CHECK ((status IN ('queued', 'active')) = (ended_at IS NULL)),
    CHECK (status <> 'active' OR (claimed_by IS NOT NULL AND lease_expires_at IS NOT NULL)),
    CHECK (phase <> 'committed' OR mutation_outcome IS NULL OR mutation_outcome <> 'failure'),
    CHECK (kind <> 'producer' OR mutation_id IS NULL)
);
-- A workflow has at most one open run.
CREATE UNIQUE INDEX handler_runs_open ON handler_runs (workflow_id) WHERE status IN ('queued', 'active');
-- A stopped run is retried at most once.
CREATE UNIQUE INDEX handler_runs_retry ON handler_runs (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX handler_runs_queue ON handler_runs (workspace_id, rank, id) WHERE status = 'queued';
CREATE INDEX handler_runs_lease ON handler_runs (lease_expires_at) WHERE status = 'active';
CREATE INDEX handler_runs_workflow ON handler_runs (workflow_id, created_at, id);
CREATE INDEX handler_runs_session ON handler_runs (session_id);
CREATE INDEX handler_runs_mutation ON handler_runs (mutation_id) WHERE mutation_id IS NOT NULL;
-- For pruning runs without a mutation; the others are pruned with their mutation.
CREATE INDEX handler_runs_ended ON handler_runs (ended_at, id) WHERE mutation_id IS NULL AND ended_at IS NOT NULL;

CREATE TABLE inputs (
    id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    external_id TEXT NOT NULL,
    title TEXT NOT NULL,
    -- NULL if that run was pruned.
    created_by_run_id TEXT REFERENCES handler_runs (id),
    -- The status of its pruned events.
    past_status past_status,
    created_at BIGINT NOT NULL,
    UNIQUE (workflow_id, source, type, external_id)
);
CREATE INDEX inputs_workflow ON inputs (workflow_id, created_at, id);
CREATE INDEX inputs_created ON inputs (created_at, id);
CREATE INDEX inputs_run ON inputs (created_by_run_id) WHERE created_by_run_id IS NOT NULL;

-- The keys of pruned inputs.
CREATE TABLE past_inputs (
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    external_id TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    pruned_at BIGINT NOT NULL,
    PRIMARY KEY (workflow_id, external_id, source, type)
);
CREATE INDEX past_inputs_pruned ON past_inputs (pruned_at);

CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    topic_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    status event_status NOT NULL,
    reserved_by_run_id TEXT REFERENCES handler_runs (id),
    created_by_run_id TEXT NOT NULL REFERENCES handler_runs (id),
    attempt_number INTEGER NOT NULL DEFAULT 1 CHECK (attempt_number >= 1),
    -- How often its run was lost or failed, and the error of the last one.
    blamed INTEGER NOT NULL DEFAULT 0,
    blamed_for TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (topic_id, message_id),
    FOREIGN KEY (topic_id, workflow_id) REFERENCES topics (id, workflow_id),
    CHECK (status NOT IN ('pending', 'parked') OR reserved_by_run_id IS NULL),
    CHECK (status NOT IN ('reserved', 'consumed') OR reserved_by_run_id IS NOT NULL)
);
CREATE INDEX events_pending ON events (topic_id, created_at, id) WHERE status = 'pending';
CREATE INDEX events_parked ON events (workflow_id) WHERE status = 'parked';
CREATE INDEX events_run ON events (reserved_by_run_id) WHERE reserved_by_run_id IS NOT NULL;
CREATE INDEX events_workflow ON events (workflow_id, created_at, id);
CREATE INDEX events_publisher ON events (created_by_run_id);
CREATE INDEX events_over ON events (updated_at, id) WHERE status IN ('consumed', 'skipped');

-- The message ids of pruned events, so that they do not count as new when they are published again.
CREATE TABLE past_events (
    topic_id TEXT NOT NULL REFERENCES topics (id),
    message_id TEXT NOT NULL,
    pruned_at BIGINT NOT NULL,
    PRIMARY KEY (topic_id, message_id)
);
CREATE INDEX past_events_pruned ON past_events (pruned_at);

-- Consumed and skipped events are final.
CREATE FUNCTION events_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a consumed or skipped event is final' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER events_final BEFORE UPDATE OF status ON events
FOR EACH ROW WHEN (OLD.status IN ('consumed', 'skipped') AND NEW.status <> OLD.status)
EXECUTE FUNCTION events_are_final();

-- A deleted event or input leaves its key, and no open event is deleted.
CREATE FUNCTION events_kept_for_good() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM past_events p WHERE p.topic_id = OLD.topic_id AND p.message_id = OLD.message_id)
    OR OLD.status NOT IN ('consumed', 'skipped') THEN
        RAISE EXCEPTION 'an event leaves only once it is over, and its name stays' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER events_kept BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION events_kept_for_good();
CREATE FUNCTION inputs_kept_for_good() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM past_inputs p WHERE p.workflow_id = OLD.workflow_id AND p.external_id = OLD.external_id
        AND p.source = OLD.source AND p.type = OLD.type) THEN
        RAISE EXCEPTION 'an input leaves its name' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER inputs_kept BEFORE DELETE ON inputs FOR EACH ROW EXECUTE FUNCTION inputs_kept_for_good();

-- The inputs that caused an event, and those that caused a run, which it keeps when its events move to a retry.
CREATE TABLE event_inputs (
    event_id TEXT NOT NULL REFERENCES events (id),
    input_id TEXT NOT NULL REFERENCES inputs (id),
    PRIMARY KEY (event_id, input_id)
);
CREATE INDEX event_inputs_input ON event_inputs (input_id);

CREATE TABLE run_inputs (
    run_id TEXT NOT NULL REFERENCES handler_runs (id),
    input_id TEXT NOT NULL REFERENCES inputs (id),
    PRIMARY KEY (run_id, input_id)
);
CREATE INDEX run_inputs_input ON run_inputs (input_id);

CREATE TABLE mutations (
    id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    handler_run_id TEXT NOT NULL UNIQUE REFERENCES handler_runs (id),
    -- The same for the same operation: consumer, tool, parameters and events.
    operation_id TEXT NOT NULL,
    -- The list of events that it is for. While one of them is open, the same operation may be attempted again.
    event_ids TEXT NOT NULL,
    tool_namespace TEXT NOT NULL,
    tool_method TEXT NOT NULL,
    params TEXT NOT NULL,
    params_digest TEXT NOT NULL,
    -- Where a person can see the effect.
    target TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    status mutation_status NOT NULL,
    result TEXT,
    error TEXT,
    error_class TEXT,
    -- Whether the tool can look it up.
    reconcilable BOOLEAN NOT NULL,
    reconcile_attempts INTEGER NOT NULL DEFAULT 0,
    last_reconcile_at BIGINT,
    next_reconcile_at BIGINT,
    -- Until when a lookup may be running.
    looked_up_until BIGINT,
    resolved_by mutation_resolver,
    resolved_at BIGINT,
    ui_title TEXT NOT NULL,
    -- What a worker reported after it had lost its claim.
    late_evidence TEXT,
    cost BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK (status NOT IN ('applied', 'would_send') OR result IS NOT NULL),
    CHECK ((status = 'needs_reconcile') = (next_reconcile_at IS NOT NULL)),
    CHECK ((resolved_by IS NULL) = (resolved_at IS NULL))
);
CREATE INDEX mutations_workflow ON mutations (workflow_id, created_at, id);
-- An operation is applied at most once.
CREATE UNIQUE INDEX mutations_applied ON mutations (operation_id) WHERE status = 'applied';
CREATE INDEX mutations_operation ON mutations (operation_id);
CREATE INDEX mutations_unsettled ON mutations (workflow_id) WHERE status NOT IN ('applied', 'failed', 'would_send');
CREATE INDEX mutations_settled ON mutations (updated_at, id) WHERE status IN ('applied', 'failed', 'would_send');
CREATE INDEX mutations_lookup ON mutations (next_reconcile_at) WHERE status = 'needs_reconcile';

-- Settled mutations are final.
CREATE FUNCTION mutations_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a settled mutation is final' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER mutations_final BEFORE UPDATE OF status ON mutations
FOR EACH ROW WHEN (OLD.status IN ('applied', 'failed', 'would_send') AND NEW.status <> OLD.status)
EXECUTE FUNCTION mutations_are_final();

CREATE FUNCTION mutations_kept_for_good() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status NOT IN ('applied', 'failed', 'would_send') THEN
        RAISE EXCEPTION 'an effect is kept until it is settled' USING ERRCODE = 'check_violation';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER mutations_kept BEFORE DELETE ON mutations FOR EACH ROW EXECUTE FUNCTION mutations_kept_for_good();

CREATE TABLE handler_state (
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    kind stateful_kind NOT NULL,
    name TEXT NOT NULL,
    -- Whether the active script declares this handler. The state is kept if it does not.
    declared BOOLEAN NOT NULL,
    state TEXT,
    has_work BOOLEAN NOT NULL DEFAULT FALSE,
    wake_at BIGINT,
    schedule TEXT,
    next_run_at BIGINT,
    last_run_at BIGINT,
    updated_at BIGINT NOT NULL,
    updated_by_run_id TEXT REFERENCES handler_runs (id),
    PRIMARY KEY (workflow_id, kind, name)
);
CREATE INDEX handler_state_run ON handler_state (updated_by_run_id) WHERE updated_by_run_id IS NOT NULL;

CREATE TABLE run_logs (
    run_id TEXT NOT NULL REFERENCES handler_runs (id),
    seq INTEGER NOT NULL,
    level log_level NOT NULL,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE notifications (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    kind notification_kind NOT NULL,
    run_id TEXT REFERENCES handler_runs (id),
    -- For a script's message: the mutation that sent it, so that it is added once.
    mutation_id TEXT REFERENCES mutations (id),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    resolved_at BIGINT
);
CREATE UNIQUE INDEX notifications_message ON notifications (mutation_id) WHERE kind = 'script_message';
CREATE INDEX notifications_workspace ON notifications (workspace_id, created_at, id);
CREATE INDEX notifications_created ON notifications (created_at, id);
CREATE INDEX notifications_run ON notifications (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX notifications_mutation ON notifications (mutation_id) WHERE mutation_id IS NOT NULL;
CREATE INDEX notifications_open ON notifications (workflow_id) WHERE resolved_at IS NULL;

CREATE TABLE journal (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    workflow_id TEXT REFERENCES workflows (id),
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT,
    details TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX journal_workflow ON journal (workflow_id, created_at, id);
CREATE INDEX journal_created ON journal (created_at, id);
CREATE INDEX journal_subject ON journal (subject, created_at, id);

-- In PostgreSQL a table must exist before another one refers to it.
ALTER TABLE workflows ADD FOREIGN KEY (stopped_by_run_id) REFERENCES handler_runs (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE workflows ADD FOREIGN KEY (pending_retry_run_id) REFERENCES handler_runs (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE workflows ADD FOREIGN KEY (active_script_id) REFERENCES scripts (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE handler_runs ADD FOREIGN KEY (mutation_id) REFERENCES mutations (id) DEFERRABLE INITIALLY DEFERRED;

-- For people: times as text, sizes instead of payloads.
CREATE VIEW handler_runs_readable AS
SELECT r.id, w.name AS workflow, r.kind, r.handler_name AS handler, r.phase, r.status, r.mutation_outcome, r.error_class, r.error,
       r.claimed_by, r.fence,
       to_char(to_timestamp(r.created_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS created,
       to_char(to_timestamp(r.started_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS started,
       to_char(to_timestamp(r.ended_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS ended
FROM handler_runs r JOIN workflows w ON w.id = r.workflow_id;

CREATE VIEW events_readable AS
SELECT e.id, w.name AS workflow, t.name AS topic, e.message_id, e.status, e.attempt_number, length(e.payload) AS payload_size,
       e.reserved_by_run_id,
       to_char(to_timestamp(e.created_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS created,
       to_char(to_timestamp(e.updated_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS updated
FROM events e JOIN workflows w ON w.id = e.workflow_id JOIN topics t ON t.id = e.topic_id;

CREATE VIEW mutations_readable AS
SELECT m.id, w.name AS workflow, m.tool_namespace || '.' || m.tool_method AS tool, m.status, m.ui_title, m.error, m.resolved_by,
       length(m.params) AS params_size, length(m.result) AS result_size, m.handler_run_id,
       to_char(to_timestamp(m.created_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS created,
       to_char(to_timestamp(m.updated_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS updated
FROM mutations m JOIN workflows w ON w.id = m.workflow_id;

CREATE VIEW workflows_readable AS
SELECT w.id, w.name, w.status, w.error_class, w.error, w.maintenance, w.pending_retry_run_id, w.transient_failures,
       to_char(to_timestamp(w.backoff_until / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS waits_until,
       to_char(to_timestamp(w.due_at / 1e6) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') AS due
FROM workflows w;
