//! The command line.

use std::ffi::OsString;

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

        /// Runs many seeded histories of the scheduler under faults, over every database.
        cmd soak {
            /// How many; 10,000 where this is not said.
            optional --histories histories: u64
            /// The seed of the first; 0 where this is not said.
            optional --seed seed: u64
        }

        /// Checks what neither the compiler nor clippy can.
        cmd tidy {}

        /// Starts a throwaway PostgreSQL, prints its URL and keeps it until Ctrl-C.
        cmd db {}
    }
}
