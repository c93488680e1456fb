//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

xflags::xflags! {
    /// What developers of Windlass run.
    cmd xtask {
        /// Builds the release binary and runs `windlass demo`.
        cmd demo {
            /// Arguments for `windlass demo`, after `--`.
            repeated argument: OsString
        }

        /// Runs every check and every test, as CI does, with a throwaway PostgreSQL.
        cmd test {
            /// Leave out the tests that need PostgreSQL.
            optional --no-postgres
            /// Run only the tests whose names contain one of these, and none of the other checks.
            repeated filter: String
        }

        /// Lints everything, and tests the crates that changed since the branch left `main` and all that depend on them.
        cmd check {
            /// Compare with this revision instead.
            optional --since revision: String
            /// Run the tests on PostgreSQL and on files too, not only once on SQLite.
            optional --every-database
        }

        /// Runs many seeded histories of the scheduler under faults, over every database, and many cases of each property.
        cmd soak {
            /// The number of histories. Default: 10,000.
            optional --histories histories: u64
            /// The seed of the first history. Default: 0.
            optional --seed seed: u64
            /// The number of cases of each property. Default: 10,000.
            optional --cases cases: u64
        }

        /// Runs many workers on one PostgreSQL, injects faults, and prints a scorecard.
        cmd chaos {
            /// The number of workers. Default: 8.
            optional --workers workers: usize
            /// The number of workflows. Default: 500.
            optional --workflows workflows: usize
            /// The number of events in the scenario without faults. Default: 100,000.
            optional --events events: u64
            /// How long each scenario injects faults. Default: 10.
            optional --minutes minutes: u64
            /// A small load and some seconds of faults, with the debug binary.
            optional --short
            /// Run only these scenarios: load, kill, freeze, restart, disconnect, connections, idle, clocks, disk.
            repeated --only scenario: String
            /// The seed of all random choices. Default: 0.
            optional --seed seed: u64
            /// Write the scorecard to this file too, as JSON.
            optional --json file: PathBuf
        }

        /// Measures the release binary on SQLite and PostgreSQL, and prints a table; takes some minutes.
        cmd bench {
            /// Smaller sizes, for a quick impression.
            optional --quick
            /// Run the long cases too: growth and start-up.
            optional --all
            /// Run only these cases, by name.
            repeated --case name: String
            /// Run only on these databases: sqlite, memory, postgres.
            repeated --database name: String
            /// Run one more growth case, `growth-n`, with this many finished runs.
            optional --finished runs: u32
            /// Write the figures to this file too, as JSON.
            optional --json file: PathBuf
            /// Print ratios to earlier figures, which `--json` wrote to this file.
            optional --compare file: PathBuf
        }

        /// Checks what neither the compiler nor clippy can.
        cmd tidy {}

        /// Starts a throwaway PostgreSQL, prints its URL and keeps it until Ctrl-C.
        cmd db {}

        /// Shows, applies or reverts the migrations of a database.
        cmd migrate {
            /// `status` lists all migrations, `run` applies the pending ones, `revert` reverts the newest with its data, `redo`
            /// reverts and applies it again.
            required action: String
            /// The database: `sqlite:PATH` or `postgres://…`. Default: `WINDLASS_DATABASE`, or else
            /// `sqlite:.windlass/windlass.db` in the current folder, as for `windlass` itself.
            optional --database url: String
        }

        /// Makes migrations.
        cmd migration {
            /// Writes a new migration for SQLite and PostgreSQL, each with a way back.
            cmd new {
                /// What it does, in lower case: `add_priority`.
                required name: String
            }
        }

        /// Fills an empty database with workflows in every state, a history, workers and notifications.
        cmd fixtures {
            /// The database: as for `migrate`.
            optional --database url: String
            /// `small`: some hundred runs; `large`: 100,000 runs. Default: small.
            optional --size size: String
            /// The instant at which the instance stands, for example 2026-03-02T09:00:00Z. The same instant and size make the same
            /// database, ids included. Default: the present.
            optional --now instant: String
        }
    }
}
