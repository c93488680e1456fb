// Receipts: reads mail files, keeps a ledger of payments, and sends a notification about large amounts.
//
//   inbox ──▶ mail.received ──▶ record ──▶ receipt.recorded ──▶ alert
//
// A workflow is one object. Producers read the outside world and publish events. Consumers process events in three
// phases: `prepare` reads and decides, `mutate` makes at most one change outside, `next` publishes what follows.
// The engine records every step. After a crash it continues from the last one, and no change is made twice.

const workflow = {
  topics: {
    "mail.received": {},
    "receipt.recorded": {},
  },

  producers: {
    inbox: {
      publishes: ["mail.received"],
      schedule: { interval: "1m" },

      // `state` is what this handler returned last time, and null the first time. It is saved together with the events:
      // all of this is saved, or nothing is.
      handler: async (state) => {
        const files = await Files.list({ dir: "inbox", pattern: "*.eml" });
        const seen = state?.seen ?? {};
        for (const { path, modified } of files) {
          if (seen[path] === modified) continue;
          // A file that cannot be read stops no other; one that is still being written has no mail yet.
          const read = await attempt(Mail.parse, { path });
          for (const mail of read.value ?? []) {
            // Every event names the outside thing that caused it, and uses that thing's own id. The same mail under
            // another file name, or read again after a crash, is therefore the same event and adds nothing.
            const id = idOf(mail, path);
            const title = `${mail.subject || "(no subject)"}, from ${mail.from || "(unknown)"}`;
            const inputId = await Topics.registerInput({ source: "Mail", type: "message", id, title });
            await Topics.publish({
              topic: "mail.received",
              event: { messageId: id, payload: { path }, inputId },
            });
          }
        }
        return { seen: Object.fromEntries(files.map(({ path, modified }) => [path, modified])) };
      },
    },
  },

  consumers: {
    record: {
      subscribe: ["mail.received"],
      publishes: ["receipt.recorded"],

      // Only reads, so it may run any number of times. Without a reservation it runs again when a new event arrives.
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "mail.received", limit: 1 });
        if (!event) return { reservations: [] };

        const { path } = event.payload;
        const mails = await Mail.parse({ path });
        const mail = mails.find((mail) => idOf(mail, path) === event.messageId);
        const receipt = mail && readReceipt(mail, event.messageId);
        return {
          reservations: [{ topic: "mail.received", ids: [event.messageId] }],
          data: { receipt: receipt ?? null },
          ui: {
            title: receipt
              ? `Record ${receipt.amount} ${receipt.currency}: ${receipt.subject}`
              : `Leave out, no amount: ${mail?.subject ?? path}`,
          },
        };
      },

      // The one change outside. This call ends the script, so no code can follow it here. The key is a part of the
      // line. After a crash the engine looks for it to find out whether the line was written.
      mutate: async ({ data: { receipt } }) => {
        if (!receipt) return;
        await Files.append({
          path: "out/receipts.csv",
          line: csvLine(receipt),
          key: csvField(receipt.id),
        });
      },

      // `status` is "applied", or "none" if nothing was changed or reserved, or "skipped" if a person decided to skip the
      // change.
      next: async ({ data }, { status }) => {
        if (status !== "applied") return;
        const { receipt } = data;
        await Topics.publish({
          topic: "receipt.recorded",
          event: { messageId: receipt.id, payload: receipt },
        });
      },
    },

    alert: {
      subscribe: ["receipt.recorded"],

      prepare: async () => {
        const [event] = await Topics.peek({ topic: "receipt.recorded", limit: 1 });
        if (!event) return { reservations: [] };

        const { amount, currency, subject } = event.payload;
        return {
          reservations: [{ topic: "receipt.recorded", ids: [event.messageId] }],
          data: event.payload,
          ui: { title: `Consider ${amount} ${currency}: ${subject}` },
        };
      },

      // It may also call no tool: then the event is processed, and nothing changes outside.
      mutate: async ({ data: { amount, currency, sender, date, subject } }) => {
        if (Number(amount) <= ALERT_OVER[currency]) return;
        await User.notify({
          title: `${amount} ${currency}: ${subject}`,
          text: `From ${sender}, ${date ?? "without a date"}. The limit is ${ALERT_OVER[currency]} ${currency}.`,
        });
      },
    },
  },
};

/** The currencies that this workflow knows. A larger amount causes a notification. */
const ALERT_OVER = {
  USD: 500, EUR: 500, GBP: 400, CHF: 500, CAD: 700, AUD: 800, JPY: 75000, SEK: 5000, NOK: 5500, DKK: 3500,
};

/** The permanent id of a mail: its Message-ID, or its file if it has none. */
function idOf(mail, path) {
  return mail.messageId || path;
}

