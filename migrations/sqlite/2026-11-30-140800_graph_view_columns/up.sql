-- The event of a checkpoint says which one it is; a step that is pending has not ended.

DROP VIEW plan_events;
CREATE VIEW plan_events AS
SELECT j.id, g.script_id AS plan_spec_id, j.session_id AS run_id, j.seq, replace(replace(j.action, '.', '-'), '_', '-') AS event_type,
       CASE j.action WHEN 'checkpoint.saved' THEN 'checkpoint saved: ' || (j.details ->> '$.reason') ELSE j.details ->> '$.message' END AS message, CASE j.actor WHEN 'windlass' THEN 'system' ELSE j.actor END AS emitted_by, CASE j.action WHEN 'checkpoint.saved' THEN json_object('checkpointId', j.id, 'reason', j.details ->> '$.reason') ELSE j.details END AS detail, j.details ->> '$.nodeId' AS node_id,
       j.details ->> '$.fromStatus' AS from_status, j.details ->> '$.toStatus' AS to_status, j.created_at
FROM journal j JOIN graph_runs g ON g.session_id = j.session_id JOIN workflows w ON w.id = g.workflow_id AND w.kind = 'plan';

DROP VIEW execution_steps;
CREATE VIEW execution_steps AS
SELECT 'exec_' || substr(n.session_id, 5) AS execution_id, n.node_id AS step_id, n.position, p.value ->> '$.label' AS name,
       p.value ->> '$.tool' AS tool_name, p.value -> '$.parameters' AS parameters_json,
       CASE WHEN n.status IN ('ready', 'blocked') THEN 'pending' WHEN n.status = 'cancelled' AND g.status = 'failed' THEN 'pending' ELSE n.status END AS status, n.started_at,
       CASE WHEN n.status = 'cancelled' AND g.status = 'failed' THEN NULL ELSE n.completed_at END AS completed_at, n.output AS result_json,
       (SELECT a.failure_message FROM attempts a WHERE a.node_run_id = n.id ORDER BY a.number DESC LIMIT 1) AS error,
       p.value ->> '$.cancellable' AS cancellable, p.value -> '$.failurePolicyNote' AS failure_policy_json
FROM node_runs n JOIN graph_runs g ON g.session_id = n.session_id JOIN sessions s ON s.id = g.session_id AND s.kind = 'journal'
JOIN scripts c ON c.id = g.script_id, json_each(c.manifest, '$.nodes') p WHERE p.key = n.position;
