//! The core through its public interface: generated histories, and a search of a small model.

mod graph;
mod invariants;
mod model;
