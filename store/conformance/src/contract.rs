//! The list of all tests.

/// Makes the macro that instantiates all tests, from their names by module.
macro_rules! contract {
    ($dollar:tt $( $chapter:ident { $( $test:ident, )+ } )+) => {
        /// Makes a test of each claim of the contract. The argument is the path of an async function that opens an empty store:
        /// `async fn() -> Option<(TestStore, T)>`, where the `T` lives as long as the store.
        #[macro_export]
        macro_rules! conformance_tests {
            ($dollar open:path) => { $(
                mod $chapter { $(
                    #[tokio::test]
                    async fn $test() {
                        if let Some((test_store, _guard)) = $dollar open().await {
                            $crate::$chapter::$test(test_store).await;
                        }
                    }
                )+ }
            )+ };
        }

        #[cfg(test)]
        pub(crate) const LISTED: &[(&str, &str)] = &[$( $( (stringify!($chapter), stringify!($test)), )+ )+];
    };
}

contract! { $
    scripts {
        the_first_save_makes_a_ready_workflow,
        the_text_of_the_newest_version_makes_no_other,
        a_plan_counts_the_major_and_a_repair_the_minor_version,
        a_repair_counts_after_what_runs_though_a_newer_plan_waits,
        saving_changes_nothing_that_runs,
        a_saved_version_is_read_back_whole,
        one_name_in_two_workspaces_is_two_workflows,
        saving_is_in_the_journal_once,
    }
    activation {
        every_producer_is_due_and_every_consumer_has_work,
        a_cron_producer_waits_for_its_moment,
        a_wider_grant_ends_a_stop_for_want_of_it,
        a_version_of_another_workflow_is_refused,
        an_archived_workflow_is_not_activated,
        a_queued_run_is_withdrawn_with_a_session_that_began_nothing_else,
        a_queued_run_is_withdrawn_with_the_state_that_it_was_given,
        a_session_that_began_other_runs_outlives_the_withdrawn_one,
        a_queued_retry_is_pinned_to_the_new_version,
        a_pending_retry_stays_and_runs_the_new_version,
        an_active_run_stays_on_its_version,
        a_run_reserves_by_the_subscriptions_of_its_own_version,
        a_run_of_an_older_version_does_not_answer_for_the_new_one,
        a_dropped_handler_neither_runs_nor_loses_its_state,
        events_of_a_dropped_topic_make_no_sessions,
        a_repair_is_over_and_an_error_is_not,
        a_repair_marks_no_run_that_had_not_come_to_its_effect,
        a_handler_that_a_version_adds_is_due_at_once,
        an_older_version_can_be_activated_again,
    }
    controls {
        a_paused_workflow_waits_and_a_resumed_one_goes_on,
        a_paused_workflow_is_not_due,
        an_active_run_finishes_while_the_workflow_is_paused,
        resuming_clears_whatever_stopped_the_workflow,
        resuming_is_refused_while_an_effect_is_in_doubt,
        an_effect_under_way_is_not_in_doubt,
        an_archived_workflow_comes_back_paused,
        activating_needs_a_version,
        every_control_is_in_the_journal_with_its_actor,
        a_manual_session_makes_every_producer_due,
        a_manual_session_is_refused_where_nothing_may_run,
        a_manual_session_joins_the_one_that_still_waits,
        a_manual_session_ends_a_back_off,
        a_manual_session_with_nothing_to_do_is_completed_at_once,
    }
    scheduling {
        an_idle_workflow_sleeps_until_its_next_moment,
        a_producer_is_due_so_long_after_it_ended,
        a_missed_moment_is_caught_up_once,
        consumers_come_before_producers,
        the_consumer_with_the_oldest_event_comes_first,
        a_busy_workflow_needs_no_tick,
        wake_at_brings_a_consumer_back,
        wake_at_is_kept_within_its_limits,
        an_event_wakes_a_consumer_before_its_time,
        a_session_ends_after_its_budget_and_another_goes_on,
        a_session_says_why_it_began,
        due_workflows_beyond_the_limit_wait_for_the_next_look,
        a_commit_may_claim_the_next_run_in_the_same_transaction,
    }
    claiming {
        a_claimed_run_carries_all_that_driving_it_needs,
        a_claimed_run_is_not_claimed_again,
        a_run_never_starts_before_it_was_queued,
        the_run_that_waits_longest_is_claimed_first,
        a_worker_may_ask_for_one_workflow_only,
        a_workflow_has_one_open_run,
        the_next_run_is_given_the_state_that_was_committed,
        handlers_of_one_name_and_two_kinds_keep_two_states,
        with_an_older_fence_nothing_can_be_written,
        after_its_end_nothing_can_be_written,
        nothing_can_be_written_to_a_run_that_never_was,
        nothing_can_be_written_to_a_run_of_another_workflow,
        an_expired_lease_still_writes_while_nobody_took_the_run,
        a_renewed_lease_is_not_taken_for_lost,
        a_renewal_tells_what_is_lost,
        the_store_knows_when_a_lease_ends,
        two_workers_have_two_claims,
    }
    stepping_clock {
        a_worker_does_not_recover_a_run_that_it_executes,
        a_lease_has_not_ended_before_the_caller_says_so_too,
        a_dead_workers_runs_are_recovered_whatever_the_clock_says,
        every_worker_hears_of_a_step,
        a_missing_effect_proves_nothing_until_its_time_has_passed_since_a_step,
        what_waits_for_a_moment_ahead_is_due_when_the_clock_is_set_back,
        a_queued_run_does_not_wait_for_the_moment_at_which_it_was_queued,
        a_back_off_does_not_outlast_a_clock_that_is_set_back,
        a_lease_from_a_clock_ahead_lasts_for_its_own_length,
        an_effect_is_looked_up_though_its_time_is_ahead,
        a_rate_does_not_outlast_a_clock_that_is_set_back,
    }
    idempotency {
        every_step_of_a_run_may_be_called_again,
        a_stop_may_be_called_again,
        the_answer_to_a_request_may_be_written_again,
        a_commit_that_is_called_again_answers_with_the_run_that_it_took,
        a_commit_that_is_called_again_takes_nothing_that_others_have,
        another_step_than_the_one_that_was_written_is_refused,
    }
    preparing {
        the_result_is_kept_and_the_events_are_reserved,
        an_unknown_event_is_refused_with_all_others,
        an_event_that_is_done_is_refused,
        an_event_of_a_topic_that_is_not_subscribed_is_refused,
        an_event_of_another_workflow_is_refused,
        an_event_that_is_named_twice_counts_once,
        reserving_nothing_is_legal,
        a_run_prepares_once,
        a_producer_does_not_prepare,
        hundreds_of_events_are_reserved_at_once,
        log_lines_are_counted_through_all_phases,
        a_refused_reservation_leaves_the_run_to_be_stopped,
    }
    mutating {
        the_row_is_there_before_the_request_leaves,
        a_refused_call_that_is_made_again_has_another_key,
        the_same_operation_after_a_doubt_has_the_same_key,
        an_operation_is_known_by_names_that_a_restored_backup_still_has,
        workflows_of_one_name_in_two_workspaces_make_two_operations,
        a_captured_mutation_goes_forward_and_nothing_left,
        a_mutation_belongs_to_reserved_events,
        a_run_mutates_once,
        a_mutation_needs_a_prepared_run,
        an_applied_mutation_keeps_its_answer,
        an_answer_that_was_looked_up_says_so,
        a_mutation_is_settled_once,
        a_run_settles_its_own_mutation_only,
        a_failed_mutation_releases_its_events_and_stops_the_run_by_its_class,
        a_doubt_keeps_the_events_and_asks_a_person,
        a_late_answer_is_kept_as_evidence,
        the_inputs_behind_an_effect_stay_known,
    }
    contradicting {
        a_late_success_stops_a_workflow_whose_ledger_says_that_it_failed,
        a_late_success_takes_the_events_back_from_a_run_that_would_repeat_it,
        an_effect_that_was_made_again_is_said_to_have_happened_twice,
        a_late_look_up_counts_like_a_late_answer,
        a_late_refusal_contradicts_the_person_who_said_that_it_happened,
        late_evidence_that_agrees_stops_nothing,
        nothing_but_resuming_lets_a_contradicted_workflow_go_on,
        the_events_of_a_contradicted_effect_are_put_back_together,
    }
    committing {
        a_producers_commit_is_one_thing,
        a_refused_commit_leaves_nothing_behind,
        a_consumers_commit_is_one_thing,
        a_run_commits_once,
        a_producer_and_a_consumer_commit_in_their_own_ways,
        a_consumer_commits_only_what_is_prepared_and_settled,
        without_a_returned_state_the_old_one_stays,
        a_consumer_looks_again_until_it_finds_nothing,
        a_consumer_that_feeds_itself_has_work,
        a_registered_input_keeps_its_id_and_title,
        one_key_in_two_workflows_is_two_inputs,
        an_input_of_another_workflow_causes_nothing_here,
        an_undeclared_topic_takes_no_event,
        events_published_in_next_are_caused_by_everything_reserved,
        a_failed_producer_is_due_again_and_leaves_nothing,
    }
    publishing {
        a_pending_event_says_what_was_published_last,
        publishing_the_same_again_wakes_nobody,
        a_reserved_event_stays_as_its_run_saw_it,
        a_consumed_event_stays_as_it_was,
        a_skipped_event_stays_skipped,
        one_message_may_stand_in_several_topics,
        the_last_of_two_equal_events_in_a_commit_counts,
        a_corrected_event_has_the_causes_it_was_given_last,
        a_topic_without_subscribers_keeps_its_events,
        a_text_with_a_nul_is_kept_as_well_as_a_database_can,
        many_and_large_events_are_published_at_once,
    }
    stopping {
        before_the_effect_the_events_are_released,
        after_the_effect_the_events_are_kept,
        the_session_fails_with_its_run,
        a_network_failure_is_tried_again_at_growing_distances,
        a_completed_session_ends_a_row_of_network_failures,
        a_wrong_script_waits_for_its_repair,
        missing_credentials_wait_for_a_person_who_is_told_which,
        other_workflows_go_on,
        an_effect_under_way_is_never_taken_for_failed,
        a_run_stops_once_and_never_backwards,
    }
    failing {
        every_class_of_failure_has_its_consequences_and_its_way_on,
        who_asks_to_wait_is_not_tried_before,
    }
    retrying {
        a_retry_goes_on_from_next_with_all_that_the_first_had,
        a_retry_consumes_what_the_first_reserved,
        a_retry_neither_prepares_nor_mutates,
        a_retry_comes_before_everything_else,
        a_retry_that_stops_is_continued_by_another,
        giving_up_on_the_network_keeps_the_retry,
        before_its_effect_a_run_starts_over,
        after_a_skip_next_runs_once_and_the_consumer_looks_again,
        a_refusal_that_the_consumer_expects_goes_forward_even_after_a_crash,
        a_refusal_cannot_go_forward_once_the_effect_is_in_doubt,
    }
    recovering {
        a_lost_producer_polls_again,
        before_the_effect_a_fresh_run_follows,
        a_request_without_an_answer_is_in_doubt,
        a_doubt_of_a_lost_worker_is_settled_by_a_persons_resolution_only,
        after_the_effect_next_runs_again,
        nothing_is_taken_from_a_worker_before_its_lease_ends,
        queued_and_ended_runs_are_not_recovered,
        a_workflow_that_a_person_paused_is_recovered_too,
        a_few_are_recovered_at_a_time,
        a_recovery_is_in_the_journal,
    }
    resolving {
        an_effect_that_did_not_happen_is_prepared_anew,
        skipped_events_leave_the_queue,
        an_effect_that_happened_goes_forward_with_the_persons_result,
        trying_again_is_refused_where_the_tool_cannot_look,
        a_doubt_is_settled_once,
        an_effect_whose_worker_waits_is_not_settled_by_others,
        an_unknown_mutation_is_not_found,
        settling_does_not_resume_a_workflow_that_a_person_paused,
        resolving_settles_the_notification_and_writes_the_journal,
    }
    lookups {
        a_doubt_that_can_be_looked_up_blocks_and_asks_nobody_yet,
        an_effect_of_a_lost_worker_is_due_at_once,
        an_attempt_is_made_by_one_worker_until_its_time_is_over,
        a_person_need_not_wait_for_the_next_attempt,
        an_effect_that_is_found_goes_forward,
        an_effect_that_is_absent_is_prepared_anew,
        absence_counts_only_after_its_time,
        absence_counts_from_when_the_request_may_have_left_last,
        an_early_lookup_proves_no_absence_later,
        an_overtaken_attempt_does_not_prove_absence,
        failed_attempts_are_spaced_and_then_a_person_is_asked,
        who_asks_to_wait_is_not_asked_about_an_effect_before,
        trying_again_counts_attempts_anew,
        an_attempt_that_was_overtaken_changes_nothing_unless_it_knows,
        nobody_says_that_it_did_not_happen_while_an_attempt_is_under_way,
        a_person_may_answer_once_an_attempt_is_over,
        a_person_may_answer_between_two_attempts,
        a_paused_workflow_is_looked_up_and_stays_paused,
        every_attempt_that_settles_is_in_the_journal,
        a_look_up_that_cannot_be_made_any_more_asks_a_person_at_once,
        the_age_of_a_key_counts_from_the_first_request_that_had_it,
        a_new_key_is_not_old,
    }
    workers {
        a_worker_is_listed_as_of_its_last_heartbeat,
        a_worker_that_is_not_heard_of_is_forgotten_by_the_next,
        a_worker_of_one_workspace_is_listed_there_and_takes_nothing_elsewhere,
        a_run_with_a_label_is_taken_by_a_worker_with_that_label,
        a_worker_with_labels_takes_runs_without_one,
        a_worker_that_names_a_workflow_takes_its_run_whatever_its_label,
        a_priority_is_worth_minutes_of_waiting_and_no_more,
        a_workspace_that_has_much_to_do_leaves_the_others_their_turn,
        a_worker_that_stops_hands_back_what_it_holds_and_blames_nothing,
        a_request_that_may_be_leaving_is_not_handed_back,
        another_workers_runs_are_not_handed_back,
    }
    blaming {
        the_only_event_of_a_failed_run_is_parked_and_the_others_go_on,
        a_refused_request_parks_its_event,
        an_event_that_prepare_was_given_is_parked_where_nothing_is_reserved,
        the_culprit_among_several_is_found_by_trying_each_alone,
        a_search_goes_on_after_a_crash,
        a_batch_that_was_refused_is_tried_one_by_one_in_whole_runs,
        a_failure_of_events_together_is_the_scripts,
        three_events_parked_in_a_row_stop_the_workflow,
        a_success_ends_the_row_of_parked_events,
        where_order_matters_a_failure_stops_the_workflow,
        events_that_are_parked_for_the_same_reason_are_put_back_together,
        a_pending_event_is_skipped,
        skipping_stops_a_run_before_its_effect_and_lets_the_others_go_on,
        skipping_leaves_a_run_that_has_come_to_its_effect,
        what_an_input_caused_is_skipped,
    }
    run_limits {
        a_workflow_knows_the_limits_that_hold_it_back_and_no_others,
        a_limit_bounds_the_runs_at_once_of_all_workers,
        the_end_of_a_run_lets_the_next_begin,
        a_limited_run_is_followed_by_whose_turn_it_is,
        a_limit_concerns_what_was_granted_by_that_name,
        a_limit_is_that_of_its_workspace,
        a_rate_bounds_the_runs_that_begin_in_a_window,
        a_limit_is_taken_away,
        a_limit_counts_what_runs_when_it_is_set,
        a_limit_says_what_is_used_of_it_and_by_whom,
    }
    effect_limits {
        an_event_that_goes_wrong_again_and_again_is_parked,
        an_outage_parks_nothing,
        a_parked_event_is_put_back_by_a_person,
        a_workflow_that_loses_every_worker_waits_for_a_person,
        a_run_that_ends_resets_the_count_of_lost_runs,
        a_parked_event_is_skipped_by_a_person,
        an_hour_has_so_many_mutations,
        too_many_doubts_open_the_circuit_until_a_person_looks,
        a_repair_is_granted_no_more_than_what_it_repairs,
    }
    identifying {
        workflows_come_by_name_whatever_the_language,
        a_workflow_is_found_by_its_name_or_its_id,
        an_id_of_any_kind_is_found_by_its_beginning,
        a_beginning_that_several_ids_share_is_ambiguous,
        a_missing_thing_is_named_by_its_kind,
    }
    queries {
        workspaces_are_listed_by_name_and_none_is_made_by_looking,
        an_input_is_over_when_all_that_it_caused_is_over,
        an_input_is_done_after_its_last_consumer,
        an_input_without_events_is_pending,
        an_input_whose_event_is_parked_is_not_done,
        an_input_is_found_by_its_whole_key,
        a_mutation_lists_every_input_behind_it,
        events_are_chosen_by_topic_status_and_id,
        the_overview_of_a_workflow_that_waits_for_a_person,
        the_overview_of_a_workflow_at_work,
        runs_come_newest_first,
        logs_come_in_order_after_a_given_line,
        notifications_come_newest_first_with_their_workflow,
        a_run_that_waits_for_a_worker_is_to_be_taken_now,
        an_event_says_which_run_has_it,
        a_text_that_cannot_be_stored_is_found_as_it_was_stored,
    }
    paging {
        the_pages_of_every_list_are_the_list,
        a_page_of_nothing_is_empty,
        inserts_do_not_move_the_pages_that_follow,
        a_cursor_of_another_workspace_shows_nothing_of_it,
    }
    messages {
        a_message_is_entered_once_per_mutation,
        a_message_needs_a_mutation_that_sends_it,
        resuming_leaves_messages_unread,
        a_notification_waits_for_others_and_is_sent_once_per_channel,
        a_failed_delivery_is_tried_again_and_given_up_in_the_end,
    }
    pruning {
        finished_records_are_removed_with_all_that_belongs_to_them,
        young_records_are_kept,
        a_removed_event_is_not_published_again,
        an_event_that_a_consumer_publishes_again_stays_over_too,
        an_input_comes_back_where_something_new_is_caused_by_it,
        an_input_whose_events_are_gone_is_done,
        a_run_under_way_is_kept_and_can_commit,
        a_doubt_keeps_its_run_its_events_and_its_journal,
        a_pending_retry_keeps_what_it_continues,
        a_refused_effect_is_kept_until_its_events_are_over,
        parked_and_waiting_events_are_kept,
        the_run_that_stopped_a_workflow_is_kept,
        a_message_is_removed_by_its_age,
        a_preview_removes_nothing_and_counts_what_would_go,
        a_step_reads_a_bounded_number_and_the_next_one_continues,
        names_of_removed_records_are_kept_until_they_expire,
        one_of_many_workers_may_prune,
    }
    workspace_isolation {
        nothing_is_seen_or_changed_from_another_workspace,
        a_late_answer_from_another_workspace_is_no_evidence,
        a_message_is_of_the_workflow_whose_mutation_sends_it,
    }
    concurrency {
        many_workers_claim_each_run_once,
        a_transaction_that_fails_does_not_affect_those_beside_it,
        a_run_that_is_ended_twice_at_once_ends_once,
        a_pause_and_a_stop_at_the_same_moment_are_both_kept,
        many_workers_enqueue_a_due_workflow_once,
        a_waiting_worker_is_woken_by_new_work,
        claiming_nothing_wakes_nobody,
        a_claim_wakes_nobody,
    }
}
