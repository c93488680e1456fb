-- When a worker last noticed that the clock had stepped, by the time after the step.
ALTER TABLE instance ADD COLUMN clock_stepped_at BIGINT;
-- A time up to this one may be from before the clock was last set back.
ALTER TABLE instance ADD COLUMN clock_set_back_from BIGINT;

-- The mutation whose late evidence contradicts the ledger. Only a person who resumes the workflow clears it. The mutation is kept as
-- long as the notification about it is open.
ALTER TABLE workflows ADD COLUMN contradicted_mutation_id TEXT;

-- A new kind of notification.
ALTER TABLE notifications ALTER COLUMN kind TYPE TEXT;
ALTER TABLE notifications ADD CONSTRAINT notifications_kind_check CHECK (kind IN ('error', 'script_failed', 'mutation_in_doubt', 'event_parked', 'effect_contradicted', 'script_message'));
