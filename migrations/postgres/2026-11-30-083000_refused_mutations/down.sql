ALTER TABLE handler_runs DROP COLUMN refused;
