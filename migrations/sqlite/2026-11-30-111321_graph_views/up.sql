-- Runs of graphs under the names that readers of earlier systems know. Nothing is stored here.

CREATE VIEW plan_specs AS
SELECT s.id, w.workspace_id AS organization_id, w.name AS workstream, s.manifest ->> '$.title' AS title, s.manifest ->> '$.objective' AS objective,
       s.minor + 1 AS version,
       CASE WHEN next.id IS NULL THEN 'compiled' ELSE 'superseded' END AS status,
       s.manifest ->> '$.lead' AS lead_agent_id, s.manifest -> '$.schemas' AS schema_registry, s.manifest -> '$.edges' AS edges,
       s.manifest -> '$.entryNodeIds' AS entry_node_ids, previous.id AS replaced_spec_id, s.created_at AS compiled_at
FROM scripts s JOIN workflows w ON w.id = s.workflow_id AND w.kind = 'plan'
LEFT JOIN scripts next ON next.workflow_id = s.workflow_id AND next.major = s.major AND next.minor = s.minor + 1
LEFT JOIN scripts previous ON previous.workflow_id = s.workflow_id AND previous.major = s.major AND previous.minor = s.minor - 1;

CREATE VIEW plan_node_specs AS
SELECT s.id AS plan_spec_id, n.value ->> '$.id' AS node_id, n.key AS position, n.value ->> '$.type' AS type, n.value ->> '$.label' AS label,
       n.value -> '$.owner' AS owner, n.value ->> '$.objective' AS objective, n.value ->> '$.instructions' AS instructions,
       n.value ->> '$.inputSchemaRef' AS input_schema_ref, n.value ->> '$.outputSchemaRef' AS output_schema_ref,
       n.value -> '$.deliverables' AS deliverables, n.value -> '$.successCriteria' AS success_criteria,
       n.value -> '$.completionChecks' AS completion_checks, n.value -> '$.retryPolicy' AS retry_policy,
       n.value -> '$.failurePolicy' AS failure_policy, n.value ->> '$.timeoutMs' AS timeout_ms, n.value -> '$.toolPolicy' AS tool_policy,
       n.value -> '$.contextPolicy' AS context_policy, n.value -> '$.upstreamNodeIds' AS upstream_node_ids,
       n.value -> '$.downstreamNodeIds' AS downstream_node_ids
FROM scripts s JOIN workflows w ON w.id = s.workflow_id AND w.kind = 'plan', json_each(s.manifest, '$.nodes') n;

CREATE VIEW plan_runs AS
SELECT g.session_id AS id, g.script_id AS plan_spec_id, g.workspace_id AS organization_id, w.name AS workstream, g.lead AS lead_agent_id, g.status,
       (SELECT n.node_id FROM node_runs n WHERE n.session_id = g.session_id AND n.status = 'running' ORDER BY n.position LIMIT 1) AS current_node_id,
       (SELECT n.node_id FROM node_runs n WHERE n.session_id = g.session_id AND n.status = 'awaiting-human' ORDER BY n.position LIMIT 1) AS waiting_node_id,
       (SELECT json_group_array(r.node_id) FROM (SELECT n.node_id FROM node_runs n WHERE n.session_id = g.session_id AND n.status = 'ready' ORDER BY n.position) r) AS ready_node_ids,
       g.failure_count, g.follows_id AS replaced_run_id,
       (SELECT j.id FROM journal j WHERE j.session_id = g.session_id AND j.action = 'checkpoint.saved' ORDER BY j.seq DESC LIMIT 1) AS last_checkpoint_id,
       s.created_at AS started_at, s.ended_at AS completed_at
FROM graph_runs g JOIN sessions s ON s.id = g.session_id JOIN workflows w ON w.id = g.workflow_id AND w.kind = 'plan';

CREATE VIEW plan_node_runs AS
SELECT n.id, n.session_id AS run_id, g.script_id AS plan_spec_id, n.node_id, n.status, n.attempt_count, n.retry_count,
       (SELECT a.id FROM attempts a WHERE a.node_run_id = n.id ORDER BY a.number DESC LIMIT 1) AS current_attempt_id,
       n.ready_at, n.started_at, n.completed_at, n.blocked_reason, n.failure_class, n.input AS resolved_input, n.output AS last_output, n.updated_at
FROM node_runs n JOIN graph_runs g ON g.session_id = n.session_id JOIN workflows w ON w.id = n.workflow_id AND w.kind = 'plan';

CREATE VIEW plan_node_attempts AS
SELECT a.id, n.session_id AS run_id, n.id AS node_run_id, n.node_id, a.number AS attempt_number, a.status, a.submitted_by, a.input,
       a.output AS structured_output, a.notes, a.failure_class, a.failure_message, a.handler_run_id, a.started_at, a.ended_at AS submitted_at
FROM attempts a JOIN node_runs n ON n.id = a.node_run_id JOIN workflows w ON w.id = n.workflow_id AND w.kind = 'plan';

CREATE VIEW plan_artifacts AS
SELECT a.id, a.session_id AS run_id, a.node_id, a.attempt_id, a.name, a.kind, a.content, a.uri AS pointer, a.meta, a.schema_ref, a.status, a.created_at
FROM artifacts a JOIN workflows w ON w.id = a.workflow_id AND w.kind = 'plan';

