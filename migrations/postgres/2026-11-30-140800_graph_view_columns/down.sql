DROP VIEW execution_steps;
CREATE VIEW execution_steps AS
SELECT 'exec_' || substr(n.session_id, 5) AS execution_id, n.node_id AS step_id, n.position, (p.value ->> 'label') AS name,
       (p.value ->> 'tool') AS tool_name, (p.value -> 'parameters') AS parameters_json,
       CASE WHEN n.status IN ('ready', 'blocked') THEN 'pending' WHEN n.status = 'cancelled' AND g.status = 'failed' THEN 'pending' ELSE n.status END AS status, n.started_at, n.completed_at, n.output AS result_json,
       (SELECT a.failure_message FROM attempts a WHERE a.node_run_id = n.id ORDER BY a.number DESC LIMIT 1) AS error,
       (p.value ->> 'cancellable') AS cancellable, (p.value -> 'failurePolicyNote') AS failure_policy_json
FROM node_runs n JOIN graph_runs g ON g.session_id = n.session_id JOIN sessions s ON s.id = g.session_id AND s.kind = 'journal'
JOIN scripts c ON c.id = g.script_id, jsonb_array_elements(c.manifest::jsonb -> 'nodes') WITH ORDINALITY AS p (value, key) WHERE p.key - 1 = n.position;

DROP VIEW plan_checkpoints;
CREATE VIEW plan_checkpoints AS
SELECT j.id, j.session_id AS run_id, (j.details::jsonb ->> 'sequence') AS sequence, (j.details::jsonb ->> 'runStatus') AS run_status,
       (j.details::jsonb -> 'readyNodeIds') AS ready_node_ids, (j.details::jsonb -> 'activeNodeIds') AS active_node_ids, (j.details::jsonb -> 'artifactIds') AS artifact_ids,
       (j.details::jsonb -> 'lastCompletedNodeIds') AS last_completed_node_ids, (j.details::jsonb -> 'snapshot') AS snapshot, j.created_at
FROM journal j JOIN sessions s ON s.id = j.session_id AND s.kind = 'plan' WHERE j.action = 'checkpoint.saved';

DROP VIEW plan_events;
CREATE VIEW plan_events AS
SELECT j.id, g.script_id AS plan_spec_id, j.session_id AS run_id, j.seq, replace(replace(j.action, '.', '-'), '_', '-') AS event_type,
       (j.details::jsonb ->> 'message') AS message, CASE j.actor WHEN 'windlass' THEN 'system' ELSE j.actor END AS emitted_by, j.details AS detail, (j.details::jsonb ->> 'nodeId') AS node_id,
       (j.details::jsonb ->> 'fromStatus') AS from_status, (j.details::jsonb ->> 'toStatus') AS to_status, j.created_at
FROM journal j JOIN graph_runs g ON g.session_id = j.session_id JOIN workflows w ON w.id = g.workflow_id AND w.kind = 'plan';

DROP VIEW plan_node_specs;
CREATE VIEW plan_node_specs AS
SELECT s.id AS plan_spec_id, (n.value ->> 'id') AS node_id, n.key - 1 AS position, (n.value ->> 'type') AS type, (n.value ->> 'label') AS label,
       (n.value -> 'owner') AS owner, (n.value ->> 'objective') AS objective, (n.value ->> 'instructions') AS instructions,
       (n.value ->> 'inputSchemaRef') AS input_schema_ref, (n.value ->> 'outputSchemaRef') AS output_schema_ref,
       (n.value -> 'deliverables') AS deliverables, (n.value -> 'successCriteria') AS success_criteria,
       (n.value -> 'completionChecks') AS completion_checks, (n.value -> 'retryPolicy') AS retry_policy,
       (n.value -> 'failurePolicy') AS failure_policy, (n.value ->> 'timeoutMs') AS timeout_ms, (n.value -> 'toolPolicy') AS tool_policy,
       (n.value -> 'contextPolicy') AS context_policy, (n.value -> 'upstreamNodeIds') AS upstream_node_ids,
       (n.value -> 'downstreamNodeIds') AS downstream_node_ids
FROM scripts s JOIN workflows w ON w.id = s.workflow_id AND w.kind = 'plan', jsonb_array_elements(s.manifest::jsonb -> 'nodes') WITH ORDINALITY AS n (value, key);
