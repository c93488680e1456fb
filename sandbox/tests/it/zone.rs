//! The time zone and the locale of scripts.

use serde_json::json;

use crate::support::{prepare, returned, run, sandbox};

#[tokio::test]
async fn dates_are_in_the_zone_of_the_deployment_and_words_in_one_locale() {
    let sandbox = sandbox();
    assert!(windlass_sandbox::use_time_zone("Asia/Tokyo"));
    assert!(!windlass_sandbox::use_time_zone("Mars/Olympus"));

    let dates = "const date = new Date(0); const { timeZone, locale } = Intl.DateTimeFormat().resolvedOptions();\n\
         return [date.getHours(), new Date(1970, 0, 1).getTime(), timeZone, locale, (1234.5).toLocaleString()];";
    let report = run(&sandbox, prepare(dates)).await;

    assert_eq!(returned(&report), json!([9, -32_400_000, "Asia/Tokyo", "en-US", "1,234.5"]));
}
