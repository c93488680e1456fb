-- Which time an event is processed: a person who replays it begins another round, whose effects are new operations.
ALTER TABLE events ADD COLUMN round INTEGER NOT NULL DEFAULT 1 CHECK (round >= 1);

-- The runs that consumed an event in its earlier rounds.
CREATE TABLE event_rounds (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    round INTEGER NOT NULL CHECK (round >= 1),
    run_id TEXT NOT NULL REFERENCES handler_runs (id),
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (event_id, round)
);
CREATE INDEX event_rounds_run ON event_rounds (run_id);

-- Consumed and skipped events are final, but for a replay: it keeps the round that ends.
CREATE OR REPLACE FUNCTION events_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'consumed' AND NEW.status = 'pending' AND NEW.round = OLD.round + 1
        AND EXISTS (SELECT 1 FROM event_rounds r
            WHERE r.event_id = OLD.id AND r.round = OLD.round AND r.run_id = OLD.reserved_by_run_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a consumed or skipped event is final' USING ERRCODE = 'check_violation';
END $$;
DROP TRIGGER events_final ON events;
CREATE TRIGGER events_final BEFORE UPDATE OF status, round ON events
FOR EACH ROW WHEN ((OLD.status IN ('consumed', 'skipped') AND NEW.status <> OLD.status) OR NEW.round <> OLD.round)
EXECUTE FUNCTION events_are_final();
