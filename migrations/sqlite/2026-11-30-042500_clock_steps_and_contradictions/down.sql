DELETE FROM notifications WHERE kind = 'effect_contradicted';
CREATE TABLE new_notifications (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    workflow_id TEXT NOT NULL REFERENCES workflows (id),
    kind TEXT NOT NULL CHECK (kind IN ('error', 'script_failed', 'mutation_in_doubt', 'event_parked', 'script_message')),
    run_id TEXT REFERENCES handler_runs (id),
    -- For a script's message: the mutation that sent it, so that it is added once.
    mutation_id TEXT REFERENCES mutations (id),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    resolved_at INTEGER
) STRICT;
INSERT INTO new_notifications SELECT * FROM notifications;
DROP TABLE notifications;
ALTER TABLE new_notifications RENAME TO notifications;
CREATE UNIQUE INDEX notifications_message ON notifications (mutation_id) WHERE kind = 'script_message';
CREATE INDEX notifications_workspace ON notifications (workspace_id, created_at, id);
CREATE INDEX notifications_created ON notifications (created_at, id);
CREATE INDEX notifications_run ON notifications (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX notifications_mutation ON notifications (mutation_id) WHERE mutation_id IS NOT NULL;
CREATE INDEX notifications_open ON notifications (workflow_id) WHERE resolved_at IS NULL;

ALTER TABLE workflows DROP COLUMN contradicted_mutation_id;
ALTER TABLE instance DROP COLUMN clock_set_back_from;
ALTER TABLE instance DROP COLUMN clock_stepped_at;