/** The payment in a mail, or null if the mail contains no amount. */
function readReceipt(mail, id) {
  const paid = findAmount(`${mail.subject ?? ""}\n\n${mail.text ?? ""}`);
  if (!paid) return null;
  const date = mail.date && mail.date.slice(0, 10);
  return { id, date, sender: mail.from, subject: mail.subject ?? "", ...paid };
}

// ── Amounts ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** 1,234.56 and 1.234,56 and 1 234,56 and 1'234.56, with or without the cents, which may be a dash: 45.– */
const NUMBER = /(?<![\d.,])(?:\d{1,3}(?:[.,'’ \u00A0\u202F]\d{3})+(?!\d)|\d+)(?:[.,](?:\d{1,2}(?!\d)|[-–—]))?/gu;

const CODE = String.raw`(?<!\p{L})(?:${Object.keys(ALERT_OVER).join("|")})(?!\p{L})`;
const SIGN = String.raw`[$€£¥\uFFE5円]|(?<!\p{L})(?:Fr\.|kr)(?!\p{L})`;
const CURRENCY_OF_SIGN = {
  "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "\uFFE5": "JPY", "円": "JPY", "Fr.": "CHF", "kr": "SEK",
};
const SPACE = String.raw`[ \t\u00A0\u202F]*`;
const BEFORE = new RegExp(`(?:(?<code>${CODE})|(?<sign>${SIGN}))${SPACE}$`, "u");
const AFTER = new RegExp(`^${SPACE}(?:(?<code>${CODE})|(?<sign>${SIGN}))`, "u");

/** Words before an amount that say what it is, longer words first: "sub-total" is not "total". */
const LABELS = {
  paid: [
    "grand total", "(?:amount|total) (?:paid|due|charged)", "charged", "incl[^ ]* (?:vat|tax)", "inkl[^ ]* mwst", "ttc",
    "gesamtbetrag", "rechnungsbetrag", "importe total", "att betala", "合計",
  ],
  part: [
    "sub-?total", "sous-total", "zwischensumme", "小計", "net", "netto", "vat", "tax", "gst", "mwst", "tva", "iva", "moms",
    "消費税", "discount", "rabatt", "shipping", "delivery", "versandkosten", "balance", "approx",
  ],
  total: ["total", "totale", "summe", "betrag", "montant", "importe", "summa"],
};
const WEIGHT = { part: 0, unlabelled: 1, total: 2, paid: 3 };
const LABEL = new RegExp(
  Object.entries(LABELS)
    .map(([kind, words]) => String.raw`(?<!\p{L})(?<${kind}>${words.join("|")})(?!\p{L})`)
    .join("|"),
  "giu",
);

/** The amount that was paid: the last one of those with the heaviest label, because a bill ends with its total. */
function findAmount(text) {
  let best = null;
  let previousEnd = 0;
  for (const match of text.matchAll(NUMBER)) {
    const start = match.index;
    const end = start + match[0].length;
    const currency = currencyBeside(text, start, end);
    if (!currency) continue;

    const weight = weightOf(text.slice(Math.max(previousEnd, start - 60), start));
    if (weight > WEIGHT.part && weight >= (best?.weight ?? 0)) {
      best = { weight, amount: decimalText(match[0], currency), currency };
    }
    previousEnd = end;
  }
  return best && { amount: best.amount, currency: best.currency };
}

/** The currency of the number between `start` and `end`. A code wins over a sign: "$45.00 CAD". */
function currencyBeside(text, start, end) {
  const before = text.slice(Math.max(0, start - 16), start).match(BEFORE)?.groups;
  const after = text.slice(end, end + 16).match(AFTER)?.groups;
  return before?.code ?? after?.code ?? CURRENCY_OF_SIGN[before?.sign ?? after?.sign];
}

/** The weight of an amount, by the last label in the text before it. */
function weightOf(context) {
  const label = [...context.matchAll(LABEL)].at(-1)?.groups ?? {};
  const kind = Object.keys(LABELS).find((kind) => label[kind]) ?? "unlabelled";
  return WEIGHT[kind];
}

/** A number in any notation as plain decimal text: "1234.56", or without cents for a currency that has none. */
function decimalText(number, currency) {
  const [, whole, cents] = number.match(/^(.*?)(?:[.,](\d{1,2}|[-–—]))?$/u);
  const digits = whole.replace(/\D/gu, "");
  if (currency === "JPY") return digits;
  return `${digits}.${(cents ?? "").replace(/\D/gu, "").padEnd(2, "0")}`;
}

// ── The ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────

function csvLine({ date, sender, amount, currency, subject, id }) {
  return [date, sender, amount, currency, subject, id].map(csvField).join(",");
}

/** A quoted field on one line. Mail is text from strangers, so a spreadsheet must not read it as a formula. */
function csvField(value) {
  const text = String(value ?? "").replace(/\s+/gu, " ");
  const harmless = /^[=+\-@]/u.test(text) ? `'${text}` : text;
  return `"${harmless.replaceAll('"', '""')}"`;
}
