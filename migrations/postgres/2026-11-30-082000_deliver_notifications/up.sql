-- Where a notification is to be sent, and what became of that. It is pending while it has a next attempt, and given up where it has
-- neither that nor an instant at which it was sent.
CREATE TABLE deliveries (
    notification_id TEXT NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id),
    attempts INTEGER NOT NULL,
    next_attempt_at BIGINT,
    error TEXT,
    created_at BIGINT NOT NULL,
    sent_at BIGINT CHECK (sent_at IS NULL OR next_attempt_at IS NULL),
    PRIMARY KEY (notification_id, channel)
);
CREATE INDEX deliveries_due ON deliveries (channel, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_workspace ON deliveries (workspace_id, created_at, notification_id);
