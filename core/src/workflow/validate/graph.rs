//! Checks that topics, producers and consumers fit together.

use std::collections::{BTreeMap, BTreeSet};

use super::words::nearest;
use crate::blame::{OnFailure, OnRefusal};
use crate::schedule::Schedule;
use crate::workflow::manifest::{Consumer, Manifest, Producer};
use crate::workflow::problem::Problem;

/// The declaration as far as it could be read.
pub(super) struct Declared {
    /// None if the topics could not be read: then undeclared topics are not reported.
    pub(super) topics: Option<BTreeSet<String>>,
    pub(super) inputs: BTreeMap<String, BTreeSet<String>>,
    pub(super) producers: Vec<(String, DeclaredProducer)>,
    pub(super) consumers: Vec<(String, DeclaredConsumer)>,
}

pub(super) struct DeclaredProducer {
    pub(super) publishes: Vec<Named>,
    pub(super) schedule: Option<Schedule>,
}

pub(super) struct DeclaredConsumer {
    pub(super) subscribe: Vec<Named>,
    pub(super) publishes: Vec<Named>,
    pub(super) has_mutate: bool,
    pub(super) has_next: bool,
    pub(super) on_failure: OnFailure,
    pub(super) on_refusal: OnRefusal,
}

/// A topic's name in a list, and its index there.
pub(super) struct Named {
    pub(super) index: usize,
    pub(super) name: String,
}

/// One handler's mention of a topic.
#[derive(Clone, Copy)]
struct Mention<'a> {
    topic: &'a str,
    handler: &'a str,
    group: &'static str,
    list: &'static str,
    index: usize,
}

impl Declared {
    /// Reports everything that does not fit together.
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        let producers = self.producers.iter().flat_map(|(handler, producer)| {
            mentions(&producer.publishes, handler, "producers", "publishes")
        });
        let subscriptions = self.consumers.iter().flat_map(|(handler, consumer)| {
            mentions(&consumer.subscribe, handler, "consumers", "subscribe")
        });
        let emissions = self.consumers.iter().flat_map(|(handler, consumer)| {
            mentions(&consumer.publishes, handler, "consumers", "publishes")
        });
        let produced: Vec<_> = producers.collect();
        let subscribed: Vec<_> = subscriptions.collect();
        let emitted: Vec<_> = emissions.collect();
        let published: Vec<_> = produced.iter().chain(&emitted).copied().collect();

        self.undeclared(published.iter().chain(&subscribed), problems);
        repeated(&produced, &TWO_PRODUCERS, problems);
        repeated(&subscribed, &TWO_CONSUMERS, problems);
        own_topics(&emitted, &subscribed, problems);
        self.unmatched(&published, &subscribed, &NO_SUBSCRIBER, problems);
        self.unmatched(&subscribed, &published, &NO_PUBLISHER, problems);
    }

    fn undeclared<'a>(
        &self,
        mentions: impl Iterator<Item = &'a Mention<'a>>,
        problems: &mut Vec<Problem>,
    ) {
        let Some(topics) = &self.topics else { return };
        for mention in mentions.filter(|mention| !topics.contains(mention.topic)) {
            let hint = match nearest(mention.topic, topics) {
                Some(likely) => format!("did you mean `{likely}`?"),
                None => format!("add `\"{}\": {{}}` to `topics`", mention.topic),
            };
            let message = format!("the topic `{}` is not declared in `topics`", mention.topic);
            mention.report("undeclared_topic", message, hint, problems);
        }
    }

    /// Reports topics of `mentions` that `others` does not have. An undeclared topic is reported elsewhere.
    fn unmatched(
        &self,
        mentions: &[Mention<'_>],
        others: &[Mention<'_>],
        lack: &Lack,
        problems: &mut Vec<Problem>,
    ) {
        let known: BTreeSet<_> = others.iter().map(|mention| mention.topic).collect();
        let is_declared =
            |topic: &str| self.topics.as_ref().is_none_or(|topics| topics.contains(topic));
        let mut reported = BTreeSet::new();
        for mention in mentions {
            let is_missing = is_declared(mention.topic) && !known.contains(mention.topic);
            if is_missing && reported.insert(mention.topic) {
                let message = format!("{} the topic `{}`", lack.what, mention.topic);
                let hint = match mention.list {
                    "subscribe" => "add it to the `publishes` of a handler, or remove it here",
                    _ => "add a consumer that subscribes to it, or remove it here",
                };
                mention.report(lack.code, message, hint.to_owned(), problems);
            }
        }
    }

    /// The manifest, if everything could be read.
    pub(super) fn into_manifest(self) -> Option<Manifest> {
        let producers = self.producers.into_iter().map(|(name, producer)| {
            let publishes = names(producer.publishes);
            Some((name, Producer { publishes, schedule: producer.schedule? }))
        });
        let consumers = self.consumers.into_iter().map(|(name, consumer)| {
            let declared = Consumer {
                subscribe: names(consumer.subscribe),
                publishes: names(consumer.publishes),
                has_mutate: consumer.has_mutate,
                has_next: consumer.has_next,
                on_failure: consumer.on_failure,
                on_refusal: consumer.on_refusal,
            };
            (name, declared)
        });
        Some(Manifest {
            inputs: self.inputs,
            topics: self.topics?,
            producers: producers.collect::<Option<BTreeMap<_, _>>>()?,
            consumers: consumers.collect(),
        })
    }
}

impl Mention<'_> {
    fn report(&self, code: &str, message: String, hint: String, problems: &mut Vec<Problem>) {
        let path = [self.group, self.handler, self.list].map(str::to_owned);
        let path = path.into_iter().chain([self.index.to_string()]).collect();
        problems.push(Problem { path, hint: Some(hint), ..Problem::new(code, message) });
    }
}

