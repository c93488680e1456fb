DROP INDEX events_suspected;
ALTER TABLE notifications DROP COLUMN reason;
ALTER TABLE handler_state DROP COLUMN parked_in_a_row;
ALTER TABLE events DROP COLUMN passed;
ALTER TABLE events DROP COLUMN suspected_in;
ALTER TABLE events DROP COLUMN reason;
ALTER TABLE handler_runs DROP COLUMN trial;
ALTER TABLE handler_runs DROP COLUMN trial_event_id;
ALTER TABLE workflows DROP COLUMN blaming;
