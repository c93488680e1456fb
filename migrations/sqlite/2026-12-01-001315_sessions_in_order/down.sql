DROP INDEX sessions_workflow;
CREATE INDEX sessions_workflow ON sessions (workflow_id, created_at);
