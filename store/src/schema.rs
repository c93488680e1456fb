//! The tables, once for both databases: only SQL types that both have.
//!
//! Instants are [`BigInt`](diesel::sql_types::BigInt) microseconds, ids and states are [`Text`](diesel::sql_types::Text),
//! payloads are JSON text.

mod access;
mod graphs;
mod notices;

pub(crate) use self::access::credentials;
pub(crate) use self::graphs::{approvals, artifacts, attempts, graph_runs, node_runs};
pub(crate) use self::notices::{deliveries, journal, notifications};

diesel::table! {
    instance (id) {
        id -> Text,
        pruned_at -> BigInt,
        clock_stepped_at -> Nullable<BigInt>,
        clock_set_back_from -> Nullable<BigInt>,
        moved_to -> Nullable<Text>,
    }
}

diesel::table! {
    workspaces (id) {
        id -> Text,
        name -> Text,
        settings -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    workflows (id) {
        id -> Text,
        workspace_id -> Text,
        kind -> Text,
        name -> Text,
        title -> Text,
        status -> Text,
        error -> Nullable<Text>,
        error_class -> Nullable<Text>,
        maintenance -> Bool,
        contradicted_mutation_id -> Nullable<Text>,
        stopped_by_run_id -> Nullable<Text>,
        pending_retry_run_id -> Nullable<Text>,
        label -> Nullable<Text>,
        priority -> Integer,
        active_script_id -> Nullable<Text>,
        transient_failures -> Integer,
        backoff_until -> Nullable<BigInt>,
        lost_runs -> Integer,
        blaming -> Bool,
        window_started_at -> Nullable<BigInt>,
        window_mutations -> Integer,
        window_doubts -> Integer,
        due_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    limits (workspace_id, key) {
        workspace_id -> Text,
        key -> Text,
        at_once -> Nullable<Integer>,
        rate -> Nullable<Integer>,
        rate_window -> Nullable<BigInt>,
        window_started_at -> Nullable<BigInt>,
        taken -> Integer,
    }
}

diesel::table! {
    workflow_keys (workflow_id, key) {
        workflow_id -> Text,
        key -> Text,
    }
}

diesel::table! {
    workers (id) {
        id -> Text,
        workspace_id -> Nullable<Text>,
        host -> Text,
        pid -> BigInt,
        version -> Text,
        labels -> Text,
        slots -> Integer,
        running -> Integer,
        done -> BigInt,
        failed -> BigInt,
        started_at -> BigInt,
        last_heartbeat_at -> BigInt,
    }
}

diesel::table! {
    scripts (id) {
        id -> Text,
        workflow_id -> Text,
        major -> Integer,
        minor -> Integer,
        file_name -> Text,
        source -> Text,
        digest -> Text,
        manifest -> Text,
        granted -> Text,
        comment -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    topics (id) {
        id -> Text,
        workflow_id -> Text,
        name -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    subscriptions (workflow_id, consumer, topic) {
        workflow_id -> Text,
        consumer -> Text,
        topic -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        workflow_id -> Text,
        kind -> Text,
        trigger -> Text,
        result -> Nullable<Text>,
        error -> Nullable<Text>,
        error_class -> Nullable<Text>,
        begun_run_count -> Integer,
        handler_run_count -> Integer,
        cost -> BigInt,
        log_seq -> Integer,
        created_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    handler_runs (id) {
        id -> Text,
        workspace_id -> Text,
        workflow_id -> Text,
        session_id -> Text,
        script_id -> Text,
        kind -> Text,
        handler_name -> Text,
        phase -> Text,
        status -> Text,
        retry_of -> Nullable<Text>,
        trial_event_id -> Nullable<Text>,
        trial -> Nullable<Text>,
        mutation_id -> Nullable<Text>,
        mutation_outcome -> Nullable<Text>,
        refused -> Bool,
        error -> Nullable<Text>,
        error_class -> Nullable<Text>,
        error_at -> Nullable<Text>,
        cost -> BigInt,
        claimed_by -> Nullable<Text>,
        lease_expires_at -> Nullable<BigInt>,
        fence -> BigInt,
        label -> Nullable<Text>,
        priority -> Integer,
        rank -> BigInt,
        limited -> Bool,
        created_at -> BigInt,
        started_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    run_values (run_id) {
        run_id -> Text,
        prepare_result -> Nullable<Text>,
        input_state -> Nullable<Text>,
        output_state -> Nullable<Text>,
    }
}

diesel::table! {
    inputs (id) {
        id -> Text,
        workflow_id -> Text,
        source -> Text,
        #[sql_name = "type"]
        input_type -> Text,
        external_id -> Text,
        title -> Text,
        created_by_run_id -> Nullable<Text>,
        past_status -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    past_inputs (workflow_id, external_id, source, input_type) {
        workflow_id -> Text,
        external_id -> Text,
        source -> Text,
        #[sql_name = "type"]
        input_type -> Text,
        pruned_at -> BigInt,
    }
}

diesel::table! {
    past_events (topic_id, message_id) {
        topic_id -> Text,
        message_id -> Text,
        pruned_at -> BigInt,
    }
}

diesel::table! {
    events (id) {
        id -> Text,
        workflow_id -> Text,
        topic_id -> Text,
        message_id -> Text,
        payload -> Text,
        status -> Text,
        reserved_by_run_id -> Nullable<Text>,
        created_by_run_id -> Text,
        attempt_number -> Integer,
        round -> Integer,
        blamed -> Integer,
        blamed_for -> Nullable<Text>,
        reason -> Nullable<Text>,
        suspected_in -> Nullable<Text>,
        passed -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    event_rounds (event_id, round) {
        event_id -> Text,
        round -> Integer,
        run_id -> Text,
        ended_at -> BigInt,
    }
}

diesel::table! {
    event_inputs (event_id, input_id) {
        event_id -> Text,
        input_id -> Text,
    }
}

diesel::table! {
    run_inputs (run_id, input_id) {
        run_id -> Text,
        input_id -> Text,
    }
}

diesel::table! {
    mutations (id) {
        id -> Text,
        workflow_id -> Text,
        handler_run_id -> Text,
        operation_id -> Text,
        event_ids -> Text,
        tool_namespace -> Text,
        tool_method -> Text,
        params -> Text,
        params_digest -> Text,
        target -> Text,
        place -> Nullable<Text>,
        idempotency_key -> Text,
        status -> Text,
        result -> Nullable<Text>,
        error -> Nullable<Text>,
        error_class -> Nullable<Text>,
        reconcilable -> Bool,
        reconcile_attempts -> Integer,
        last_reconcile_at -> Nullable<BigInt>,
        next_reconcile_at -> Nullable<BigInt>,
        looked_up_until -> Nullable<BigInt>,
        resolved_by -> Nullable<Text>,
        resolved_at -> Nullable<BigInt>,
        unsent -> Bool,
        ui_title -> Text,
        late_evidence -> Nullable<Text>,
        cost -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    handler_state (workflow_id, kind, name) {
        workflow_id -> Text,
        kind -> Text,
        name -> Text,
        declared -> Bool,
        state -> Nullable<Text>,
        has_work -> Bool,
        wake_at -> Nullable<BigInt>,
        schedule -> Nullable<Text>,
        next_run_at -> Nullable<BigInt>,
        last_run_at -> Nullable<BigInt>,
        parked_in_a_row -> Integer,
        updated_at -> BigInt,
        updated_by_run_id -> Nullable<Text>,
    }
}

diesel::table! {
    run_logs (session_id, seq) {
        session_id -> Text,
        seq -> Integer,
        handler_run_id -> Nullable<Text>,
        level -> Text,
        message -> Text,
        created_at -> BigInt,
    }
}

diesel::joinable!(events -> topics (topic_id));
diesel::joinable!(handler_runs -> sessions (session_id));
diesel::joinable!(past_events -> topics (topic_id));
diesel::joinable!(event_inputs -> events (event_id));
diesel::joinable!(event_rounds -> events (event_id));
diesel::joinable!(event_rounds -> handler_runs (run_id));
diesel::joinable!(handler_runs -> mutations (mutation_id));
diesel::joinable!(handler_runs -> workflows (workflow_id));
diesel::joinable!(scripts -> workflows (workflow_id));
diesel::joinable!(run_values -> handler_runs (run_id));
diesel::joinable!(run_logs -> handler_runs (handler_run_id));

diesel::allow_tables_to_appear_in_same_query!(
    approvals,
    artifacts,
    attempts,
    deliveries,
    event_inputs,
    event_rounds,
    events,
    graph_runs,
    handler_runs,
    handler_state,
    inputs,
    journal,
    limits,
    mutations,
    node_runs,
    notifications,
    past_events,
    run_inputs,
    run_logs,
    run_values,
    scripts,
    sessions,
    subscriptions,
    topics,
    workers,
    workflow_keys,
    workflows,
    workspaces,
);

diesel::allow_columns_to_appear_in_same_group_by_clause!(
    handler_runs::workspace_id,
    workflow_keys::key
);
