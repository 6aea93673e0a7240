// Print the verdict that counts whenever one changes, from the beginning of the topic.
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

const bursts = new Map();
await consumer.run({
  eachMessage: async ({ message }) => {
    let burst = JSON.parse(message.value ?? "null");
    if (!burst || bursts.get(burst.burst_id)?.revision >= burst.revision) return; // the highest revision counts
    bursts.set(burst.burst_id, burst);
    // The photographs of a superseded burst belong to another burst.
    while (burst?.status === "superseded") burst = bursts.get(burst.superseded_by);
    if (!burst) return;
    const taxon = burst.verdict?.taxon ?? burst.category ?? "unreadable";
    console.log([burst.started_at, burst.camera, taxon, burst.status].join("\t"));
  },
});
