//! The tools that come with Windlass. None of them needs an account.
