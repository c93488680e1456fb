-- Log lines are numbered within their session, and go with it. A line outlives the run that logged it.
ALTER TABLE sessions ADD COLUMN log_seq INTEGER NOT NULL DEFAULT 0;

CREATE TABLE session_logs (
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- Without gaps, from 1.
    seq INTEGER NOT NULL,
    handler_run_id TEXT REFERENCES handler_runs (id) ON DELETE SET NULL,
    level TEXT NOT NULL CHECK (level IN ('debug', 'log', 'warn', 'error')),
    message TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, seq)
) STRICT;
INSERT INTO session_logs (session_id, seq, handler_run_id, level, message, created_at)
SELECT handler_runs.session_id,
    row_number() OVER (PARTITION BY handler_runs.session_id ORDER BY run_logs.created_at, run_logs.run_id, run_logs.seq),
    run_logs.run_id, run_logs.level, run_logs.message, run_logs.created_at
FROM run_logs JOIN handler_runs ON handler_runs.id = run_logs.run_id;
DROP TABLE run_logs;
ALTER TABLE session_logs RENAME TO run_logs;
CREATE INDEX run_logs_run ON run_logs (handler_run_id, seq) WHERE handler_run_id IS NOT NULL;
UPDATE sessions SET log_seq = last.seq
FROM (SELECT session_id, max(seq) AS seq FROM run_logs GROUP BY session_id) AS last
WHERE last.session_id = sessions.id;
