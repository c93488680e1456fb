-- The large values of runs, which only some runs have. They go with their run.
CREATE TABLE run_values (
    run_id TEXT NOT NULL PRIMARY KEY REFERENCES handler_runs (id) ON DELETE CASCADE,
    prepare_result TEXT,
    input_state TEXT,
    output_state TEXT
);

INSERT INTO run_values (run_id, prepare_result, input_state, output_state)
SELECT id, prepare_result, input_state, output_state FROM handler_runs
WHERE prepare_result IS NOT NULL OR input_state IS NOT NULL OR output_state IS NOT NULL;

ALTER TABLE handler_runs DROP COLUMN prepare_result;
ALTER TABLE handler_runs DROP COLUMN input_state;
ALTER TABLE handler_runs DROP COLUMN output_state;