fn names(list: Vec<Named>) -> BTreeSet<String> {
    list.into_iter().map(|named| named.name).collect()
}

fn mentions<'a>(
    list: &'a [Named],
    handler: &'a str,
    group: &'static str,
    key: &'static str,
) -> impl Iterator<Item = Mention<'a>> {
    list.iter().map(move |named| Mention {
        topic: &named.name,
        handler,
        group,
        list: key,
        index: named.index,
    })
}

/// The text of a problem with a topic that only one side mentions.
struct Lack {
    code: &'static str,
    what: &'static str,
}

const NO_SUBSCRIBER: Lack =
    Lack { code: "topic_without_subscriber", what: "no consumer subscribes to" };

const NO_PUBLISHER: Lack = Lack { code: "topic_without_publisher", what: "nothing publishes to" };

/// The text of a problem with a topic that has two handlers and may have one.
struct Repetition {
    code: &'static str,
    how: &'static str,
    hint: &'static str,
}

const TWO_PRODUCERS: Repetition = Repetition {
    code: "topic_with_two_producers",
    how: "published by the producer",
    hint: "let one producer publish it, or give each of them a topic of its own",
};

const TWO_CONSUMERS: Repetition = Repetition {
    code: "topic_with_two_consumers",
    how: "subscribed to by the consumer",
    hint: "give each consumer a topic of its own, and publish to both",
};

/// Reports topics that belong to several handlers.
fn repeated(mentions: &[Mention<'_>], text: &Repetition, problems: &mut Vec<Problem>) {
    let mut first_by_topic = BTreeMap::new();
    for mention in mentions {
        let first = first_by_topic.entry(mention.topic).or_insert(mention.handler);
        if *first != mention.handler {
            let message =
                format!("the topic `{}` is already {} `{first}`", mention.topic, text.how);
            mention.report(text.code, message, text.hint.to_owned(), problems);
        }
    }
}

/// Reports consumers that publish to a topic they subscribe to: they would never end.
fn own_topics(emitted: &[Mention<'_>], subscribed: &[Mention<'_>], problems: &mut Vec<Problem>) {
    for mention in emitted {
        let is_own =
            |other: &&Mention<'_>| (other.topic, other.handler) == (mention.topic, mention.handler);
        if subscribed.iter().any(|other| is_own(&other)) {
            let message = format!(
                "the consumer `{}` publishes to the topic `{}`, which it subscribes to itself",
                mention.handler, mention.topic
            );
            let hint = "publish to another topic, or come back with `wakeAt`".to_owned();
            mention.report("own_topic", message, hint, problems);
        }
    }
}
