-- Lines of runs that are gone go, and what is less than `log` becomes `log`.
CREATE DOMAIN line_level AS TEXT CHECK (VALUE IN ('log', 'warn', 'error'));
CREATE TABLE lines_of_runs (
    run_id TEXT NOT NULL REFERENCES handler_runs (id),
    seq INTEGER NOT NULL,
    level line_level NOT NULL,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
INSERT INTO lines_of_runs (run_id, seq, level, message, created_at)
SELECT handler_run_id, row_number() OVER (PARTITION BY handler_run_id ORDER BY seq),
    CASE level WHEN 'debug' THEN 'log' ELSE level END, message, created_at
FROM run_logs WHERE handler_run_id IS NOT NULL;
DROP TABLE run_logs;
DROP DOMAIN log_level;
ALTER DOMAIN line_level RENAME TO log_level;
ALTER TABLE lines_of_runs RENAME TO run_logs;
ALTER TABLE run_logs ADD CONSTRAINT run_logs_pkey PRIMARY KEY (run_id, seq);
ALTER TABLE run_logs RENAME CONSTRAINT lines_of_runs_run_id_fkey TO run_logs_run_id_fkey;
ALTER TABLE sessions DROP COLUMN log_seq;
