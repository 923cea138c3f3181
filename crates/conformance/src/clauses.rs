//! The clauses of the contract that concern a vehicle, in the order of their numbers.
//!
//! *Invariant:* each clause of `docs/contract.md` with a `V` is one function here and the other way round; a test compares them.
//! *Next:* one file for each part of the contract.

mod call;
mod end;
mod filter;
mod get;
mod link;
mod overflow;
mod rights;
mod set;
mod subscribe;
mod time;
mod tree;

use std::sync::Arc;

use crate::suite::{Clause, Running};
use crate::trial::Trial;

/// The list of clauses, once: it makes the table here, and a test of each in the macro [`vehicle!`](crate::vehicle).
#[doc(hidden)]
#[macro_export]
macro_rules! __vehicle_clauses {
    (($($with:tt)*) $($args:tt)*) => {
        $($with)* ! { ($($args)*)
            tree V1 v1_paths_rows_and_ids_are_one_to_one,
            tree V2 v2_ids_of_another_catalogue_are_refused,
            tree V3 v3_a_vehicle_names_itself,
            get V4 v4_answers_come_one_for_each_in_order,
            get V5 v5_no_value_is_a_datapoint_that_says_why,
            get V6 v6_values_are_of_the_catalogues_type,
            get V7 v7_what_the_source_reports_is_read,
            get V8 v8_states_without_a_value_pass_with_their_reason,
            get V9 v9_a_batch_is_one_moment,
            set V10 v10_only_actuators_are_set,
            set V11 v11_values_of_a_wrong_type_are_refused,
            set V12 v12_values_out_of_range_are_refused,
            set V13 v13_a_missing_right_is_a_settled_receipt,
            set V14 v14_one_bad_request_does_not_stop_the_others,
            set V15 v15_confirmed_is_observed,
            set V16 v16_a_request_settles_by_its_deadline,
            set V17 v17_a_repeated_key_is_one_request,
            set V18 v18_a_key_for_another_request_is_a_conflict,
            set V19 v19_a_later_request_supersedes,
            set V20 v20_what_is_refused_moves_nothing,
            subscribe V21 v21_present_values_come_first,
            subscribe V22 v22_a_partial_subscription_reports_the_rest,
            subscribe V23 v23_a_strict_subscription_is_whole_or_refused,
            subscribe V24 v24_malformed_wishes_are_refused,
            subscribe V25 v25_updates_arrive_in_order,
            subscribe V26 v26_a_dropped_next_loses_nothing,
            subscribe V27 v27_a_dropped_subscription_frees_its_place,
            filter V28 v28_on_change_drops_repeats,
            filter V29 v29_a_nan_equals_a_nan,
            filter V30 v30_a_deadband_is_measured_from_what_was_delivered,
            filter V31 v31_a_range_drops_what_is_outside,
            filter V32 v32_a_change_of_state_passes_every_deadband,
            time V33 v33_at_most_every_keeps_its_distance_and_its_last_value,
            time V34 v34_every_comes_by_the_clock,
            time V35 v35_a_value_that_is_not_renewed_goes_stale,
            time V36 v36_back_from_stale_is_a_change,
            overflow V37 v37_a_queue_counts_what_it_loses,
            overflow V38 v38_latest_ends_with_the_last_state,
            overflow V39 v39_block_is_lossless_or_refused,
            rights V40 v40_a_signal_that_may_not_be_read_is_denied,
            rights V41 v41_a_withdrawn_right_silences_a_subscription,
            rights V42 v42_a_right_that_returns_brings_the_present_value,
            rights V43 v43_a_superseded_catalogue_says_so,
            link V44 v44_a_lost_link_is_not_available_and_no_end,
            link V45 v45_a_mended_link_heals,
            link V46 v46_a_request_without_a_link_is_not_confirmed,
            overflow V47 v47_what_a_filter_drops_fills_no_queue,
            time V48 v48_a_return_within_the_interval_is_no_news,
            call V49 v49_dropping_a_receipt_cancels_nothing,
            call V50 v50_a_dropped_set_is_whole_or_nothing,
            end V51 v51_a_subscription_ends_once,
            end V52 v52_the_time_at_the_source_is_carried,
            call V53 v53_an_error_of_the_whole_means_nothing_was_tried,
            overflow V54 v54_a_block_queue_under_reports_counts_what_it_loses,
            call V55 v55_a_request_does_not_write_the_reading,
            call V56 v56_a_request_without_a_link_is_not_kept,
            end V57 v57_an_error_names_what_failed,
            overflow V58 v58_a_queue_keeps_to_its_bound,
            tree V59 v59_a_tree_only_grows,
        }
    };
}

macro_rules! table {
    (() $($part:ident $id:ident $name:ident,)*) => {
        /// All clauses that concern a vehicle.
        pub static VEHICLE: &[Clause<Trial>] = &[$(Clause {
            id: stringify!($id),
            name: stringify!($name),
            run: {
                fn run(trial: Arc<Trial>) -> Running {
                    Box::pin(async move {
                        trial.names_what_there_is()?;
                        match $part::$name(trial.car(), &trial).await {
                            Ok(verdict) => Ok(verdict),
                            Err(failure) => Err(trial.hinted(failure).await),
                        }
                    })
                }
                run
            },
        },)*];
    };
}

crate::__vehicle_clauses! { (table) }
