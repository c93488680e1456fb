//! What `prepare` returns.

use serde::Deserialize;
use serde_json::Value;
use windlass_core::Failure;
use windlass_store::Reservation;

/// A result of `prepare`, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prepared {
    /// The whole result, as `mutate` and `next` get it.
    pub(super) value: Value,
    /// The events it wants; topics without ids are left out.
    pub(super) reservations: Vec<Reservation>,
    /// When to be woken, as the script said it.
    pub(super) wake_at: Option<String>,
    /// What the effect is, in the script's words.
    pub(super) title: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    reservations: Vec<ReservationShape>,
    ui: Option<Ui>,
    wake_at: Option<Value>,
}

#[derive(Deserialize)]
struct ReservationShape {
    topic: String,
    ids: Vec<String>,
}

#[derive(Deserialize)]
struct Ui {
    title: Option<String>,
}

impl Prepared {
    /// Reads what `prepare` returned.
    pub(super) fn read(returned: Option<Value>) -> Result<Self, Failure> {
        const SHAPE: &str = "return `{ reservations: [{ topic, ids }], data, ui: { title }, wakeAt }`, \
                             with `reservations: []` where there is nothing to do";
        let value = returned
            .ok_or_else(|| Failure::logic(format!("`prepare` returned nothing: {SHAPE}")))?;
        let shape = Shape::deserialize(&value).map_err(|error| {
            let error = error.to_string().replace("struct Shape", "an object");
            let error = error.replace("struct ReservationShape", "`{ topic, ids }`");
            let error = error.replace("struct Ui", "`{ title }`");
            Failure::logic(format!("`prepare` returned something else ({error}): {SHAPE}"))
        })?;
        let reservations = shape.reservations.into_iter().filter(|wanted| !wanted.ids.is_empty());
        Ok(Self {
            reservations: reservations
                .map(|wanted| Reservation { topic: wanted.topic, ids: wanted.ids })
                .collect(),
            wake_at: shape.wake_at.and_then(|at| at.as_str().map(str::to_owned)),
            title: shape.ui.and_then(|ui| ui.title),
            value,
        })
    }

    /// Whether anything is reserved: without it there is nothing to mutate.
    pub(super) const fn has_reservations(&self) -> bool {
        !self.reservations.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn topics_without_ids_reserve_nothing() {
        let prepared =
            Prepared::read(Some(json!({"reservations": [{"topic": "mail", "ids": []}]}))).unwrap();

        assert!(!prepared.has_reservations());
    }

    #[test]
    fn a_result_without_reservations_says_what_to_return() {
        for wrong in [
            None,
            Some(json!(null)),
            Some(json!({"data": 1})),
            Some(json!({"reservations": "all"})),
        ] {
            let failure = Prepared::read(wrong).unwrap_err();

            assert!(failure.message.contains("return `{ reservations:"), "{failure}");
        }
    }

    #[test]
    fn a_wake_time_that_is_no_text_is_none() {
        let prepared = Prepared::read(Some(json!({"reservations": [], "wakeAt": 17}))).unwrap();

        assert_eq!(prepared.wake_at, None);
    }
}
