//! Where variables of the environment come from.

use std::ffi::OsString;

/// Reads one variable of the environment by its name. This crate reads none itself: the program that uses it decides.
pub type Environment = fn(&str) -> Option<OsString>;
