//! Makes tests of every database out of a list of claims.

/// Makes the macro that instantiates all tests, from their names by module.
macro_rules! contract {
    ($dollar:tt $( $chapter:ident { $( $test:ident, )+ } )+) => {
        /// Makes a test of each claim of the contract. The argument is the path of an async function that opens an empty store:
        /// `async fn() -> Option<(TestStore, T)>`, where the `T` lives as long as the store.
        #[macro_export]
        macro_rules! conformance_tests {
            ($dollar open:path) => { $(
                mod $chapter { $(
                    #[tokio::test]
                    async fn $test() {
                        if let Some((test_store, _guard)) = $dollar open().await {
                            $crate::$chapter::$test(test_store).await;
                        }
                    }
                )+ }
            )+ };
        }

        #[cfg(test)]
        pub(crate) const LISTED: &[(&str, &str)] = &[$( $( (stringify!($chapter), stringify!($test)), )+ )+];
    };
}

pub(crate) use contract;
