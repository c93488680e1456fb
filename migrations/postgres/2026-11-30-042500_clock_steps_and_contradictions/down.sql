DELETE FROM notifications WHERE kind = 'effect_contradicted';
ALTER TABLE notifications DROP CONSTRAINT notifications_kind_check;
ALTER TABLE notifications ALTER COLUMN kind TYPE notification_kind;

ALTER TABLE workflows DROP COLUMN contradicted_mutation_id;
ALTER TABLE instance DROP COLUMN clock_set_back_from;
ALTER TABLE instance DROP COLUMN clock_stepped_at;
