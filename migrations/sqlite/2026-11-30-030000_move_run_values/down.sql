ALTER TABLE handler_runs ADD COLUMN prepare_result TEXT;
ALTER TABLE handler_runs ADD COLUMN input_state TEXT;
ALTER TABLE handler_runs ADD COLUMN output_state TEXT;

UPDATE handler_runs
SET prepare_result = v.prepare_result, input_state = v.input_state, output_state = v.output_state
FROM run_values v WHERE v.run_id = handler_runs.id;

DROP TABLE run_values;
