// A message centre by npm's smpp. What it does with a message its number's end says; a line goes out for each thing that it sees,
// and what comes in by standard input is an order: {"receipt": …} sends one, {"drop": true} cuts every line,
// {"raw": "…"} writes bytes, {"answer": true} answers what was held, {"enquire": true} asks whether we are there, and {"enquiries": …}
// says `answer` or `ignore` of such questions to it, and tells of them from then on. The port may be given.
import { createInterface } from "node:readline";

import smpp from "smpp";

const say = (thing) => console.log(JSON.stringify(thing));
const sessions = new Set();
const held = [];
let count = 0;
let enquiries = null;
const STATUS = { "01": smpp.ESME_RTHROTTLED, "02": smpp.ESME_RINVDSTADR, "03": smpp.ESME_RSYSERR, "04": smpp.ESME_RMSGQFUL };

const server = smpp.createServer((session) => {
  sessions.add(session);
  session.on("error", () => sessions.delete(session));
  session.on("close", () => sessions.delete(session));
  session.on("bind_transceiver", (pdu) => {
    const good = pdu.system_id === "strongroom" && pdu.password === "secret12";
    say({ bind: pdu.system_id, good });
    session.send(pdu.response(good ? {} : { command_status: smpp.ESME_RINVPASWD }));
  });
  session.on("enquire_link", (pdu) => {
    if (enquiries) say({ enquired: true });
    if (enquiries !== "ignore") session.send(pdu.response());
  });
  session.on("deliver_sm_resp", (pdu) => say({ acknowledged: pdu.command_status }));
  session.on("submit_sm", (pdu) => {
    const text = pdu.short_message?.message || pdu.message_payload?.message || "";
    const id = `c-${(count += 1)}`;
    say({
      id, to: pdu.destination_addr, from: pdu.source_addr, text: String(text), coding: pdu.data_coding, ton: pdu.source_addr_ton,
      validity: pdu.validity_period, receipt: pdu.registered_delivery, payload: Boolean(pdu.message_payload?.message),
      part: pdu.short_message?.udh?.map((one) => one.toString("hex")).join() ?? null,
    });
    const end = pdu.destination_addr.slice(-2);
    if (end === "05") return; // never answered
    if (end === "06") { session.destroy(); return; } // the line breaks before the answer
    const answer = () => session.send(pdu.response(STATUS[end] ? { command_status: STATUS[end] } : { message_id: id }));
    if (end === "07") held.push(answer); // answered when it is told to
    else answer();
  });
  session.on("unbind", (pdu) => { session.send(pdu.response()); session.close(); });
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => say({ port: server.address().port }));

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  if (order.enquiries) enquiries = order.enquiries;
  if (order.answer) for (const answer of held.splice(0)) answer();
  for (const session of sessions) {
    if (order.drop) session.destroy();
    if (order.enquire) session.enquire_link({}, (pdu) => say({ answered: pdu.command_status }));
    if (order.raw) session.socket.write(Buffer.from(order.raw, "hex"));
    if (order.receipt) session.deliver_sm({ esm_class: 4, source_addr: "447700900123", destination_addr: "1", ...order.receipt });
  }
}
process.exit(0);
