//! The table of what callers from outside show.

diesel::table! {
    credentials (id) {
        id -> Text,
        kind -> Text,
        name -> Text,
        actor -> Text,
        scopes -> Text,
        workspace_id -> Nullable<Text>,
        digest -> Text,
        created_by -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        ended_by -> Nullable<Text>,
    }
}
