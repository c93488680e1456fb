//! What effects cost.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use crate::capability::Capability;

/// The highest price of an effect, in US dollars. Anything above is taken for a typing mistake.
const MAX_PRICE: f64 = 1e6;

/// What single effects cost, in microdollars. A person configures them, because no provider names a price before the bill.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prices(BTreeMap<Capability, i64>);

impl Prices {
    /// What one effect of `called` costs, in microdollars: the price of the tool with that target, else that of the tool, else
    /// nothing.
    #[must_use]
    pub fn of(&self, called: &Capability) -> i64 {
        let anywhere = Capability::tool(called.namespace(), called.method());
        self.0.get(called).or_else(|| self.0.get(&anywhere)).copied().unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Prices {
    /// From US dollars by capability.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let dollars = BTreeMap::<Capability, f64>::deserialize(deserializer)?;
        let in_microdollars = |(capability, dollars): (Capability, f64)| {
            if (0.0..=MAX_PRICE).contains(&dollars) {
                return Ok((capability, microdollars(dollars)));
            }
            Err(serde::de::Error::custom(format!(
                "the price of `{capability}` is a number of US dollars, from 0 to {MAX_PRICE}"
            )))
        };
        dollars.into_iter().map(in_microdollars).collect::<Result<_, _>>().map(Self)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most a million dollars, rounded before")]
fn microdollars(dollars: f64) -> i64 {
    (dollars * 1e6).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(json: &str) -> Result<Prices, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn the_price_for_a_target_takes_precedence_over_that_of_the_tool() {
        let prices = prices(r#"{"Http.post": 0.002, "Http.post:api.example.com": 1.5}"#).unwrap();
        let price = |text: &str| prices.of(&text.parse().unwrap());

        assert_eq!(price("Http.post:api.example.com"), 1_500_000);
        assert_eq!(price("Http.post:example.com"), 2_000);
        assert_eq!(price("Http.post"), 2_000);
        assert_eq!(price("Http.put:api.example.com"), 0);
    }

    #[test]
    fn an_invalid_price_is_refused_with_the_name_of_its_tool() {
        for wrong in [r#"{"Http.post": -1}"#, r#"{"Http.post": 1e9}"#] {
            let error = prices(wrong).unwrap_err().to_string();
            assert!(error.contains("`Http.post`"), "{error}");
        }
        assert!(prices(r#"{"post": 1}"#).is_err());
    }
}
