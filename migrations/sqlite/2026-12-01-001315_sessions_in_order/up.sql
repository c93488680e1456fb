-- Sessions are listed from the newest on, those of one instant by their ids.
DROP INDEX sessions_workflow;
CREATE INDEX sessions_workflow ON sessions (workflow_id, created_at, id);
