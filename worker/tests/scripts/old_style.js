"use strict";

const TOPICS = { found: "page.changed" };

function hash(text) {
  var h = 5381;
  for (var i = 0; i < text.length; i += 1) {
    h = ((h << 5) + h + text.charCodeAt(i)) >>> 0;
  }
  return h.toString(16);
}

function handler(state) {
  return Http.get({ url: "https://www.example.com/news" }).then(function (answer) {
    var digest = hash(String(answer.body));
    if (state && state.digest === digest) {
      return state;
    }
    return Topics.registerInput({ source: "Web", type: "page", id: digest, title: "News changed" })
      .then(function (inputId) {
        return Topics.publish({ topic: TOPICS.found, event: { messageId: digest, payload: null, inputId: inputId } });
      })
      .then(function () {
        return { digest: digest };
      });
  });
}

function prepare() {
  return Topics.peek({ topic: TOPICS.found, limit: 1 }).then(function (events) {
    if (!events.length) return { reservations: [] };
    return { reservations: [{ topic: TOPICS.found, ids: [events[0].messageId] }], data: { at: events[0].createdAt } };
  });
}

function mutate(prepared) {
  return User.notify({ title: "The page changed", text: "Seen at " + prepared.data.at });
}

var workflow = {
  topics: { "page.changed": {} },
  producers: { page: { publishes: ["page.changed"], schedule: { interval: "1h" }, handler: handler } },
  consumers: { tell: { subscribe: ["page.changed"], prepare: prepare, mutate: mutate } },
};
