ALTER TABLE mutations DROP COLUMN place;
