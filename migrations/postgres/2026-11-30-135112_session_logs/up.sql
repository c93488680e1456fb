-- Log lines are numbered within their session, and go with it. A line outlives the run that logged it.
ALTER TABLE sessions ADD COLUMN log_seq INTEGER NOT NULL DEFAULT 0;
CREATE DOMAIN line_level AS TEXT CHECK (VALUE IN ('debug', 'log', 'warn', 'error'));

CREATE TABLE session_logs (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- Without gaps, from 1.
    seq INTEGER NOT NULL,
    handler_run_id TEXT REFERENCES handler_runs (id) ON DELETE SET NULL,
    level line_level NOT NULL,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
INSERT INTO session_logs (session_id, seq, handler_run_id, level, message, created_at)
SELECT handler_runs.session_id,
    row_number() OVER (PARTITION BY handler_runs.session_id ORDER BY run_logs.created_at, run_logs.run_id, run_logs.seq),
    run_logs.run_id, run_logs.level, run_logs.message, run_logs.created_at
FROM run_logs JOIN handler_runs ON handler_runs.id = run_logs.run_id;
DROP TABLE run_logs;
DROP DOMAIN log_level;
ALTER DOMAIN line_level RENAME TO log_level;
ALTER TABLE session_logs RENAME TO run_logs;
ALTER TABLE run_logs ADD CONSTRAINT run_logs_pkey PRIMARY KEY (session_id, seq);
ALTER TABLE run_logs RENAME CONSTRAINT session_logs_session_id_fkey TO run_logs_session_id_fkey;
ALTER TABLE run_logs RENAME CONSTRAINT session_logs_handler_run_id_fkey TO run_logs_handler_run_id_fkey;
CREATE INDEX run_logs_run ON run_logs (handler_run_id, seq) WHERE handler_run_id IS NOT NULL;
UPDATE sessions SET log_seq = last.seq
FROM (SELECT session_id, max(seq) AS seq FROM run_logs GROUP BY session_id) AS last
WHERE last.session_id = sessions.id;
