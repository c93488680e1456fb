//! The tables of what people are told, and of what was done.

use super::workflows;

diesel::table! {
    notifications (id) {
        id -> Text,
        workspace_id -> Text,
        workflow_id -> Text,
        kind -> Text,
        run_id -> Nullable<Text>,
        mutation_id -> Nullable<Text>,
        title -> Text,
        body -> Text,
        reason -> Nullable<Text>,
        session_id -> Nullable<Text>,
        approval_id -> Nullable<Text>,
        created_at -> BigInt,
        resolved_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    deliveries (notification_id, channel) {
        notification_id -> Text,
        channel -> Text,
        workspace_id -> Text,
        attempts -> Integer,
        next_attempt_at -> Nullable<BigInt>,
        error -> Nullable<Text>,
        created_at -> BigInt,
        sent_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    journal (id) {
        id -> Text,
        workspace_id -> Text,
        workflow_id -> Nullable<Text>,
        actor -> Text,
        action -> Text,
        subject -> Text,
        reason -> Nullable<Text>,
        details -> Text,
        session_id -> Nullable<Text>,
        seq -> Nullable<Integer>,
        created_at -> BigInt,
    }
}

diesel::joinable!(deliveries -> notifications (notification_id));
diesel::joinable!(notifications -> workflows (workflow_id));
