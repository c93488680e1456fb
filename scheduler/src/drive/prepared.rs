//! What `prepare` returns.

use serde::Deserialize;
use serde_json::Value;
use windlass_core::{Failure, Timestamp, crop};
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
#[serde(rename_all = "camelCase", expecting = "an object with `reservations`")]
struct Shape {
    reservations: Vec<ReservationShape>,
    ui: Option<Ui>,
    wake_at: Option<Value>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object `{ topic, ids }`")]
struct ReservationShape {
    topic: String,
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object `{ title }`")]
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
            wake_at: shape.wake_at.as_ref().map(instant).transpose()?,
            title: shape.ui.and_then(|ui| ui.title),
            value,
        })
    }

    /// Whether anything is reserved: without it there is nothing to mutate.
    pub(super) const fn has_reservations(&self) -> bool {
        !self.reservations.is_empty()
    }
}

/// The text of an instant.
fn instant(wake_at: &Value) -> Result<String, Failure> {
    if let Some(text) = wake_at.as_str().filter(|text| Timestamp::parse(text).is_some()) {
        return Ok(text.to_owned());
    }
    Err(Failure::logic(format!(
        "`wakeAt` is {}, which is no instant: return a text such as \"2026-03-01T09:00:00Z\", for example \
         `new Date(Date.now() + 3_600_000).toISOString()`",
        crop(&wake_at.to_string(), WAKE_AT_CHARS)
    )))
}

/// How much of a wrong `wakeAt` a message shows.
const WAKE_AT_CHARS: usize = 60;

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
    fn a_wake_time_that_is_no_instant_is_a_failure() {
        for wrong in [json!(17), json!("tomorrow"), json!("09:00"), json!(1.7e12), json!({"in": 5})]
        {
            let result = json!({"reservations": [], "wakeAt": wrong});
            let failure = Prepared::read(Some(result)).unwrap_err();

            assert!(failure.message.contains("`wakeAt` is "), "{failure}");
            assert!(failure.message.contains("toISOString()"), "{failure}");
        }
        for right in [json!("2026-03-01T09:00:00Z"), json!("2026-03-01T09:00:00.123+02:00")] {
            let prepared =
                Prepared::read(Some(json!({"reservations": [], "wakeAt": right}))).unwrap();

            assert_eq!(prepared.wake_at.as_deref(), right.as_str());
        }
        let none = Prepared::read(Some(json!({"reservations": [], "wakeAt": null}))).unwrap();
        assert_eq!(none.wake_at, None);
    }

    #[test]
    fn a_result_of_another_shape_is_told_without_words_of_the_program() {
        let wrong = [
            json!(7),
            json!({"reservations": ["mail"]}),
            json!({"reservations": [], "ui": "title"}),
        ];
        for wrong in wrong {
            let failure = Prepared::read(Some(wrong)).unwrap_err();

            assert!(!failure.message.contains("struct"), "{failure}");
            assert!(failure.message.contains("expected an object"), "{failure}");
        }
    }
}
