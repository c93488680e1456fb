-- Whether the request of a failed mutation did not leave, so that the other side does not know its key.
ALTER TABLE mutations ADD COLUMN unsent INTEGER NOT NULL DEFAULT 0 CHECK (unsent IN (0, 1));
