// Print each burst's verdict when it changes, from the beginning of the topic.
import { Kafka, logLevel } from "kafkajs";

const kafka = new Kafka({ brokers: process.env.UNCIA_KAFKA.split(","), logLevel: logLevel.ERROR });
const consumer = kafka.consumer({ groupId: `example-${Date.now()}` });
await consumer.connect();
await consumer.subscribe({ topic: "camera.burst.resolved.v1", fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    if (message.value === null) return; // a tombstone: the burst was removed
    const burst = JSON.parse(message.value);
    console.log([burst.started_at, burst.camera, burst.verdict?.taxon ?? "unreadable", burst.status].join("\t"));
  },
});
