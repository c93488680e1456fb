//! Ids differ from one database to the other; the order in which they appear does not.

use std::collections::HashMap;

const KINDS: &[&str] = &[
    "ws_", "wf_", "scr_", "top_", "evt_", "inp_", "run_", "mut_", "ses_", "ntf_", "wrk_", "jnl_",
    "op_", "key_", "nod_", "att_", "art_", "apr_",
];
const DIGITS: usize = 32;

/// Numbers the ids of one side in the order of their first appearance.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<String, String>);

impl Names {
    /// The text with every id in it replaced by its kind and number.
    pub(crate) fn normalise(&mut self, text: &str) -> String {
        let mut normal = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(place) = first_id(rest) {
            let (before, from) = rest.split_at(place.0);
            let (id, after) = from.split_at(place.1);
            normal.push_str(before);
            normal.push_str(self.name(id));
            rest = after;
        }
        normal + rest
    }

    fn name(&mut self, id: &str) -> &str {
        let kind = id.split('_').next().unwrap_or_default();
        let number = self.0.keys().filter(|known| known.starts_with(kind)).count();
        self.0.entry(id.to_owned()).or_insert_with(|| format!("{kind}#{number}"))
    }
}

/// Where the first id begins, and how long it is.
fn first_id(text: &str) -> Option<(usize, usize)> {
    let begins = |kind: &&str| {
        text.match_indices(*kind).find_map(|(at, _)| {
            let digits = text[at + kind.len()..].bytes();
            let is_id = digits.take_while(u8::is_ascii_hexdigit).count() == DIGITS;
            is_id.then_some((at, kind.len() + DIGITS))
        })
    };
    KINDS.iter().filter_map(begins).min()
}
