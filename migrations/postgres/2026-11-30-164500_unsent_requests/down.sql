ALTER TABLE mutations DROP COLUMN unsent;
