-- Which time an event is processed: a person who replays it begins another round, whose effects are new operations.
ALTER TABLE events ADD COLUMN round INTEGER NOT NULL DEFAULT 1 CHECK (round >= 1);

-- The runs that consumed an event in its earlier rounds.
CREATE TABLE event_rounds (
    event_id TEXT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    round INTEGER NOT NULL CHECK (round >= 1),
    run_id TEXT NOT NULL REFERENCES handler_runs (id),
    ended_at INTEGER NOT NULL,
    PRIMARY KEY (event_id, round)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_rounds_run ON event_rounds (run_id);

-- Consumed and skipped events are final, but for a replay: it keeps the round that ends.
DROP TRIGGER events_final;
CREATE TRIGGER events_final BEFORE UPDATE OF status, round ON events
WHEN ((OLD.status IN ('consumed', 'skipped') AND NEW.status <> OLD.status) OR NEW.round <> OLD.round)
    AND NOT (OLD.status = 'consumed' AND NEW.status = 'pending' AND NEW.round = OLD.round + 1
        AND EXISTS (SELECT 1 FROM event_rounds r
            WHERE r.event_id = OLD.id AND r.round = OLD.round AND r.run_id = OLD.reserved_by_run_id))
BEGIN
    SELECT RAISE(ABORT, 'a consumed or skipped event is final');
END;