CREATE VIEW plan_approvals AS
SELECT p.id, p.session_id AS run_id, n.node_id, p.node_run_id, p.status, p.kind, p.prompt, p.presented, p.response,
       CASE p.status WHEN 'approved' THEN 1 WHEN 'rejected' THEN 0 WHEN 'changes-requested' THEN 0 END AS approved, p.required_edits, p.comments,
       p.requested_by, p.responded_by, p.message_id AS approval_message_id, p.requested_at, p.settled_at AS responded_at
FROM approvals p LEFT JOIN node_runs n ON n.id = p.node_run_id JOIN workflows w ON w.id = p.workflow_id AND w.kind = 'plan';

CREATE VIEW plan_checkpoints AS
SELECT j.id, j.session_id AS run_id, j.details ->> '$.sequence' AS sequence, j.details ->> '$.runStatus' AS run_status,
       j.details -> '$.readyNodeIds' AS ready_node_ids, j.details -> '$.activeNodeIds' AS active_node_ids, j.details -> '$.artifactIds' AS artifact_ids,
       j.details -> '$.lastCompletedNodeIds' AS last_completed_node_ids, j.details -> '$.snapshot' AS snapshot, j.created_at
FROM journal j JOIN sessions s ON s.id = j.session_id AND s.kind = 'plan' WHERE j.action = 'checkpoint.saved';

CREATE VIEW plan_validation_issues AS
SELECT g.script_id AS plan_spec_id, n.session_id AS run_id, n.node_id, a.id AS attempt_id, f.value ->> '$.code' AS code,
       f.value ->> '$.severity' AS severity, f.value ->> '$.message' AS message, f.value ->> '$.path' AS path, a.ended_at AS created_at
FROM attempts a JOIN node_runs n ON n.id = a.node_run_id JOIN graph_runs g ON g.session_id = n.session_id, json_each(a.findings) f
UNION ALL
SELECT s.id, NULL, f.value ->> '$.node', NULL, f.value ->> '$.code', f.value ->> '$.severity', f.value ->> '$.message', f.value ->> '$.path', s.created_at
FROM scripts s JOIN workflows w ON w.id = s.workflow_id AND w.kind <> 'script', json_each(s.manifest, '$.warnings') f;

CREATE VIEW plan_events AS
SELECT j.id, g.script_id AS plan_spec_id, j.session_id AS run_id, j.seq, replace(replace(j.action, '.', '-'), '_', '-') AS event_type,
       j.details ->> '$.message' AS message, CASE j.actor WHEN 'windlass' THEN 'system' ELSE j.actor END AS emitted_by, j.details AS detail, j.details ->> '$.nodeId' AS node_id,
       j.details ->> '$.fromStatus' AS from_status, j.details ->> '$.toStatus' AS to_status, j.created_at
FROM journal j JOIN graph_runs g ON g.session_id = j.session_id JOIN workflows w ON w.id = g.workflow_id AND w.kind = 'plan';

-- The recorded plans of the journal, not the workflows of kind `plan`.
CREATE VIEW plans AS
SELECT 'plan_' || substr(s.id, 5) AS plan_id, w.title AS name, s.manifest ->> '$.objective' AS description, s.manifest -> '$.nodes' AS steps_json, s.created_at
FROM scripts s JOIN workflows w ON w.id = s.workflow_id AND w.kind = 'journal';

CREATE VIEW execution_instances AS
SELECT 'exec_' || substr(g.session_id, 5) AS id, 'plan_' || substr(g.script_id, 5) AS plan_id,
       CASE g.status WHEN 'completed' THEN 'completed' WHEN 'failed' THEN 'failed' WHEN 'aborted' THEN 'cancelled' ELSE 'running' END AS status,
       (SELECT n.node_id FROM node_runs n WHERE n.session_id = g.session_id AND n.status IN ('ready', 'running') ORDER BY n.position LIMIT 1) AS current_step,
       g.notes, s.created_at, g.updated_at, s.created_at AS started_at,
       s.ended_at AS completed_at, s.error
FROM graph_runs g JOIN sessions s ON s.id = g.session_id AND s.kind = 'journal';

CREATE VIEW execution_steps AS
SELECT 'exec_' || substr(n.session_id, 5) AS execution_id, n.node_id AS step_id, n.position, p.value ->> '$.label' AS name,
       p.value ->> '$.tool' AS tool_name, p.value -> '$.parameters' AS parameters_json,
       CASE WHEN n.status IN ('ready', 'blocked') THEN 'pending' WHEN n.status = 'cancelled' AND g.status = 'failed' THEN 'pending' ELSE n.status END AS status, n.started_at, n.completed_at, n.output AS result_json,
       (SELECT a.failure_message FROM attempts a WHERE a.node_run_id = n.id ORDER BY a.number DESC LIMIT 1) AS error,
       p.value ->> '$.cancellable' AS cancellable, p.value -> '$.failurePolicyNote' AS failure_policy_json
FROM node_runs n JOIN graph_runs g ON g.session_id = n.session_id JOIN sessions s ON s.id = g.session_id AND s.kind = 'journal'
JOIN scripts c ON c.id = g.script_id, json_each(c.manifest, '$.nodes') p WHERE p.key = n.position;

CREATE VIEW execution_events AS
SELECT j.id AS event_id, 'exec_' || substr(j.session_id, 5) AS execution_id, j.seq,
       replace(replace(replace(j.action, 'node.', 'step_'), 'run.', 'execution_'), '.', '_') AS event_type, j.created_at AS timestamp, j.details AS data_json
FROM journal j JOIN sessions s ON s.id = j.session_id AND s.kind = 'journal' WHERE j.action <> 'checkpoint.saved';
