//! Plans of agents, people and tools, as they meet them: drafts in, plans out, answers in between.

#![expect(clippy::unwrap_used, reason = "a test says what it relies on by failing")]
#![expect(clippy::indexing_slicing, reason = "a field that is not there fails the test")]
#![expect(clippy::needless_pass_by_value, reason = "drafts and results are built in place")]

mod agents;
mod bad_input;
mod drafts;
mod example;
mod grants;
mod graphs;
mod messages;
mod nodes;
mod people;
mod replacing;
mod steering;

use serde_json::{Value, json};

use crate::cli::folder::{CommandOutput, TestFolder};

/// A draft of these nodes and edges.
fn draft(nodes: Vec<Value>, edges: Vec<Value>) -> Value {
    json!({"title": "Release", "objective": "Bring it out", "nodes": nodes, "edges": edges})
}

/// Work of the agent `ada`.
fn work(id: &str) -> Value {
    json!({
        "id": id, "type": "action", "label": format!("Do {id}"), "objective": "o", "instructions": "i",
        "owner": {"executorType": "agent", "ref": "ada"}, "successCriteria": ["good"],
    })
}

/// A question to a person.
fn question(id: &str, node_type: &str) -> Value {
    json!({
        "id": id, "type": node_type, "label": format!("Ask {id}"), "objective": "o", "instructions": "What now?",
        "owner": {"executorType": "user", "ref": "tester"},
    })
}

/// A call of `Files.append`.
fn append(id: &str) -> Value {
    json!({
        "id": id, "type": "tool", "label": format!("Write {id}"), "objective": "o", "instructions": "i",
        "owner": {"executorType": "system", "ref": "Files.append"},
        "input": {"path": "out/log.txt", "line": id, "key": id},
    })
}

/// The same value with one more field.
fn with(mut value: Value, field: &str, inner: Value) -> Value {
    value[field] = inner;
    value
}

fn edge(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to})
}

/// A chain of work of `ada`.
fn chain(ids: &[&str]) -> Value {
    let nodes = ids.iter().map(|id| work(id)).collect();
    draft(nodes, ids.windows(2).map(|pair| edge(pair[0], pair[1])).collect())
}

/// What was called, with the document that it answered.
struct Said {
    code: i32,
    json: Value,
}

impl Said {
    fn of(called: &CommandOutput) -> Self {
        let json = serde_json::from_str(&called.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", called.stdout, called.stderr));
        Self { code: called.code, json }
    }

    /// The answer of something that was done.
    #[track_caller]
    fn done(self) -> Value {
        assert_eq!(self.code, 0, "{:#}", self.json);
        self.json
    }

    /// Why something was refused.
    #[track_caller]
    fn refused(self) -> String {
        assert_ne!(self.code, 0, "{:#}", self.json);
        let error = &self.json["error"];
        assert!(error["hint"].is_string(), "{error:#}");
        format!("{}: {}", text(&error["code"]), text(&error["message"]))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

impl TestFolder {
    /// Calls the program for a JSON document. `words` are its arguments as they are.
    fn said(&self, words: &[&str]) -> Said {
        let output = self.command("").args(words).arg("--json").output().unwrap();
        Said::of(&CommandOutput {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        })
    }

    fn write_json(&self, name: &str, value: &Value) {
        self.write(name, value.to_string());
    }

    /// Begins a plan in workstream `w`.
    #[track_caller]
    fn create(&self, draft: &Value) -> Value {
        self.write_json("plan.json", draft);
        self.said(&["plan", "create", "w", "plan.json", "--yes"]).done()
    }

    #[track_caller]
    fn show(&self) -> Value {
        let includes = ["--events", "--artifacts", "--approvals", "--checkpoints", "--issues"];
        self.said(&[&["plan", "show", "w"][..], &includes].concat()).done()
    }

    fn submit(&self, node: &str, result: &Value) -> Said {
        self.write_json("result.json", result);
        self.said(&["plan", "submit", "w", node, "--result", "result.json", "--as", "agent:ada"])
    }

    /// Submits a success with an output.
    #[track_caller]
    fn succeed(&self, node: &str, output: Value) -> Value {
        self.submit(node, &json!({"status": "success", "output": output})).done()
    }

    /// The only question that is open.
    #[track_caller]
    fn asked(&self) -> Value {
        let list = self.said(&["approval", "list"]).done();
        assert_eq!(list.as_array().unwrap().len(), 1, "{list:#}");
        list[0].clone()
    }
}

/// The nodes of an answer as `id status`.
fn nodes(answer: &Value) -> Vec<String> {
    let nodes = answer["plan"]["nodes"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    nodes.iter().map(|it| format!("{} {}", text(&it["nodeId"]), text(&it["status"]))).collect()
}

/// A field of each item of a list.
fn each(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    items.iter().map(|item| text(&item[field]).to_owned()).collect()
}
