//! What stands around every page.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use crate::text::TimeFormat;

/// A page within a workspace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// What the page is about.
    pub(super) title: &'a str,
    /// The workspace's name.
    pub(super) workspace: &'a str,
    /// The path of the entry in the bar that the page belongs to.
    pub(super) section: &'a str,
    /// How many things wait for a person.
    pub(super) n_waiting: usize,
    /// The zone of the times that are shown.
    pub(super) times: TimeFormat,
}

/// The entries of the bar: what they are called, and their paths within the workspace.
const SECTIONS: [(&str, &str); 2] = [("Workflows", ""), ("Waiting for you", "/waiting")];

impl Frame<'_> {
    /// The whole page.
    pub(super) fn around(&self, content: &Markup) -> Markup {
        let Self { title, workspace, section, n_waiting, times } = *self;
        let waiting = if n_waiting > 0 { format!("({n_waiting}) ") } else { String::new() };
        document(
            &format!("{waiting}{title} · Windlass"),
            &html! {
                a.skip href="#content" { "To the content" }
                div.frame {
                    nav.bar aria-label="Sections" {
                        strong { "Windlass" }
                        ul {
                            @for (name, path) in SECTIONS {
                                li {
                                    a href=(format!("/w/{workspace}{path}")) aria-current=[(section == path).then_some("page")] {
                                        (name)
                                        @if path == "/waiting" && n_waiting > 0 { " (" (n_waiting) ")" }
                                    }
                                }
                            }
                        }
                        p.muted { "Workspace " (workspace) br; "Times in " (times.zone.name()) }
                        form method="post" action="/sign-out" { button { "Sign out" } }
                    }
                    main #content { (content) }
                }
            },
        )
    }
}

/// A page outside of any workspace.
pub(super) fn bare(title: &str, content: &Markup) -> Markup {
    document(&format!("{title} · Windlass"), &html! { main #content { (content) } })
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href=(assets::address("windlass.css"));
            }
            body { (body) }
        }
    }
}
