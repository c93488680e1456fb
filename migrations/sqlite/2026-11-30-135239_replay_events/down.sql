DROP TRIGGER events_final;
CREATE TRIGGER events_final BEFORE UPDATE OF status ON events
WHEN OLD.status IN ('consumed', 'skipped') AND NEW.status <> OLD.status
BEGIN
    SELECT RAISE(ABORT, 'a consumed or skipped event is final');
END;
DROP TABLE event_rounds;
ALTER TABLE events DROP COLUMN round;
