import com.fasterxml.jackson.databind.*;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Prints the verdict that counts whenever one changes, from the beginning of the topic. */
public class Subscriber {
  public static void main(String[] arguments) throws Exception {
    var bursts = new HashMap<String, JsonNode>();
    try (var consumer = new KafkaConsumer<>(config(), new StringDeserializer(), new StringDeserializer())) {
      consumer.subscribe(List.of("camera.burst.resolved.v1"));
      while (true) {
        for (var message : consumer.poll(Duration.ofSeconds(1))) {
          if (message.value() == null) continue; // a tombstone
          var burst = new ObjectMapper().readTree(message.value());
          var known = bursts.get(burst.path("burst_id").asText());
          if (known != null && known.path("revision").asLong() >= burst.path("revision").asLong()) continue;
          bursts.put(burst.path("burst_id").asText(), burst); // the highest revision counts
          while (burst != null && burst.path("status").asText().equals("superseded"))
            burst = bursts.get(burst.path("superseded_by").asText()); // its photographs belong to another burst now
          if (burst == null) continue;
          var taxon = burst.at("/verdict/taxon").asText(burst.path("category").asText("unreadable"));
          System.out.println(String.join("\t", burst.path("started_at").asText(), burst.path("camera").asText(),
              taxon, burst.path("status").asText()));
        }
      }
    }
  }

  private static Map<String, Object> config() {
    var env = System.getenv();
    var user = env.getOrDefault("UNCIA_KAFKA_USERNAME", "");
    // A key permits groups whose names begin with its user name.
    var group = (user.isEmpty() ? "example" : user) + "-" + UUID.randomUUID();
    var config = new HashMap<String, Object>(Map.of("bootstrap.servers", env.get("UNCIA_KAFKA"),
        "group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false));
    if (user.isEmpty()) return config;
    // For a Kafka that requires sign-in, as the one of `uncia up` does.
    var module = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";";
    config.putAll(Map.of("security.protocol", "SASL_SSL", "sasl.mechanism", "SCRAM-SHA-512",
        "sasl.jaas.config", module.formatted(user, env.get("UNCIA_KAFKA_PASSWORD")),
        "ssl.truststore.type", "PEM", "ssl.truststore.location", env.get("UNCIA_KAFKA_CAFILE")));
    return config;
  }
}
