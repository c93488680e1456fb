//! What holds for every tool.

use rmcp::ServiceError;
use rmcp::model::ErrorCode;
use serde_json::json;

use super::client::Agent;
use crate::cli::folder::TestFolder;

#[tokio::test]
async fn an_agent_connects_and_leaves() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;

    let server = agent.peer().peer_info().unwrap();
    let unknown = agent.try_call("no_such_tool", json!({})).await.unwrap_err();

    assert_eq!(server.server_info.clone().unwrap().name, "windlass");
    assert!(server.instructions.clone().is_some_and(|text| text.contains("Windlass")));
    let ServiceError::McpError(error) = unknown else { panic!("{unknown}") };
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    assert!(error.message.contains("no_such_tool"), "{error}");
    assert_eq!(agent.leave().await, 0);
}

#[test]
fn who_only_looks_whether_it_starts_gets_no_word() {
    let folder = TestFolder::new();

    let called = folder.call("mcp");

    assert_eq!((called.code, called.stdout.as_str(), called.stderr.as_str()), (0, "", ""));
}

#[test]
fn an_agent_is_named_by_what_can_be_stored_anywhere() {
    let folder = TestFolder::new();

    let called = folder.call("mcp --agent a:b");

    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("letters, digits"), "{}", called.stderr);
}
