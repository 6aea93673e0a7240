// Print each burst's verdict when it changes, from the beginning of the topic.
import { readFileSync } from "node:fs";
import { Kafka, logLevel } from "kafkajs";

const { UNCIA_KAFKA, UNCIA_KAFKA_CAFILE, UNCIA_KAFKA_USERNAME: username, UNCIA_KAFKA_PASSWORD: password } = process.env;
const kafka = new Kafka({
  brokers: UNCIA_KAFKA.split(","),
  // For a Kafka that requires sign-in, as the one of `uncia up` does.
  ...(username && { sasl: { mechanism: "scram-sha-512", username, password } }),
  ...(UNCIA_KAFKA_CAFILE && { ssl: { ca: readFileSync(UNCIA_KAFKA_CAFILE) } }),
  logLevel: logLevel.ERROR,
});
// A key permits groups whose names begin with its user name.
const consumer = kafka.consumer({ groupId: `${username || "example"}-${Date.now()}` });
await consumer.connect();
await consumer.subscribe({ topic: "camera.burst.resolved.v1", fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    if (message.value === null) return; // a tombstone: the burst was removed
    const burst = JSON.parse(message.value);
    console.log([burst.started_at, burst.camera, burst.verdict?.taxon ?? "unreadable", burst.status].join("\t"));
  },
});
