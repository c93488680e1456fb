//! Names of servers and tools as scripts write them.

/// `read_file` as `readFile`.
pub(super) fn camel_case(name: &str) -> String {
    let mut words = words(name);
    let first = words.next().unwrap_or_default();
    let first = if first.chars().any(|c| c.is_ascii_lowercase()) {
        with_first(first, |c| c.to_ascii_lowercase())
    } else {
        first.to_ascii_lowercase()
    };
    first + &words.map(capitalised).collect::<String>()
}

/// `google-drive` as `GoogleDrive`.
pub(super) fn pascal_case(name: &str) -> String {
    words(name).map(capitalised).collect()
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn capitalised(word: &str) -> String {
    with_first(word, |c| c.to_ascii_uppercase())
}

fn with_first(word: &str, change: fn(char) -> char) -> String {
    let mut chars = word.chars();
    chars.next().map(change).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_called_in_camel_case() {
        let names = ["read_file", "get-sum", "getUser", "GetUser", "LIST", "a.b/c", "x2_y", "__a_"];

        assert_eq!(
            names.map(camel_case),
            ["readFile", "getSum", "getUser", "getUser", "list", "aBC", "x2Y", "a"]
        );
    }

    #[test]
    fn namespaces_begin_with_a_capital() {
        assert_eq!(
            ["memory", "google-drive", "my_2nd"].map(pascal_case),
            ["Memory", "GoogleDrive", "My2nd"]
        );
    }
}
