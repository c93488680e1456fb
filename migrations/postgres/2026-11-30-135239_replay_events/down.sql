DROP TRIGGER events_final ON events;
CREATE OR REPLACE FUNCTION events_are_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a consumed or skipped event is final' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER events_final BEFORE UPDATE OF status ON events
FOR EACH ROW WHEN (OLD.status IN ('consumed', 'skipped') AND NEW.status <> OLD.status)
EXECUTE FUNCTION events_are_final();
DROP TABLE event_rounds;
ALTER TABLE events DROP COLUMN round;
