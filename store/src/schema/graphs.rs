//! The tables of runs of graphs.

use super::{scripts, sessions, workflows};

diesel::table! {
    graph_runs (session_id) {
        session_id -> Text,
        workspace_id -> Text,
        workflow_id -> Text,
        kind -> Text,
        script_id -> Text,
        status -> Text,
        held -> Bool,
        lead -> Text,
        notes -> Nullable<Text>,
        follows_id -> Nullable<Text>,
        idempotency_key -> Nullable<Text>,
        failure_count -> Integer,
        deadline_at -> Nullable<BigInt>,
        journal_seq -> Integer,
        checkpoint_count -> Integer,
        updated_at -> BigInt,
    }
}

diesel::table! {
    node_runs (id) {
        id -> Text,
        session_id -> Text,
        workspace_id -> Text,
        workflow_id -> Text,
        node_id -> Text,
        position -> Integer,
        #[sql_name = "type"]
        node_type -> Text,
        owner_type -> Text,
        owner_ref -> Text,
        status -> Text,
        attempt_count -> Integer,
        retry_count -> Integer,
        effect_round -> Integer,
        transient_failures -> Integer,
        effect -> Text,
        must_continue -> Bool,
        input -> Nullable<Text>,
        output -> Nullable<Text>,
        blocked_reason -> Nullable<Text>,
        failure_class -> Nullable<Text>,
        run_id -> Nullable<Text>,
        carried_from -> Nullable<Text>,
        available_at -> Nullable<BigInt>,
        deadline_at -> Nullable<BigInt>,
        ready_at -> Nullable<BigInt>,
        started_at -> Nullable<BigInt>,
        completed_at -> Nullable<BigInt>,
        updated_at -> BigInt,
    }
}

diesel::table! {
    attempts (id) {
        id -> Text,
        node_run_id -> Text,
        number -> Integer,
        status -> Text,
        submitted_by -> Text,
        handler_run_id -> Nullable<Text>,
        input -> Nullable<Text>,
        output -> Nullable<Text>,
        notes -> Nullable<Text>,
        findings -> Text,
        failure_class -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        digest -> Nullable<Text>,
        started_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    artifacts (id) {
        id -> Text,
        workspace_id -> Text,
        workflow_id -> Text,
        session_id -> Nullable<Text>,
        attempt_id -> Nullable<Text>,
        node_id -> Nullable<Text>,
        name -> Text,
        kind -> Text,
        slot -> Text,
        version -> Integer,
        status -> Text,
        content -> Nullable<Text>,
        uri -> Nullable<Text>,
        meta -> Text,
        schema_ref -> Nullable<Text>,
        created_by -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    approvals (id) {
        id -> Text,
        workspace_id -> Text,
        workflow_id -> Text,
        session_id -> Text,
        node_run_id -> Nullable<Text>,
        kind -> Text,
        status -> Text,
        prompt -> Text,
        presented -> Text,
        presented_digest -> Text,
        requested_by -> Text,
        requested_at -> BigInt,
        response -> Nullable<Text>,
        required_edits -> Text,
        comments -> Nullable<Text>,
        responded_by -> Nullable<Text>,
        message_id -> Nullable<Text>,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(attempts -> node_runs (node_run_id));
diesel::joinable!(approvals -> node_runs (node_run_id));
diesel::joinable!(approvals -> workflows (workflow_id));
diesel::joinable!(graph_runs -> scripts (script_id));
diesel::joinable!(graph_runs -> sessions (session_id));
diesel::joinable!(graph_runs -> workflows (workflow_id));
diesel::joinable!(node_runs -> graph_runs (session_id));
