//! A store whose every operation goes through two gates.

use async_trait::async_trait;
use windlass_store::{Layer, Result, StoreError, WriteOutcome};

use crate::gate::{Gate, Point, Release};

#[async_trait]
impl Layer for Gate {
    async fn write<T: WriteOutcome>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.pass(Point::Before(name)).await;
        let result = {
            let _busy = self.busy();
            call.await
        };
        if self.ended(name, &result) && self.pass(Point::After(name)).await == Release::AnswerLost {
            let what = format!("the answer of `{name}` was lost");
            return Err(StoreError::Unavailable { what, source: None });
        }
        result
    }

    async fn read<T: Send>(
        &self,
        _name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let _busy = self.busy();
        call.await
    }
}
