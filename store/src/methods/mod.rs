//! The methods of the store: each one runs its operation or its read. This folder is mounted by both backends.

/// Makes an [`Operation`](super::ops::Operation) or a [`Query`](super::ops::Query) of each read: what it is given, what comes of
/// it, and its body over the open transaction or the connection.
macro_rules! reads {
    (
        $kind:ident over $over:ty;
        $( $name:ident { $( $field:ident: $type:ty ),* } -> $output:ty: |$place:ident| $body:expr; )+
    ) => { $(
        #[derive(Clone)]
        struct $name { $( $field: $type, )* }

        impl $kind for $name {
            type Output = $output;

            async fn run(self, $place: &$over) -> Result<$output> {
                let Self { $( $field ),* } = self;
                $body.await
            }
        }
    )+ };
}

mod credentials;
mod events;
mod graph;
mod journal;
mod ledger;
mod notifications;
mod pruning;
mod runs;
mod workers;
mod workflows;

use super::dialect::{self, Backend};
use super::{ops, reads};
use crate::error::Result;
use crate::store::{InPlace, WakeUpSource, WakeUps};

impl InPlace for Backend {
    fn check_in_place(&self) -> Result<()> {
        self.check_in_place()
    }
}

impl WakeUpSource for Backend {
    fn wake_ups(&self) -> WakeUps {
        WakeUps::new(self.subscribe())
    }
}
