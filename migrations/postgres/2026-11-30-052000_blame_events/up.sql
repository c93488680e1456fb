-- Whether events are suspected, or were parked since the last success of their consumer.
ALTER TABLE workflows ADD COLUMN blaming BOOLEAN NOT NULL DEFAULT FALSE;
-- The only event that a run sees because it is suspected, and how far the run goes.
ALTER TABLE handler_runs ADD COLUMN trial_event_id TEXT;
ALTER TABLE handler_runs ADD COLUMN trial TEXT CHECK (trial IN ('prepare', 'run'));
-- The error that was blamed on an event, without what differs between events with the same reason.
ALTER TABLE events ADD COLUMN reason TEXT;
-- In which trial an event is to be tried alone, because a run that had it and others failed; and which trial it passed.
ALTER TABLE events ADD COLUMN suspected_in TEXT CHECK (suspected_in IN ('prepare', 'run'));
ALTER TABLE events ADD COLUMN passed TEXT CHECK (passed IN ('prepare', 'run'));
CREATE INDEX events_suspected ON events (workflow_id, created_at, id) WHERE suspected_in IS NOT NULL;
-- How many of a consumer's events were parked in a row, with no success between.
ALTER TABLE handler_state ADD COLUMN parked_in_a_row INTEGER NOT NULL DEFAULT 0;
-- The reason of the parked events that a notification is about.
ALTER TABLE notifications ADD COLUMN reason TEXT;
