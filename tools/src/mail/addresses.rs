//! Addresses as text.

use mail_parser::{Addr, Address};

/// Each address as `Name <address>`, or what there is of both.
pub(super) fn addresses(address: Option<&Address<'_>>) -> Vec<String> {
    address.into_iter().flat_map(Address::iter).filter_map(address_text).collect()
}

fn address_text(address: &Addr<'_>) -> Option<String> {
    match (address.name().map(name), address.address()) {
        (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
        (Some(name), None) => Some(name),
        (None, Some(address)) => Some(address.to_owned()),
        (None, None) => None,
    }
}

/// A name on one line. It is quoted if a part of it could pass for an address or for the end of one.
fn name(name: &str) -> String {
    let name = name.split(|it: char| it.is_whitespace() || it.is_control());
    let name = name.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if !name.contains(['<', '>', '@', ',', ';', ':', '"', '\\', '(', ')', '[', ']']) {
        return name;
    }
    format!("\"{}\"", name.replace('\\', r"\\").replace('"', "\\\""))
}
