//! The runs of a session on an axis of time, as a picture. The table beside it says the same in words.

use maud::{Markup, PreEscaped, html};
use windlass_core::Timestamp;
use windlass_store::Run;

use super::parts;
use crate::text::{TimeFormat, duration};

/// The width of the picture, and how much of it the names take, in its own units.
const WIDTH: f64 = 1_000.0;
const NAMES: f64 = 220.0;
/// The height of a row.
const ROW: f64 = 24.0;
/// What is shown of a run that took no time.
const LEAST: f64 = 3.0;
/// How many letters of a name fit.
const LETTERS: usize = 28;

/// One bar.
#[derive(Debug, PartialEq)]
struct Bar<'a> {
    run: &'a Run,
    /// Where it begins and how long it is, as shares of the axis.
    from: f64,
    length: f64,
}

/// The picture. It begins where the first run began: waiting is a figure of the table.
pub(super) fn timeline(times: TimeFormat, runs: &[Run]) -> Markup {
    let (bars, axis) = bars(runs, times.now);
    let Some((begin, end)) = axis else { return html! {} };
    let n_rows = u32::try_from(bars.len()).map_or(0.0, f64::from);
    let view = format!("0 0 {WIDTH} {}", (n_rows + 1.0) * ROW);
    let label = format!("{} runs within {}", bars.len(), duration(end.since(begin)));
    html! {
        svg.timeline viewBox=(view) role="img" aria-label=(label) {
            @for (row, bar) in (0_u32..).map(f64::from).zip(&bars) { (drawn(bar, row * ROW)) }
            text.muted x=(NAMES) y=(number((n_rows + 0.7) * ROW)) { (times.time(begin)) }
            text.muted x=(WIDTH) y=(number((n_rows + 0.7) * ROW)) text-anchor="end" { "+" (duration(end.since(begin))) }
        }
    }
}

fn drawn(bar: &Bar<'_>, y: f64) -> Markup {
    let (run, axis) = (bar.run, WIDTH - NAMES);
    let width = (bar.length * axis).max(LEAST);
    let x = (NAMES + bar.from * axis).min(WIDTH - width);
    let name = crate::text::crop_line(&run.handler, LETTERS);
    let (class, _icon) = parts::run_look(run.status);
    html! {
        text x="0" y=(number(y + ROW * 0.7)) { (name) }
        rect.(class) x=(number(x)) y=(number(y + ROW * 0.2)) width=(number(width)) height=(number(ROW * 0.6)) rx="2" {
            title { (run.handler) ": " (run.status) }
        }
    }
}

/// The bars of the runs that have begun, and the axis from the first beginning to the last end.
fn bars(runs: &[Run], now: Timestamp) -> (Vec<Bar<'_>>, Option<(Timestamp, Timestamp)>) {
    let begun: Vec<_> = runs
        .iter()
        .filter_map(|run| Some((run, run.started_at?, run.ended_at.unwrap_or(now))))
        .collect();
    let begin = begun.iter().map(|(_, from, _)| *from).min();
    let end = begun.iter().map(|(_, _, to)| *to).max();
    let Some((begin, end)) = begin.zip(end) else { return (Vec::new(), None) };
    let whole = end.since(begin).as_secs_f64();
    let share = |seconds: f64| if whole > 0.0 { seconds / whole } else { 0.0 };
    let bars = begun
        .into_iter()
        .map(|(run, from, to)| Bar {
            run,
            from: share(from.since(begin).as_secs_f64()),
            length: share(to.since(from).as_secs_f64()),
        })
        .collect();
    (bars, Some((begin, end)))
}

fn number(value: f64) -> PreEscaped<String> {
    PreEscaped(format!("{value:.1}"))
}
