#!/bin/bash
# Print the verdict that counts whenever one changes, from the beginning of the topic. Needs kcat and jq.
config() { # not as arguments of kcat, which all users of the machine can read
  echo "bootstrap.servers=$UNCIA_KAFKA"
  [ -z "$UNCIA_KAFKA_USERNAME" ] || printf '%s\n' security.protocol=SASL_SSL sasl.mechanism=SCRAM-SHA-512 \
    "sasl.username=$UNCIA_KAFKA_USERNAME" "sasl.password=$UNCIA_KAFKA_PASSWORD" "ssl.ca.location=$UNCIA_KAFKA_CAFILE"
}
kcat -F <(config) -C -q -u -t camera.burst.resolved.v1 -o beginning |
jq --null-input --raw-output --unbuffered '
  foreach inputs as $burst ({};
    if $burst.revision <= (.bursts[$burst.burst_id].revision // 0) then .counts = null # the highest revision counts
    else .bursts[$burst.burst_id] = $burst | .counts = $burst
      # The photographs of a superseded burst belong to another burst.
      | until(.counts.status != "superseded"; .counts = .bursts[.counts.superseded_by // ""])
    end;
    .counts | select(.) | [.started_at, .camera, .verdict.taxon // .category // "unreadable", .status] | @tsv)'
