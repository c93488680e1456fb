//! How topics, producers and consumers have to fit together.

use std::collections::{BTreeMap, BTreeSet};

use super::words::nearest;
use super::{Problem, Reader};
use crate::schedule::Schedule;
use crate::workflow::{Consumer, Manifest, Producer};

/// What could be read of a declaration.
pub(super) struct Declared {
    /// Absent where the topics could not be read: then nothing is said of undeclared ones.
    pub(super) topics: Option<BTreeSet<String>>,
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
}

/// A topic's name in a list, and its place there.
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
    /// Reports what does not fit together.
    pub(super) fn check(&self, reader: &mut Reader<'_>) {
        let producers = self.producers.iter().flat_map(|(handler, producer)| {
            mentions(&producer.publishes, handler, ("producers", "publishes"))
        });
        let subscriptions = self.consumers.iter().flat_map(|(handler, consumer)| {
            mentions(&consumer.subscribe, handler, ("consumers", "subscribe"))
        });
        let emissions = self.consumers.iter().flat_map(|(handler, consumer)| {
            mentions(&consumer.publishes, handler, ("consumers", "publishes"))
        });
        let produced: Vec<_> = producers.collect();
        let subscribed: Vec<_> = subscriptions.collect();
        let emitted: Vec<_> = emissions.collect();
        let published: Vec<_> = produced.iter().chain(&emitted).copied().collect();

        self.undeclared(published.iter().chain(&subscribed), reader);
        repeated(&produced, &TWO_PRODUCERS, reader);
        repeated(&subscribed, &TWO_CONSUMERS, reader);
        own_topics(&emitted, &subscribed, reader);
        let lack = ("topic_without_subscriber", "no consumer subscribes to");
        self.unmatched(&published, &subscribed, lack, reader);
        let lack = ("topic_without_publisher", "nothing publishes to");
        self.unmatched(&subscribed, &published, lack, reader);
    }

    fn undeclared<'a>(
        &self,
        mentions: impl Iterator<Item = &'a Mention<'a>>,
        reader: &mut Reader<'_>,
    ) {
        let Some(topics) = &self.topics else { return };
        for mention in mentions.filter(|mention| !topics.contains(mention.topic)) {
            let hint = match nearest(mention.topic, topics) {
                Some(likely) => format!("did you mean `{likely}`?"),
                None => format!("add `\"{}\": {{}}` to `topics`", mention.topic),
            };
            let message = format!("the topic `{}` is not declared in `topics`", mention.topic);
            mention.report(("undeclared_topic", message), hint, reader);
        }
    }

    /// Every topic on this side is on the other, too. Of an undeclared one enough has been said.
    fn unmatched(
        &self,
        mentions: &[Mention<'_>],
        others: &[Mention<'_>],
        (code, lack): (&str, &str),
        reader: &mut Reader<'_>,
    ) {
        let known: BTreeSet<_> = others.iter().map(|mention| mention.topic).collect();
        let is_declared =
            |topic: &str| self.topics.as_ref().is_none_or(|topics| topics.contains(topic));
        let mut reported = BTreeSet::new();
        for mention in mentions {
            let is_missing = is_declared(mention.topic) && !known.contains(mention.topic);
            if is_missing && reported.insert(mention.topic) {
                let message = format!("{lack} the topic `{}`", mention.topic);
                let hint = match mention.list {
                    "subscribe" => "add it to the `publishes` of a handler, or remove it here",
                    _ => "add a consumer that subscribes to it, or remove it here",
                };
                mention.report((code, message), hint.to_owned(), reader);
            }
        }
    }

    /// The manifest, where everything could be read.
    pub(super) fn into_manifest(self) -> Option<Manifest> {
        let producers = self.producers.into_iter().map(|(name, producer)| {
            let publishes = names(producer.publishes);
            Some((name, Producer { publishes, schedule: producer.schedule? }))
        });
        let consumers = self.consumers.into_iter().map(|(name, consumer)| {
            let DeclaredConsumer { subscribe, publishes, has_mutate, has_next } = consumer;
            let (subscribe, publishes) = (names(subscribe), names(publishes));
            (name, Consumer { subscribe, publishes, has_mutate, has_next })
        });
        Some(Manifest {
            topics: self.topics?,
            producers: producers.collect::<Option<BTreeMap<_, _>>>()?,
            consumers: consumers.collect(),
        })
    }
}

impl Mention<'_> {
    fn report(&self, (code, message): (&str, String), hint: String, reader: &mut Reader<'_>) {
        let path = [self.group, self.handler, self.list].map(str::to_owned);
        let path = path.into_iter().chain([self.index.to_string()]).collect();
        reader.problems.push(Problem { path, hint: Some(hint), ..Problem::new(code, message) });
    }
}

fn names(list: Vec<Named>) -> BTreeSet<String> {
    list.into_iter().map(|named| named.name).collect()
}

fn mentions<'a>(
    list: &'a [Named],
    handler: &'a str,
    (group, key): (&'static str, &'static str),
) -> impl Iterator<Item = Mention<'a>> {
    list.iter().map(move |named| Mention {
        topic: &named.name,
        handler,
        group,
        list: key,
        index: named.index,
    })
}

/// How to speak of a topic that has two handlers where it may have one.
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

/// A topic belongs to one handler on this side.
fn repeated(mentions: &[Mention<'_>], told: &Repetition, reader: &mut Reader<'_>) {
    let mut first_by_topic = BTreeMap::new();
    for mention in mentions {
        let first = first_by_topic.entry(mention.topic).or_insert(mention.handler);
        if *first != mention.handler {
            let message =
                format!("the topic `{}` is already {} `{first}`", mention.topic, told.how);
            mention.report((told.code, message), told.hint.to_owned(), reader);
        }
    }
}

/// A consumer that feeds itself never ends.
fn own_topics(emitted: &[Mention<'_>], subscribed: &[Mention<'_>], reader: &mut Reader<'_>) {
    for mention in emitted {
        let is_own =
            |other: &&Mention<'_>| (other.topic, other.handler) == (mention.topic, mention.handler);
        if subscribed.iter().any(|other| is_own(&other)) {
            let message = format!(
                "the consumer `{}` publishes to the topic `{}`, which it subscribes to itself",
                mention.handler, mention.topic
            );
            let hint = "publish to another topic, or come back with `wakeAt`".to_owned();
            mention.report(("own_topic", message), hint, reader);
        }
    }
}
