// Adds the lines of a log to its list as they come. The browser connects again by itself, after the last line that it has.
const list = document.getElementById("log");
const address = list?.dataset.stream;
if (address) {
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const source = new EventSource(`${address}?after=${list.dataset.after}`);
  source.addEventListener("line", (event) => {
    const line = JSON.parse(event.data);
    if (document.getElementById(`line-${line.seq}`)) return;
    const isAtEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 8;
    const item = document.createElement("li");
    item.id = `line-${line.seq}`;
    item.className = line.level;
    const stamp = document.createElement("time");
    stamp.dateTime = line.created_at;
    stamp.textContent = time.format(new Date(line.created_at));
    const message = document.createElement("span");
    message.textContent = line.message;
    item.append(stamp, " ");
    if (line.handler) {
      const handler = document.createElement("b");
      handler.textContent = line.handler;
      item.append(handler, " ");
    }
    item.append(message);
    list.append(item);
    if (isAtEnd) item.scrollIntoView({ block: "end" });
  });
  // The session is over: its page shows how it ended.
  source.addEventListener("end", () => {
    source.close();
    location.reload();
  });
}
