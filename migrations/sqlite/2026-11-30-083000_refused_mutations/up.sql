-- Whether the other side refused the mutation and the consumer goes on with that. The outcome is then 'skipped'.
ALTER TABLE handler_runs ADD COLUMN refused INTEGER NOT NULL DEFAULT 0 CHECK (refused IN (0, 1));
