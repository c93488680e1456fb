-- Lines of runs that are gone go, and what is less than `log` becomes `log`.
CREATE TABLE lines_of_runs (
    run_id TEXT NOT NULL REFERENCES handler_runs (id),
    seq INTEGER NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('log', 'warn', 'error')),
    message TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT;
INSERT INTO lines_of_runs (run_id, seq, level, message, created_at)
SELECT handler_run_id, row_number() OVER (PARTITION BY handler_run_id ORDER BY seq),
    CASE level WHEN 'debug' THEN 'log' ELSE level END, message, created_at
FROM run_logs WHERE handler_run_id IS NOT NULL;
DROP TABLE run_logs;
ALTER TABLE lines_of_runs RENAME TO run_logs;
ALTER TABLE sessions DROP COLUMN log_seq;
