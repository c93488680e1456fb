-- Whether the request of a failed mutation did not leave, so that the other side does not know its key.
ALTER TABLE mutations ADD COLUMN unsent BOOLEAN NOT NULL DEFAULT FALSE;
