-- Identifies where the effect was to happen; the same for the same place. None where that does not matter, and in older rows, about
-- which a look-up proves nothing.
ALTER TABLE mutations ADD COLUMN place TEXT;
