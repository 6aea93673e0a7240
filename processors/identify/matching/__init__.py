"""Which known individual does a burst show? Pure: no Kafka, no store, no clock.

- `interface`: descriptions, references, proposals, and the protocols `Matcher` and `ReferenceIndex`;
- `description`, `quality`, `local_features`: from a crop to its stored description;
- `reference_index`: the known individuals and the embedding shortlist;
- `lnbnn`, `geometry`, `movement`: the evidence for one individual;
- `fusion`: from evidence to calibrated scores, with "none of them" as an answer;
- `fused_matcher`: all of it in order.
"""
